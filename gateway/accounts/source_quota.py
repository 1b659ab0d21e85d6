"""Requests that anybody may make are counted against their source address, by the interface and by pages alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.client_address import address_key
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.clock import Clock, NewId
    from gateway.http.client_address import ClientAddresses
    from storage.ephemeral.attempt_quota import AttemptQuota


class SourceQuotas:
    """Counts requests of anybody."""

    def __init__(self, addresses: ClientAddresses, clock: Clock, new_id: NewId) -> None:
        self._addresses = addresses
        self._clock = clock
        self._new_id = new_id

    def source(self, request: web.Request) -> str:
        """Return under which source a request counts."""
        return address_key(self._addresses.of(request))

    async def count(self, request: web.Request, quota: AttemptQuota) -> None:
        """Count a request against its source address. Raises Problem `too-many-requests`."""
        wait = await quota.reserve(self.source(request), self._new_id(), self._clock())
        if wait:
            raise Problem("too-many-requests", retry_after=wait, cause="the quota of this address")
