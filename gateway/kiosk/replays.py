"""Used nonces that come again: each is an audit event, once, however often somebody sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName, event
from storage import audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.http.plain import PlainRequest
    from gateway.trust_feed.device_registry import KnownDevice
    from storage.journal import Journal

REMEMBERED_AT_MOST: Final = 4096
"""Nonces already reported; each is good for three minutes only, so forgetting them all at once loses little."""


class Replays:
    """Writes `nonce.replayed`, once for each nonce and process."""

    def __init__(self, journal: Journal, new_id: Callable[[], str]) -> None:
        self._journal = journal
        self._new_id = new_id
        self._reported: set[str] = set()

    async def report(self, device: KnownDevice | None, nonce: str, request: PlainRequest, now: float) -> None:
        """Record that a genuine, signed request was sent a second time; `device` is unknown at an enrolment.

        Raises `StorageUnavailable`, after which the next one reports.
        """
        if nonce in self._reported:
            return
        if len(self._reported) >= REMEMBERED_AT_MOST:
            self._reported.clear()
        self._reported.add(nonce)  # before the write: many may come at once
        who = f"device:{device.device_id}" if device is not None else "device"

        async def write(connection: AsyncConnection) -> None:
            await audit.append(
                connection,
                event(
                    AuditName.NONCE_REPLAYED,
                    id=self._new_id(),
                    at=now,
                    company_id=device.company_id if device is not None else None,
                    actor=who,
                    subject=who if device is not None else None,
                    request_id=request.id,
                ),
            )

        try:
            await self._journal.write(write)
        except BaseException:
            self._reported.discard(nonce)
            raise
