"""Changing this terminal's key, so that neither a lost answer nor a power cut at any moment locks it out.

1. Make the next key and store it beside the present one.
2. Offer it, signed by both. The present key works on; asked again, the gateway repeats its answer.
3. Use it. From its first use on the present key is worth nothing.
4. When the gateway has answered a request of the next key, it takes the present one's place on disk.

Whoever finds a next key on disk does not know how far that went. So the next key is tried first, and the present one
only when the gateway does not know the next: a present key that is used after step 3 looks like a copy of the terminal,
and the gateway suspends it. A gateway that gives no answer has said nothing about either.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crypto.device_keys import DeviceKey
from kiosk_client.client import require_active
from kiosk_client.errors import GatewayRefused, KioskError, UnexpectedAnswer
from kiosk_client.next_key import NextKey

if TYPE_CHECKING:
    from kiosk_client.answers import DeviceAnswer
    from kiosk_client.client import KioskClient
    from kiosk_client.enrolment import Randomness
    from kiosk_client.key_store import KeyStore, StoredKey

DAY: Final = 86_400.0

LEFT_WHEN_DUE: Final = 60 * DAY
"""Seconds a key of 90 days is still good for when it is changed: at an age of 30 days, by the gateway's clock, for a
terminal may have none."""

JITTER: Final = 3 * DAY
"""Terminals put up on one day do not change their keys at one moment."""

AGAIN_AFTER: Final = 3600.0
"""Seconds until an offer that failed is made again; the present key serves meanwhile."""


class KeyChange:
    """The key changes of one terminal that runs: of the key in ``store`` and in ``client`` alike.

    Nothing else may be sent by the client while one of its methods runs, and nobody should be signed in: a change ends
    the employee's session.
    """

    def __init__(self, store: KeyStore, client: KioskClient, *, randomness: Randomness) -> None:
        self._store = store
        self._next = NextKey(store)
        self._client = client
        self._randomness = randomness
        self._settled = False
        self._not_before = 0.0

    async def settle(self) -> None:
        """Find out which key is in force after a change that was not finished; nothing to do in the usual case.

        The client signs with that key then. Raises ``KioskError`` while it cannot be found out: ask again before
        anything else is sent.
        """
        if self._settled:
            return
        waiting, present = self._next.load(), self._store.load()
        if waiting is not None and present is not None and waiting.enrolment_id != present.enrolment_id:
            self._next.remove()  # the terminal was enrolled anew meanwhile
            waiting = None
        if waiting is not None and not await self._try(waiting):
            await self._back_to_present()
        self._settled = True

    async def change_if_due(self, device: DeviceAnswer) -> bool:
        """Change the key if it is old enough by what the gateway has just said; return whether it did.

        An offer that fails is made again after an hour. Raises ``KioskError`` only where ``settle`` must be asked next.
        """
        await self.settle()
        ends, now = device.key_expires_at, self._client.server_clock.now()
        if ends is None or now < max(self._not_before, ends.timestamp() - LEFT_WHEN_DUE + jitter(self._client.key)):
            return False
        self._not_before = now + AGAIN_AFTER
        try:
            await self.change()
        except KioskError:
            if not self._settled:
                raise
            return False
        return True

    async def change(self) -> StoredKey:
        """Change the key now and return what is stored then. Raises ``NotEnrolled`` and whatever the gateway refuses.

        Whatever is raised, the terminal has a key that works, and ``settle`` finds it.
        """
        await self.settle()
        following = self._make()
        try:
            offered = await self._client.offer_key(following.key)
        except GatewayRefused as refused:
            if refused.problem in ("key-reused", "weak-key"):
                self._next.remove()
            raise
        if offered.keyid != following.key.keyid:
            raise UnexpectedAnswer("the gateway took another key")
        if not await self._try(following):
            await self._back_to_present()
            raise UnexpectedAnswer("the gateway took the key and does not know it")
        return following

    def _make(self) -> StoredKey:
        """The next key: one that was offered and not answered for, or a new one."""
        waiting = self._next.load()
        if waiting is not None:
            return waiting
        present = require_active(self._store.load())
        key = DeviceKey.generate(self._randomness)
        return self._next.create(replace(present, key=key, created_at=self._client.server_clock.now()))

    async def _try(self, following: StoredKey) -> bool:
        """Use the next key; True when it is in force and in its place, False when the gateway does not know it."""
        self._settled = False  # from here until an answer nobody knows
        self._client.use_key(following.key)
        try:
            await self._client.device()
        except GatewayRefused as refused:
            if refused.problem == "device-unknown":
                return False
            raise
        self._next.take_over()
        self._settled = True
        return True

    async def _back_to_present(self) -> None:
        """The present key is in force if the gateway knows it; only then is the next one given up."""
        self._client.use_key(require_active(self._store.load()).key)
        await self._client.device()
        self._next.remove()
        self._settled = True


def jitter(key: DeviceKey) -> float:
    """Seconds, the same for one key whenever it is asked: a restart must not draw anew."""
    return int.from_bytes(hashlib.sha256(key.keyid.encode()).digest()[:4], "big") / 2**32 * JITTER
