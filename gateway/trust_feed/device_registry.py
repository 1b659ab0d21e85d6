"""The device registry: every enrolled key and what its device may do, in this process's memory.

All keys are loaded at start (a device costs under a kilobyte) and kept true by the trust feed, so that admitting a
signed request asks SQL nothing. An unknown key triggers one shared read of the feed, because the terminal may have
enrolled at another gateway a moment ago; that it is unknown is then remembered for a moment.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from gateway.trust_feed import kinds
from storage import known_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.trust_feed.companies import Networks
    from gateway.trust_feed.feed import TrustFeed
    from storage.known_keys import KnownKey
    from storage.trust_changes import TrustChange

UNKNOWN_FOR_SECONDS: Final = 1.0
"""How long an unknown key is remembered as unknown; forgotten earlier when any device changes."""

UNKNOWN_AT_MOST: Final = 10_000
"""Bound on the remembered unknown keys: they cost an attacker nothing, so they must not cost us memory."""


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device as the gate sees it, reached by one of its keys.

    `acts_until`: Unix seconds up to which this key is that of an active device, 0 when it is not now.
    """

    device_id: str
    company_id: str
    keyid: str
    public_key: bytes
    key_state: str
    key_created_at: float
    key_expires_at: float
    key_superseded_at: float | None
    state: str
    label: str
    location: str
    enrolment_id: str | None
    enrolment_started_at: float | None
    networks: Networks
    acts_until: float


class DeviceRegistry:
    """Every known key, kept true by the trust feed."""

    def __init__(self, feed: TrustFeed, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._feed = feed
        self._monotonic = monotonic
        self._by_keyid: dict[str, KnownDevice] = {}
        self._keyids: dict[str, set[str]] = {}
        self._unknown: dict[str, float] = {}

    async def load(self, connection: AsyncConnection) -> None:
        """Read all keys."""
        self._by_keyid.clear()
        self._keyids.clear()
        self._unknown.clear()
        for key in await known_keys.all_(connection):
            self._remember(key)

    async def follow(self, connection: AsyncConnection, changes: Sequence[TrustChange]) -> None:
        """Read the keys of the devices that changed again."""
        changed = {change.subject for change in changes if change.kind == kinds.DEVICE}
        if changed:
            self._unknown.clear()
        for device_id in changed:
            fresh = await known_keys.of_device(connection, device_id)
            for keyid in self._keyids.pop(device_id, set()):
                del self._by_keyid[keyid]
            for key in fresh:
                self._remember(key)

    def get(self, keyid: str) -> KnownDevice | None:
        """Return the device of a key this process knows."""
        return self._by_keyid.get(keyid)

    async def find(self, keyid: str) -> KnownDevice | None:
        """Return the device of `keyid`, reading the feed once when the key is unknown. Raises `StorageUnavailable`."""
        known = self._by_keyid.get(keyid)
        if known is None and self._unknown.get(keyid, 0.0) < self._monotonic():
            await self._feed.refresh()
            known = self._by_keyid.get(keyid)
            if known is None:
                if len(self._unknown) >= UNKNOWN_AT_MOST:
                    self._unknown.clear()
                self._unknown[keyid] = self._monotonic() + UNKNOWN_FOR_SECONDS
        return known

    def _remember(self, key: KnownKey) -> None:
        networks = tuple(ip_network(text) for text in key.allowed_networks)
        self._by_keyid[key.keyid] = KnownDevice(
            device_id=key.device_id,
            company_id=key.company_id,
            keyid=key.keyid,
            public_key=key.public_key,
            key_state=key.key_state,
            key_created_at=key.created_at,
            key_expires_at=key.expires_at,
            key_superseded_at=key.superseded_at,
            state=key.state,
            label=key.label,
            location=key.location,
            enrolment_id=key.enrolment_id,
            enrolment_started_at=key.enrolment_started_at,
            networks=networks,
            acts_until=key.expires_at if key.state == "active" and key.key_state == "current" else 0.0,
        )
        self._keyids.setdefault(key.device_id, set()).add(key.keyid)
