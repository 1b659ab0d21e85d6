"""Changing one's own PIN at a terminal: the current one is checked like a sign-in, so it cannot be guessed here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crypto.pins import PIN_FAULT_TEXT, pin_faults
from gateway.audit_events import AuditName, event
from gateway.http.problems import FieldError, Problem
from gateway.pin_login.service import Credentials
from storage import audit, users

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from crypto.pins import PinHasher
    from gateway.clock import Clock
    from gateway.pin_login.hashing import HashPool
    from gateway.pin_login.service import PinLogin
    from storage.database import Database
    from storage.journal import Journal


class OwnPin:
    """The employee's own change of PIN. It zeroes no count: only a reset by HR does."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        login: PinLogin,
        hashing: HashPool,
        pins: PinHasher,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._journal = journal
        self._login = login
        self._hashing = hashing
        self._pins = pins
        self._clock = clock
        self._new_id = new_id

    async def change(
        self, *, user_id: str, company_id: str, current_pin: str, new_pin: str, device_id: str, request_id: str
    ) -> None:
        """Set `new_pin`.

        Raises `Problem`: `bad-request` naming every rule the new PIN breaks, `login-failed` and `login-throttled` for
        the current one, `busy`; and `StorageUnavailable`, `EphemeralUnavailable`.
        """
        async with self._database.read() as connection:
            user = await users.get(connection, user_id)
        if user is None or user.personnel_number is None:
            raise Problem("session-expired", cause="person not found")
        faults = [FieldError("new_pin", PIN_FAULT_TEXT[code]) for code in pin_faults(new_pin, user.personnel_number)]
        if new_pin == current_pin:
            faults.append(FieldError("new_pin", "must differ from the current PIN"))
        if faults:
            raise Problem("bad-request", errors=faults)
        checked = await self._login.check_current_pin(
            Credentials(
                tier="kiosk",
                company_id=company_id,
                personnel_number=user.personnel_number,
                pin=current_pin,
                request_id=request_id,
                device_id=device_id,
            )
        )
        record = await self._hashing.run(self._pins.hash, new_pin)
        now = self._clock()

        async def write(connection: AsyncConnection) -> None:
            if not await users.replace_pin(connection, user_id, checked.pin_record, record, now):
                # Between our check and this moment HR has set another PIN or ended the person's access: that stands.
                raise LookupError("the PIN that was checked is no longer the person's")
            await audit.append(
                connection,
                event(
                    AuditName.PIN_SET,
                    id=self._new_id(),
                    at=now,
                    company_id=company_id,
                    actor=f"user:{user_id}",
                    subject=f"user:{user_id}",
                    detail={"by": "oneself", "device": device_id},
                    request_id=request_id,
                ),
            )

        try:
            await self._journal.write(write)
        except LookupError:
            raise Problem("session-expired", cause="PIN or person changed meanwhile") from None
