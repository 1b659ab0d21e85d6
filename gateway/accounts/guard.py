"""The guard of e-mail logins: every try is reserved in SQL before its hash is computed (policy, "Lockout").

Five tries at an address may be wrong in a row or in flight; the fifth wrong one locks the address for 15 minutes. In
SQL, so that IT can sign in while Redis is away. An address nobody has is counted and locked like any other; only the
list of locks and the audit trail know whose an address is.

Whoever tries one password at many addresses is met by the source: 30 tries from one source address may be wrong or in
flight within an hour; after that there is one every five seconds, and never a longer block, since an office shares one
address. Right ones do not count.
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
    from storage.users import User

TIER: Final = "account"
"""What stands in a lock where others have kiosk or phone."""

SCOPE: Final = "email"
REASON: Final = "consecutive"

TRIES: Final = 5
"""Wrong tries in a row, with those in flight, that one address may have."""

LOCK_SECONDS: Final = 15 * 60.0

FLIGHT_SECONDS: Final = 10.0
"""So long a try may be without a result before it is a wrong one."""

SOURCE_TRIES: Final = 30
"""Wrong tries from one source address within `SOURCE_SECONDS`, with those in flight, before they are slowed down."""

SOURCE_SECONDS: Final = 3600.0
SOURCE_GAP_SECONDS: Final = 5.0

UNKNOWN_EVENTS: Final = 1000
"""Audit events of a day about addresses nobody has: beyond that only the metrics count them, or anybody could fill the
database. Events about people are always written."""

KEEP_SECONDS: Final = 86400.0
"""So long a wrong try counts: nobody is locked out today for a slip of last week."""


@dataclass(frozen=True, slots=True)
class Try:
    """One reserved try at an address, from `at` (Unix seconds).

    `source` and `source_id`: the source address as it is counted, and the id of the try there.
    """

    id: str
    email: str
    subject: bytes
    at: float
    request_id: str | None
    source: bytes | None = None
    source_id: str = ""


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

    async def reserve(self, email: str, request_id: str | None, source: str | None = None) -> Try:
        """Reserve a try; `source` is the address key of whoever has no session yet.

        Raises Problem `login-throttled`: the address is locked, or too many tries are under way; `too-many-requests`:
        there were too many wrong ones from this source.
        """
        attempt = Try(
            self._new_id(),
            email,
            self.subject(email),
            self._clock(),
            request_id,
            None if source is None else keyed_hash(self._key, "source", source),
            self._new_id(),
        )
        async with self._database.read() as connection:  # while it is refused, knocking costs no commit
            gap = await self._gap(connection, attempt)
            until = await account_guard.locked_until(connection, attempt.subject)
        wait = None if until is None or until <= attempt.at else until - attempt.at
        if gap is None and wait is None:
            async with self._database.write() as connection:
                gap = await self._admit_source(connection, attempt)
                wait = await self._admit(connection, attempt) if gap is None else None
                if gap is None and wait is None and attempt.source is not None:
                    await account_guard.add_try(connection, attempt.source_id, attempt.source, attempt.at)
        if gap is not None:
            raise Problem("too-many-requests", retry_after=math.ceil(gap), cause="scope source")
        if wait is not None:
            raise Problem("login-throttled", retry_after=math.ceil(wait), cause="scope email")
        return attempt

    async def right(self, connection: AsyncConnection, attempt: Try) -> bool:
        """Settle a try as right, which ends the row of wrong ones. False: it came too late and counts as wrong."""
        await account_guard.take_back(connection, attempt.source_id, self._clock() - FLIGHT_SECONDS)
        await account_guard.claim(connection, attempt.subject, attempt.at)
        if not await account_guard.take_back(connection, attempt.id, self._clock() - FLIGHT_SECONDS):
            return False
        await account_guard.forget_wrong(connection, attempt.subject)
        return True

    async def wrong(self, connection: AsyncConnection, attempt: Try) -> bool:
        """Settle a try as wrong; return whether that locked the address."""
        # The source's row before the address's, as when it was reserved, so that nobody waits crosswise.
        await account_guard.mark_wrong(connection, attempt.source_id)
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
            for try_id in (attempt.source_id, attempt.id):
                await account_guard.take_back(connection, try_id, self._clock() - FLIGHT_SECONDS)

    async def tells(self, connection: AsyncConnection, user: User | None) -> bool:
        """Tell whether an event about a try is to be written; asked alike for addresses somebody has and nobody has."""
        unknown = (AuditName.LOGIN_FAILED, AuditName.ACCOUNT_LOCKED)
        written = await audit.count_unowned(connection, unknown, self._clock() - KEEP_SECONDS)
        return user is not None or written < UNKNOWN_EVENTS

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

    async def _gap(self, connection: AsyncConnection, attempt: Try) -> float | None:
        """Return the seconds until the source may try again, None when that is now."""
        if attempt.source is None:
            return None
        wrong, in_flight = await account_guard.count(connection, attempt.source, attempt.at - SOURCE_SECONDS)
        if wrong + in_flight < SOURCE_TRIES:
            return None
        latest = await account_guard.latest(connection, attempt.source)
        gap = SOURCE_GAP_SECONDS if latest is None else latest + SOURCE_GAP_SECONDS - attempt.at
        return gap if gap > 0 else None

    async def _admit_source(self, connection: AsyncConnection, attempt: Try) -> float | None:
        """Make others of this source wait, and return as `_gap`."""
        if attempt.source is None:
            return None
        await account_guard.claim(connection, attempt.source, attempt.at)
        await account_guard.expire(connection, attempt.source, attempt.at - FLIGHT_SECONDS)
        return await self._gap(connection, attempt)

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
        if not await self.tells(connection, user):
            return
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
