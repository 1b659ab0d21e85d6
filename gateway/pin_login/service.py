"""Signing in with personnel number and PIN: reserve first, then hash, then a session. Both tiers share it.

The order is the whole point (policy: lockout):

1. reserve the attempt atomically over all its scopes, or refuse without a hash;
2. read the person, the yearly count and what SQL remembers of locks and of the day in one go, the same queries for
   known and unknown numbers: losing Redis ends no lock and frees no try of the day;
3. hash in the tier's bounded pool, against a dummy when there is nothing to compare with;
4. wrong: commit the yearly row and its audit event, then settle the reservation, then record the locks it began;
   right: settle the reservation, then commit the audit event.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from gateway.pin_login.subjects import number_subject
from storage import audit, lockouts, users
from storage.ephemeral.connection import EphemeralUnavailable
from storage.ephemeral.pin_guard import LIMITS, Attempt, Reserved
from storage.lockouts import Lockout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from crypto.pins import PinHasher
    from gateway.clock import Clock
    from gateway.metrics import Metrics
    from gateway.pin_login.hashing import HashPool
    from storage.database import Database
    from storage.ephemeral.pin_guard import Lock, PinGuard, Tier
    from storage.journal import Journal
    from storage.lockouts import Standing
    from storage.users import User

YEAR_SECONDS: Final = 365 * 86400.0
"""The longest window: a guess a day must not get through either."""

YEARLY_CAP: Final[Mapping[Tier, int]] = {"kiosk": 100, "phone": 50}
"""Wrong PINs per number in 365 days, after which that tier stays closed for it until a reset (policy: lockout)."""

INSTANT: Final = 0.001
"""Seconds between two moments that SQL tells apart."""

CAPPED_RETRY_AFTER: Final = 3600
"""Seconds told to a number whose yearly cap is reached: it does not end by itself, and must not look special."""

TIERS: Final[tuple[Tier, ...]] = ("kiosk", "phone")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One try to sign in: at terminal `device_id`, or by poster number `link_version` from the address key `source`."""

    tier: Tier
    company_id: str
    personnel_number: str
    pin: str
    request_id: str
    device_id: str | None = None
    source: str | None = None
    link_version: int | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who proved the PIN, and how many tries failed since the last time (both tiers).

    They are counted up to `told_at` (Unix seconds): one that fails while this PIN is hashed is told the next time.
    """

    user: User
    failed_attempts: int
    told_at: float
    pin_record: bytes


@dataclass(frozen=True, slots=True)
class _Record:
    """What SQL says about a number `at` a moment: read for unknown numbers by the same queries."""

    at: float
    user: User | None
    pin_record: bytes | None
    failures_in_year: int
    failures_in_day: int
    failures_since_sign_in: int
    standing: Standing
    day_frees_at: float | None


class PinLogin:
    """Checks PINs. Every check of a PIN anywhere goes through here and counts."""

    def __init__(
        self,
        *,
        database: Database,
        journal: Journal,
        guard: PinGuard,
        hashing: Mapping[Tier, HashPool],
        pins: PinHasher,
        guard_key: bytes,
        metrics: Metrics,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._database = database
        self._journal = journal
        self._guard = guard
        self._hashing = hashing
        self._pins = pins
        self._guard_key = guard_key
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id

    async def sign_in(self, credentials: Credentials) -> SignedIn:
        """Check a PIN and record the sign-in.

        Raises `Problem`: `login-throttled` (locked, paused or too many at once: no hash was computed),
        `login-failed` (unknown number, wrong PIN, disabled person: one answer), `busy` (hash queue full); and
        `EphemeralUnavailable` or `StorageUnavailable`, in which case nobody is let in.
        """
        signed_in = await self._check(credentials)
        name = AuditName.KIOSK_LOGIN if credentials.tier == "kiosk" else AuditName.PHONE_LOGIN
        user, now = signed_in.user, self._clock()

        async def record(connection: AsyncConnection) -> None:
            await users.mark_sign_in(connection, user.id, now, told_at=signed_in.told_at)
            await self._audit(connection, name, credentials, now, f"user:{user.id}")

        await self._journal.write(record)
        return signed_in

    async def check_current_pin(self, credentials: Credentials) -> SignedIn:
        """Check the current PIN before a change of it; counts exactly like a sign-in. Raises as `sign_in`."""
        return await self._check(credentials)

    async def _check(self, credentials: Credentials) -> SignedIn:
        tier = credentials.tier
        subject = self._subject(credentials, tier)
        attempt = Attempt(
            id=self._new_id(),
            company_id=credentials.company_id,
            tier=tier,
            number=subject.hex(),
            device_id=credentials.device_id,
            source=credentials.source,
        )
        reservation = await self._guard.reserve(attempt, self._clock())
        if not isinstance(reservation, Reserved):
            await self._record_locks(credentials, reservation.locks)
            self._metrics.login(tier, "throttled")
            raise Problem("login-throttled", retry_after=reservation.retry_after, cause=f"scope {reservation.scope}")
        try:
            await self._record_locks(credentials, reservation.locks)
            record = await self._read(credentials, subject)
            if retry_after := self._refused_for(record, tier, reservation.position):
                self._metrics.login(tier, "throttled")
                raise Problem("login-throttled", retry_after=retry_after, cause="by what SQL remembers")
            stored = record.pin_record or self._pins.dummy_record
            is_right = await self._hashing[tier].run(self._pins.verify, stored, credentials.pin)
        except BaseException:
            # Not hashed, so not counted. Redis away now: the reservation expires and counts as wrong, the safe side.
            with contextlib.suppress(EphemeralUnavailable):
                await self._guard.release(attempt, self._clock())
            raise
        user = record.user
        if is_right and user is not None and user.active and record.pin_record is not None:
            settled = await self._guard.right(attempt, self._clock())
            await self._record_locks(credentials, settled.locks)
            if not settled.in_time:
                # The hash took longer than a reservation lives, so it was counted as wrong, and is answered as wrong.
                await self._record_failure(credentials, subject, record)
                self._metrics.login(tier, "late")
                raise Problem("login-failed", cause="the hash came too late")
            self._metrics.login(tier, "right")
            return SignedIn(user, record.failures_since_sign_in, record.at, record.pin_record)
        await self._record_failure(credentials, subject, record)
        await self._record_locks(credentials, await self._guard.wrong(attempt, self._clock()))
        self._metrics.login(tier, "wrong")
        raise Problem("login-failed")

    def _refused_for(self, record: _Record, tier: Tier, position: int) -> int:
        """Return the whole seconds to wait, or 0 when the try may be hashed.

        Whoever reserved before us is either still in flight and counted in our position, or has committed its row: so
        these sums never let one guess too many through, however many try at once. Locks and the day are Redis' to
        count; asked here too, they outlast a Redis that was emptied.
        """
        standing, until = record.standing, record.standing.until or 0.0
        if standing.is_disabled or record.failures_in_year + position > YEARLY_CAP[tier]:
            return CAPPED_RETRY_AFTER
        if record.day_frees_at is not None:
            until = max(until, record.day_frees_at)
        elif record.failures_in_day + position > LIMITS[tier].daily:
            until = max(until, record.at + 1)
        return max(0, math.ceil(until - record.at))

    def _subject(self, credentials: Credentials, tier: str) -> bytes:
        return number_subject(self._guard_key, credentials.company_id, tier, credentials.personnel_number)

    async def _read(self, credentials: Credentials, subject: bytes) -> _Record:
        now, limits = self._clock(), LIMITS[credentials.tier]
        year_ago, day_ago = now - YEAR_SECONDS, now - limits.day
        both = [self._subject(credentials, tier) for tier in TIERS]
        places = [credentials.device_id or credentials.company_id]
        async with self._database.read() as connection:
            found = await users.by_number(connection, credentials.company_id, credentials.personnel_number)
            user, pin_record = found if found is not None else (None, None)
            told_at = user.failures_told_at if user is not None else None
            standing = await lockouts.standing(
                connection, credentials.tier, credentials.company_id, subject, places, now, day_ago
            )
            # Behind the beginning of the window, as in Redis: what failed exactly a day ago has left it.
            day = max(day_ago, standing.cleared_at or 0.0) + INSTANT
            counted = await lockouts.count_failures_since(connection, both, (year_ago, day, told_at or year_ago))
            in_year, in_day, _ = counted[subject]
            frees_at = None
            if in_day >= limits.daily:
                oldest = await lockouts.latest_failure(connection, subject, limits.daily - 1)
                frees_at = None if oldest is None else oldest + limits.day
            return _Record(
                at=now,
                user=user,
                pin_record=pin_record,
                failures_in_year=in_year,
                failures_in_day=in_day,
                failures_since_sign_in=sum(counts[2] for counts in counted.values()),
                standing=standing,
                day_frees_at=frees_at,
            )

    async def _record_failure(self, credentials: Credentials, subject: bytes, record: _Record) -> None:
        """Commit the yearly row with its audit event, and the end of the PIN when the cap is reached by it."""
        now, tier = self._clock(), credentials.tier
        user_id = record.user.id if record.user is not None else None
        whom = None if user_id is None else f"user:{user_id}"

        async def write(connection: AsyncConnection) -> None:
            await lockouts.record_failure(connection, subject, now)
            await self._audit(connection, AuditName.LOGIN_FAILED, credentials, now, whom)
            if await lockouts.count_failures(connection, subject, now - YEAR_SECONDS) >= YEARLY_CAP[tier]:
                lockout = Lockout(
                    id=self._new_id(),
                    company_id=credentials.company_id,
                    tier=tier,
                    scope="number",
                    subject=subject.hex(),
                    user_id=user_id,
                    reason="yearly",
                    since=now,
                )
                await lockouts.add_lock(connection, lockout)
                await self._audit(connection, AuditName.PIN_DISABLED, credentials, now, whom)

        await self._journal.write(write)

    async def _record_locks(self, credentials: Credentials, locks: Sequence[Lock]) -> None:
        """Commit the locks that have begun, so that people can see and clear them, each with its audit event."""
        if not locks:
            return
        now, own = self._clock(), self._subject(credentials, credentials.tier).hex()

        async def write(connection: AsyncConnection) -> None:
            for lock in locks:
                # Attempts of others that never came back may lock their numbers here; whose those are is not known.
                found = await self._person(connection, credentials) if lock.subject == own else None
                lockout = Lockout(
                    id=self._new_id(),
                    company_id=credentials.company_id,
                    tier=credentials.tier,
                    scope=lock.scope,
                    subject=lock.subject,
                    user_id=found,
                    reason=lock.reason,
                    since=lock.since,
                    until=lock.until,
                )
                await lockouts.add_lock(connection, lockout)
                detail = {"tier": credentials.tier, "scope": lock.scope, "reason": lock.reason}
                await self._audit(connection, AuditName.PIN_LOCKED, credentials, now, lockout.whom, detail)

        await self._journal.write(write)
        for lock in locks:
            self._metrics.lock(credentials.tier, lock.scope, lock.reason)

    @staticmethod
    async def _person(connection: AsyncConnection, credentials: Credentials) -> str | None:
        found = await users.by_number(connection, credentials.company_id, credentials.personnel_number)
        return None if found is None else found[0].id

    async def _audit(
        self,
        connection: AsyncConnection,
        name: AuditName,
        credentials: Credentials,
        now: float,
        subject: str | None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        actor = f"device:{credentials.device_id}" if credentials.device_id else "phone"
        await audit.append(
            connection,
            event(
                name,
                id=self._new_id(),
                at=now,
                company_id=credentials.company_id,
                actor=actor,
                subject=subject,
                detail=_poster(credentials) | dict(detail or {"tier": credentials.tier}),
                request_id=credentials.request_id,
            ),
        )


def _poster(credentials: Credentials) -> dict[str, object]:
    """By which poster a phone came: what its stamps name, too."""
    return {} if credentials.link_version is None else {"link_version": credentials.link_version}
