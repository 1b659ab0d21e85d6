"""Who is locked out, and letting them in again before their time.

Clearing is a row in SQL and a trust change in the same transaction; the gateways forget the counters in Redis when they
read it. The yearly rows stay: unlocking gives a full new set of tries, not a new year. The counters of e-mail logins
are in SQL, and forgotten in that transaction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.accounts.guard import TIER as ACCOUNT_TIER
from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from gateway.trust_feed import kinds
from storage import account_guard, audit, lockouts, trust_changes, users

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from storage.database import Database
    from storage.lockouts import Lockout
    from storage.users import User


MINUTE_SECONDS: Final = 60


def told_end(until: float | None) -> float | None:
    """The end of a lock as people are told it: the next full minute, as on the phone page and the terminal page, since
    whoever comes back at the time shown must not be too early.
    """
    return None if until is None else math.ceil(until / MINUTE_SECONDS) * MINUTE_SECONDS


@dataclass(frozen=True, slots=True)
class Locked:
    """One lock in force and the person behind its number; None for a device, a company or a number nobody has."""

    lockout: Lockout
    user: User | None

    @property
    def ends_by_itself(self) -> bool:
        """False for the yearly cap, which only a new PIN lifts."""
        return self.lockout.until is not None

    @property
    def is_pause(self) -> bool:
        """Whether it holds up people who did nothing wrong: everybody at a terminal, or on the company's phones."""
        return self.lockout.reason == "pause"


class Lockouts:
    """What may be done about locks."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId, changed: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._changed = changed

    async def list_(self, company_id: str | None = None) -> list[Locked]:
        """The locks in force, of a company or of all, newest first."""
        async with self._database.read() as connection:
            return [
                Locked(lockout, None if lockout.user_id is None else await users.get(connection, lockout.user_id))
                for lockout in await lockouts.active(connection, company_id, self._clock())
            ]

    async def clear(
        self, lockout_ids: Collection[str], *, actor: str, company_id: str | None = None, request_id: str | None = None
    ) -> list[Lockout]:
        """End these locks now. All or none: raises Problem `not-found` when one is unknown, foreign to `company_id` or
        over, and `conflict` for one that only a new PIN ends.
        """
        now = self._clock()
        async with self._database.write() as connection:
            active = {lockout.id: lockout for lockout in await lockouts.active(connection, company_id, now)}
            if not active.keys() >= set(lockout_ids):
                raise Problem("not-found", "There is no such lock, or it is over.")
            if any(active[lockout_id].until is None for lockout_id in lockout_ids):
                raise Problem(
                    "conflict", "The limit of wrong tries in a year is reached: only a new PIN ends this lock."
                )
            chosen = [active[lockout_id] for lockout_id in lockout_ids]
            cleared = await self._clear(connection, chosen, actor, now, request_id)
        self._changed()
        return cleared

    async def clear_all(self, company_id: str | None, *, actor: str, request_id: str | None = None) -> list[Lockout]:
        """End every lock in force that ends by itself; those of the yearly cap stay. Returns the ended ones."""
        now = self._clock()
        async with self._database.write() as connection:
            active = await lockouts.active(connection, company_id, now)
            ending = [lockout for lockout in active if lockout.until is not None]
            cleared = await self._clear(connection, ending, actor, now, request_id)
        self._changed()
        return cleared

    async def _clear(
        self,
        connection: AsyncConnection,
        locks: Collection[Lockout],
        actor: str,
        now: float,
        request_id: str | None,
    ) -> list[Lockout]:
        # The guards first and in order, as a sign-in takes them: two transactions must not wait for each other.
        for subject in sorted(lock.subject for lock in locks if lock.tier == ACCOUNT_TIER):
            await account_guard.clear(connection, bytes.fromhex(subject), now)
        cleared = await lockouts.clear(connection, [lock.id for lock in locks], now)
        await audit.append(
            connection,
            *(
                event(
                    AuditName.ACCOUNT_UNLOCKED if lockout.tier == ACCOUNT_TIER else AuditName.PIN_UNLOCKED,
                    id=self._new_id(),
                    at=now,
                    actor=actor,
                    company_id=lockout.company_id,
                    subject=lockout.whom,
                    detail={"tier": lockout.tier, "scope": lockout.scope, "reason": lockout.reason},
                    request_id=request_id,
                )
                for lockout in cleared
            ),
        )
        await self._forget_counters(connection, cleared, now)
        return cleared

    @staticmethod
    async def _forget_counters(connection: AsyncConnection, cleared: Sequence[Lockout], now: float) -> None:
        for lockout in cleared:
            if lockout.tier == ACCOUNT_TIER:
                continue
            counters = {
                "company_id": lockout.company_id,
                "tier": lockout.tier,
                "scope": lockout.scope,
                "subject": lockout.subject,
            }
            await trust_changes.append(connection, kinds.LOCKOUT, lockout.id, counters, now)
