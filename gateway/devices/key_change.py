"""Key change: a terminal's next key, offered by the old one and in force from its own first use on.

    current ─offer→ current + offered ─first use of the offered→ superseded + current
    offered ─10 min pass, another offer, or anything that happens to the terminal→ never accepted

Until the first use the old key works, so that a lost answer locks no terminal out; from then on it is worth nothing.
Whoever still signs with it, and with a nonce asked for after the change, holds a copy of the terminal: which of the two
is the genuine one nobody can tell, so the terminal is suspended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crypto import device_keys
from gateway.audit_events import AuditName
from gateway.devices.lifecycle import COPIED_REASON, KEY_LIFETIME, Act, DeviceState
from gateway.devices.transitions import Transitions, found, state_now
from gateway.http.problems import Problem
from gateway.trust_feed import kinds
from storage import devices, known_keys, trust_changes
from storage.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from gateway.trust_feed.device_registry import DeviceRegistry, KnownDevice
    from gateway.trust_feed.feed import TrustFeed
    from storage.database import Database
    from storage.devices import Device

OVERLAP_SECONDS: Final = 10 * 60
"""How long an offered key waits for its first use."""

IN_FLIGHT_SECONDS: Final = 10
"""A nonce minted up to this long after the new key's first use may belong to a request that was under way then: nonces
lie up to 5 s ahead, and gateways' clocks differ a little."""

SURELY_VOID_SECONDS: Final = OVERLAP_SECONDS + 60
"""From then on this process must have heard of a first use in time, if there was one, and need not ask SQL."""


@dataclass(frozen=True, slots=True)
class KeyOffered:
    """The answer to a terminal that offered its next key; `key_expires_at` in Unix seconds."""

    keyid: str
    key_expires_at: float


class KeyChanges:
    """What the gate and the key change's route do with keys other than an active terminal's current one."""

    def __init__(
        self,
        *,
        database: Database,
        registry: DeviceRegistry,
        feed: TrustFeed,
        clock: Clock,
        new_id: NewId,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._registry = registry
        self._feed = feed
        self._clock = clock
        self._transitions = Transitions(new_id)
        self._changed = changed

    async def offer(self, device: KnownDevice, public_key: bytes) -> KeyOffered:
        """Take the next key of the terminal whose current key has signed; possession of both is proven by the caller.

        The same key offered again while it waits repeats the answer: a lost answer burns nothing. Another key takes its
        place. An open employee session at the terminal ends, as with every change of a terminal.

        Raises WeakKey, and Problem `key-reused`, `key-expired`, or `state-unavailable` when the terminal changed while
        this went on.
        """
        keyid = device_keys.thumbprint(device_keys.require_strong(public_key))
        now = self._clock()
        try:
            async with self._database.write() as connection:
                stored = await self._locked(connection, device.device_id, now)
                if stored.keyid != device.keyid:
                    raise _changed_meanwhile()
                for key in await known_keys.of_device(connection, stored.id):
                    if key.keyid == keyid and key.key_state == "offered" and now < key.created_at + OVERLAP_SECONDS:
                        return KeyOffered(keyid, key.expires_at)
                await known_keys.block_offers(connection, stored.id)
                offered = KeyOffered(keyid, now + KEY_LIFETIME)
                await known_keys.offer(
                    connection,
                    stored.id,
                    keyid=keyid,
                    public_key=public_key,
                    offered_at=now,
                    expires_at=offered.key_expires_at,
                )
                await trust_changes.append(connection, kinds.DEVICE, stored.id, {}, now)
        except Conflict:
            # Undone as a whole: the key that waited before still waits.
            raise Problem("key-reused", cause="the key was seen before") from None
        self._changed()
        return offered

    async def judge(self, device: KnownDevice, minted_at: int, now: float, request_id: str) -> None:
        """Refuse the verified request of a superseded key, and of one whose change is void. Others pass.

        `minted_at`: Unix seconds inside the request's nonce. A superseded key's late use suspends the terminal.
        Raises Problem `device-unknown` or `device-suspended`.
        """
        if device.key_state == "offered" and now >= device.key_created_at + SURELY_VOID_SECONDS:
            raise _void()
        superseded_at = device.key_superseded_at
        if device.key_state != "superseded" or superseded_at is None or device.state == DeviceState.REVOKED:
            return
        if device.state == DeviceState.ACTIVE:
            if minted_at <= superseded_at + IN_FLIGHT_SECONDS:
                raise Problem("device-unknown", cause="in flight at the key change")
            await self._suspend_copied(device, now, request_id)
        elif device.state != DeviceState.SUSPENDED:
            raise Problem("device-unknown", cause="this key was superseded")
        raise Problem("device-suspended")

    async def first_use(self, device: KnownDevice, now: float, request_id: str) -> KnownDevice:
        """Put the offered key in force that has just signed a request, and return the terminal as it is then.

        Raises Problem `device-unknown` when its change is void, `key-expired` when the old key ran out meanwhile,
        `state-unavailable` when the terminal changed while this went on.
        """
        async with self._database.write() as connection:
            stored = await self._locked(connection, device.device_id, now)
            if stored.keyid != device.keyid:  # else another process was asked at the same moment
                keys = await known_keys.of_device(connection, stored.id)
                key = next(one for one in keys if one.keyid == device.keyid)
                if key.key_state != "offered" or now >= key.created_at + OVERLAP_SECONDS:
                    raise _void()
                await known_keys.take_over(connection, stored.id, device.keyid, now)
                await self._transitions.record(
                    connection,
                    AuditName.DEVICE_KEY_CHANGED,
                    stored,
                    f"device:{stored.id}",
                    now,
                    {"keyid": device.keyid, "superseded_keyid": stored.keyid},
                    request_id=request_id,
                )
        self._changed()
        await self._feed.refresh()
        known = self._registry.get(device.keyid)
        if known is None or known.key_state != "current":
            raise _changed_meanwhile()
        return known

    async def _suspend_copied(self, device: KnownDevice, now: float, request_id: str) -> None:
        """Suspend a terminal of which there is a copy; nothing when somebody has ended or suspended it meanwhile."""
        async with self._database.write() as connection:
            await devices.set_state(connection, device.device_id, (DeviceState.ACTIVE.value,), DeviceState.ACTIVE.value)
            stored = await found(connection, device.device_id)
            if state_now(stored, now) is not DeviceState.ACTIVE:
                raise Problem("device-unknown", cause="a superseded key of a terminal that is not active")
            await self._transitions.walk(connection, Act.SUSPEND, stored, now, reason=COPIED_REASON)
            await self._transitions.record(
                connection,
                AuditName.DEVICE_KEY_REUSED,
                stored,
                f"device:{stored.id}",
                now,
                {"keyid": device.keyid, "current_keyid": stored.keyid, "state": DeviceState.SUSPENDED.value},
                request_id=request_id,
            )
        self._changed()
        await self._feed.refresh()  # whoever holds the other key finds it suspended from now on, at least here

    async def _locked(self, connection: AsyncConnection, device_id: str, now: float) -> Device:
        """The active terminal as it is stored now; nobody changes it until this transaction ends."""
        active = DeviceState.ACTIVE.value
        is_locked = await devices.set_state(connection, device_id, (active,), active)
        device = await found(connection, device_id)
        state = state_now(device, now)
        if state is DeviceState.EXPIRED:
            raise Problem("key-expired", cause="the key that offered this one")
        if not is_locked or state is not DeviceState.ACTIVE:
            raise _changed_meanwhile()
        return device


def _void() -> Problem:
    return Problem("device-unknown", cause="the key change is void")


def _changed_meanwhile() -> Problem:
    """Asked again, the gate will know what the terminal is by then."""
    return Problem("state-unavailable", cause="the device changed while its key did")
