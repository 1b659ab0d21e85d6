"""Corrections: what HR says instead of, or besides, what was stamped.

A correction is a row of its own; the stamp it replaces stays and is shown beside it. From then on the days, the time
worked and the presence follow what counts: the stamps and corrections that nothing replaces, in the order of their
times. One correction is never refused because it contradicts another one: a stretch is mended stamp by stamp, and may
make no sense in between. To take a clock-in back, replace it by a clock-out at the same time: nothing lies between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.audit_events import AuditName, event
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from gateway.stamping.actions import Action, Presence, State
from gateway.stamping.batch import presence_of
from gateway.stamping.days import StampedAction, follow
from gateway.stamping.local_day import local_day, zone_named
from storage import audit, companies, corrections, stamp_history, users
from storage.corrections import Correction
from storage.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from zoneinfo import ZoneInfo

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId
    from storage.database import Database
    from storage.stamp_history import ListedStamp
    from storage.stamps import PresenceRow, Stamp

OLDEST_SECONDS: Final = 10 * 366 * 86_400.0
"""How far back a correction may reach: longer than records of working time are kept, so that more is a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be true: somebody did `action` at `at` (Unix seconds), instead of `replaces` if that is given."""

    user_id: str
    action: Action
    at: float
    reason: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """A correction, and what it stands in place of."""

    stamp: ListedStamp
    original: ListedStamp | None


class Corrections:
    """Makes corrections. Nobody stamps for a person while one is made for them."""

    def __init__(self, *, database: Database, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    async def correct(self, company_id: str, wish: Wish, *, made_by: str, request_id: str | None = None) -> Corrected:
        """Make a correction, with the presence that follows from it; `made_by` is a person's id.

        Raises Problem `not-found` for a person not of this company, `bad-request` with every fault, and `conflict` for
        what is corrected already or said already.
        """
        now = round(self._clock(), 3)
        try:
            async with self._database.write() as connection:
                row = await self._person(connection, company_id, wish.user_id)
                await _check(connection, wish, now)
                correction = Correction(
                    id=self._new_id(),
                    company_id=company_id,
                    user_id=wish.user_id,
                    action=wish.action.value,
                    at=round(wish.at, 3),
                    reason=wish.reason,
                    made_by=made_by,
                    made_at=now,
                    replaces=wish.replaces,
                    request_id=request_id,
                )
                await corrections.add(connection, correction)
                await self._follow(connection, row, now)
                await self._record(connection, correction)
                stamp = await stamp_history.get(connection, correction.id)
                original = None if wish.replaces is None else await stamp_history.get(connection, wish.replaces)
        except Conflict:
            raise _corrected_already() from None
        if stamp is None:
            raise AssertionError("what was just written is there")
        return Corrected(stamp, original)

    async def _person(self, connection: AsyncConnection, company_id: str, user_id: str) -> PresenceRow:
        user = await users.get(connection, user_id)
        row = await corrections.lock_presence(connection, user_id)
        if user is None or row is None or user.company_id != company_id:
            raise Problem("not-found", "There is no such person.")
        return row

    async def _follow(self, connection: AsyncConnection, row: PresenceRow, now: float) -> None:
        company = await companies.get(connection, row.company_id)
        if company is None:
            raise AssertionError("companies are never deleted")
        zone = zone_named(company.timezone)
        _, midnight = local_day(now, zone)
        counting = await corrections.in_effect_since(connection, row.user_id, midnight, Action.CLOCK_IN)
        if counting and counting[0].at < midnight:
            # One stretch further back: whether its clock-out was forgotten is told to the person until the next one.
            counting = await corrections.in_effect_since(connection, row.user_id, counting[0].at, Action.CLOCK_IN)
        presence = presence_after(presence_of(row), stamped_actions(counting), now, zone)
        await corrections.save_presence(
            connection,
            row.user_id,
            state=presence.state.value,
            since=presence.since,
            worked_day=presence.worked_day,
            worked_seconds=presence.worked_seconds,
            open_since=presence.open_since,
            clock_out_missing=presence.clock_out_missing,
        )

    async def _record(self, connection: AsyncConnection, correction: Correction) -> None:
        replaced = {} if correction.replaces is None else {"replaces": correction.replaces}
        await audit.append(
            connection,
            event(
                AuditName.STAMP_CORRECTED,
                id=self._new_id(),
                at=correction.made_at,
                actor=f"user:{correction.made_by}",
                company_id=correction.company_id,
                subject=f"user:{correction.user_id}",
                detail={"correction": correction.id, "action": correction.action, **replaced},
                request_id=correction.request_id,
            ),
        )


def presence_after(before: Presence, stamps: Iterable[StampedAction], now: float, zone: ZoneInfo) -> Presence:
    """Return what is true at `now` after ordered `stamps`, which reach back to the stretch open at last midnight.

    It is what `actions.apply` makes of the same stamps one by one. `before` gives the sequence, and since when somebody
    is out who has no stamps.
    """
    line = follow(stamps)
    day, midnight = local_day(now, zone)
    worked = sum(max(0.0, span.end - max(span.start, midnight)) for span in line.closed if span.state is State.IN)
    return Presence(
        state=line.state,
        since=before.since if line.since is None else line.since,
        sequence=before.sequence,
        open_since=line.open_since,
        worked_day=day,
        worked_seconds=worked,
        clock_out_missing=line.clock_out_missing,
    )


def stamped_actions(rows: Iterable[Stamp | Correction]) -> list[StampedAction]:
    """Return stored stamps and corrections as values of this domain."""
    return [StampedAction(Action(row.action), row.at, row.tier) for row in rows]


async def _check(connection: AsyncConnection, wish: Wish, now: float) -> None:
    """Refuse what cannot have been. Raises Problem `bad-request` and `conflict`."""
    faults = []
    if wish.at > now:
        faults.append(FieldError("at", "must not be in the future"))
    elif wish.at < now - OLDEST_SECONDS:
        faults.append(FieldError("at", "must not be ten years ago or more"))
    if wish.replaces is not None and not await corrections.is_replaceable(connection, wish.user_id, wish.replaces):
        faults.append(FieldError("replaces", "is no stamp of this person"))
    if faults:
        raise Problem("bad-request", errors=faults)
    if wish.replaces is not None and await corrections.is_replaced(connection, wish.replaces):
        raise _corrected_already()
    if wish.replaces is None and await corrections.is_said(connection, wish.user_id, wish.action.value, wish.at):
        raise Problem("conflict", "Exactly this is there already.")


def _corrected_already() -> Problem:
    return Problem("conflict", "This is corrected already: correct the correction.")
