"""The guard of e-mail logins: every try is reserved in SQL before its hash is computed (policy, "Lockout").

Five tries at an address may be wrong in a row or in flight; the fifth wrong one locks the address for 15 minutes. In
SQL, so that IT can sign in while Redis is away. An address nobody has is counted and locked like any other; only the
list of locks and the audit trail know whose an address is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crypto.tokens import keyed_hash
from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from storage import account_guard, audit, lockouts, users
from storage.lockouts import Lockout

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from storage.database import Database

TIER: Final = "account"
"""What stands in a lock where others have kiosk or phone."""

SCOPE: Final = "email"
REASON: Final = "consecutive"

TRIES: Final = 5
"""Wrong tries in a row, with those in flight, that one address may have."""

LOCK_SECONDS: Final = 15 * 60.0

FLIGHT_SECONDS: Final = 10.0
"""So long a try may be without a result before it is a wrong one."""

KEEP_SECONDS: Final = 86400.0
"""So long a wrong try counts: nobody is locked out today for a slip of last week."""


@dataclass(frozen=True, slots=True)
class Try:
    """One reserved try at an address, from `at` (Unix seconds)."""

    id: str
    email: str
    subject: bytes
    at: float
    request_id: str | None


class AccountGuard:
    """Reserves and settles tries. `key` names the counters of an address."""

    def __init__(self, *, database: Database, key: bytes, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._new_id = new_id

    def subject(self, email: str) -> bytes:
        """Return the keyed hash under which an address is counted."""
        return keyed_hash(self._key, "account", email)

    async def reserve(self, email: str, request_id: str | None) -> Try:
        """Reserve a try. Raises Problem `login-throttled`: the address is locked, or too many tries are under way."""
        attempt = Try(self._new_id(), email, self.subject(email), self._clock(), request_id)
        async with self._database.read() as connection:  # while it is locked, knocking costs no commit
            until = await account_guard.locked_until(connection, attempt.subject)
        wait = None if until is None or until <= attempt.at else until - attempt.at
        if wait is None:
            async with self._database.write() as connection:
                wait = await self._admit(connection, attempt)
        if wait is not None:
            raise Problem("login-throttled", retry_after=math.ceil(wait), cause="scope email")
        return attempt

    async def right(self, connection: AsyncConnection, attempt: Try) -> bool:
        """Settle a try as right, which ends the row of wrong ones. False: it came too late and counts as wrong."""
        await account_guard.claim(connection, attempt.subject, attempt.at)
        if not await account_guard.take_back(connection, attempt.id, self._clock() - FLIGHT_SECONDS):
            return False
        await account_guard.forget_wrong(connection, attempt.subject)
        return True

    async def wrong(self, connection: AsyncConnection, attempt: Try) -> bool:
        """Settle a try as wrong; return whether that locked the address."""
        await account_guard.claim(connection, attempt.subject, attempt.at)
        await account_guard.mark_wrong(connection, attempt.id)
        wrong, _ = await account_guard.count(connection, attempt.subject, self._clock() - KEEP_SECONDS)
        if wrong < TRIES:
            return False
        await self._lock(connection, attempt)
        return True

    async def release(self, attempt: Try) -> None:
        """Take a try back that was not hashed; it does not count."""
        async with self._database.write() as connection:
            await account_guard.take_back(connection, attempt.id, self._clock() - FLIGHT_SECONDS)

    async def clear(self, connection: AsyncConnection, email: str, *, actor: str, request_id: str | None) -> None:
        """Forget what was tried at an address and end its lock: its password is a new one."""
        subject, now = self.subject(email), self._clock()
        await account_guard.clear(connection, subject, now)
        locks = await lockouts.uncleared(connection, [subject.hex()])
        cleared = await lockouts.clear(connection, [one.id for one in locks], now)
        for lock in cleared:
            if lock.until is not None and lock.until > now:
                await audit.append(
                    connection,
                    event(
                        AuditName.ACCOUNT_UNLOCKED,
                        id=self._new_id(),
                        at=now,
                        actor=actor,
                        company_id=lock.company_id,
                        subject=None if lock.user_id is None else f"user:{lock.user_id}",
                        request_id=request_id,
                    ),
                )

    async def _admit(self, connection: AsyncConnection, attempt: Try) -> float | None:
        """Reserve the try, or return the seconds to wait."""
        now, subject = attempt.at, attempt.subject
        locked_until = await account_guard.claim(connection, subject, now)
        if locked_until is not None and locked_until > now:
            return locked_until - now
        await account_guard.expire(connection, subject, now - FLIGHT_SECONDS)
        wrong, in_flight = await account_guard.count(connection, subject, now - KEEP_SECONDS)
        if wrong >= TRIES:  # some never came back: a gateway was killed, or its hash took too long
            await self._lock(connection, attempt)
            return LOCK_SECONDS
        if wrong + in_flight >= TRIES:
            return FLIGHT_SECONDS
        await account_guard.add_try(connection, attempt.id, subject, now)
        return None

    async def _lock(self, connection: AsyncConnection, attempt: Try) -> None:
        now = self._clock()
        until = now + LOCK_SECONDS
        await account_guard.lock(connection, attempt.subject, until)
        user = await users.by_email(connection, attempt.email)
        if user is not None:
            await lockouts.add_lock(
                connection,
                Lockout(
                    id=self._new_id(),
                    company_id=user.company_id,
                    tier=TIER,
                    scope=SCOPE,
                    subject=attempt.subject.hex(),
                    user_id=user.id,
                    reason=REASON,
                    since=now,
                    until=until,
                ),
            )
        await audit.append(
            connection,
            event(
                AuditName.ACCOUNT_LOCKED,
                id=self._new_id(),
                at=now,
                actor="gateway",
                company_id=None if user is None else user.company_id,
                subject=None if user is None else f"user:{user.id}",
                detail={"reason": REASON},
                request_id=attempt.request_id,
            ),
        )
