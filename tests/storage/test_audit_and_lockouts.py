"""Audit events, wrong tries of the last year, and locks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from storage import audit, lockouts
from tests.storage.rows import NOW, new_id

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database

ADA, BOB = b"a" * 32, b"b" * 32


async def test_events_are_listed_newest_first_and_by_what_is_asked(database: Database) -> None:
    company = new_id()
    events = [
        audit.AuditEvent(
            id=new_id(),
            at=NOW + n,
            name="pin.set" if n % 2 else "kiosk.login",
            actor="cli",
            company_id=company if n < 4 else None,
            subject=f"user:{new_id()}",
            detail={"n": n, "text": "Ä", "nested": [1, None]},
            request_id=new_id() if n else None,
        )
        for n in range(6)
    ]
    async with database.write() as connection:
        await audit.append(connection)
        await audit.append(connection, *events)
    newest = events[::-1]
    async with database.read() as connection:
        assert await audit.list_(connection, None) == newest
        assert await audit.list_(connection, company) == newest[2:]
        assert await audit.list_(connection, company, name="pin.set") == [events[3], events[1]]
        assert await audit.list_(connection, None, cursor=events[2].id, limit=1) == [events[1]]


async def test_wrong_tries_are_counted_in_a_window_forgotten_and_purged(database: Database) -> None:
    async with database.write() as connection:
        for n in range(4):
            await lockouts.record_failure(connection, ADA, NOW + n)
        await lockouts.record_failures(connection, [ADA, BOB], NOW + 9)
        await lockouts.record_failures(connection, [], NOW)
        assert await lockouts.count_failures(connection, ADA, NOW + 2) == 3
        assert await lockouts.count_failures(connection, b"?" * 32, NOW) == 0
        assert await lockouts.count_failures_of(connection, [ADA, BOB, b"?" * 32], NOW) == {
            ADA: 5,
            BOB: 1,
            b"?" * 32: 0,
        }
        assert await lockouts.purge(connection, NOW + 2) == 2
        assert await lockouts.forget_failures(connection, [ADA, b"?" * 32]) == 3
        assert await lockouts.count_failures_of(connection, [ADA, BOB], NOW) == {ADA: 0, BOB: 1}


async def test_locks_are_in_force_until_they_end_or_are_cleared(database: Database) -> None:
    company, other = new_id(), new_id()
    timed, forever, over, elsewhere = [
        lockouts.Lockout(
            id=new_id(),
            company_id=owner,
            tier="kiosk",
            scope="number",
            subject=subject,
            user_id=user,
            reason="consecutive",
            since=NOW + since,
            until=until,
        )
        for since, (owner, subject, user, until) in enumerate(
            [
                (company, "aa", new_id(), NOW + 60),
                (company, "bb", None, None),
                (company, "cc", None, NOW + 5),
                (other, "aa", None, None),
            ]
        )
    ]
    async with database.write() as connection:
        for lock in (timed, forever, over, elsewhere):
            await lockouts.add_lock(connection, lock)
        assert await lockouts.get(connection, timed.id) == timed
        assert await lockouts.get(connection, new_id()) is None
        assert await lockouts.active(connection, company, NOW + 5) == [forever, timed]
        assert await lockouts.active(connection, None, NOW + 60) == [elsewhere, forever]
        assert await lockouts.uncleared(connection, ["aa", "cc"]) == [elsewhere, over, timed]
        cleared = await lockouts.clear(connection, [timed.id, forever.id, new_id()], NOW + 10)
        assert sorted(cleared, key=lambda lock: lock.since) == [
            replace(timed, cleared_at=NOW + 10),
            replace(forever, cleared_at=NOW + 10),
        ]
        assert await lockouts.clear(connection, [timed.id], NOW + 11) == []
        assert await lockouts.active(connection, company, NOW) == [over]


async def test_how_a_number_stands_is_told_by_its_locks_and_those_of_its_place(database: Database) -> None:
    company, number = new_id(), b"\xaa" * 32

    async def lock(connection: AsyncConnection, subject: str, until: float | None, **values: Any) -> str:
        given: dict[str, Any] = {"tier": "phone", "scope": "number", "reason": "daily"} | values
        one = lockouts.Lockout(id=new_id(), company_id=company, subject=subject, since=NOW, until=until, **given)
        await lockouts.add_lock(connection, one)
        return one.id

    async with database.write() as connection:

        async def now(at: float) -> lockouts.Standing:
            return await lockouts.standing(connection, "phone", company, number, [company], at, at - 100)

        assert await now(NOW) == lockouts.Standing()
        own = await lock(connection, number.hex(), NOW + 30)
        pause = await lock(connection, company, NOW + 20, scope="company")
        await lock(connection, number.hex(), NOW + 90, tier="kiosk")
        await lock(connection, "bb" * 32, None)
        assert await now(NOW) == lockouts.Standing(until=NOW + 30)
        assert await now(NOW + 30) == lockouts.Standing()
        assert await lockouts.clear(connection, [own], NOW + 1)
        assert await now(NOW + 2) == lockouts.Standing(until=NOW + 20, cleared_at=NOW + 1)
        assert await lockouts.clear(connection, [pause], NOW + 3)
        assert await now(NOW + 4) == lockouts.Standing(cleared_at=NOW + 1), "an unlocked place wipes no number's tries"
        assert await now(NOW + 101) == lockouts.Standing()
        await lock(connection, number.hex(), None, reason="yearly")
        assert (await now(NOW + 4)).is_disabled


async def test_wrong_tries_are_counted_since_several_moments_at_once(database: Database) -> None:
    async with database.write() as connection:
        for ago in (300, 200, 100):
            await lockouts.record_failure(connection, ADA, NOW - ago)
        await lockouts.record_failure(connection, BOB, NOW - 250)
        moments = (NOW - 300, NOW - 200, NOW - 199.999, NOW)
        counted = await lockouts.count_failures_since(connection, [ADA, BOB, b"c" * 32], moments)
        assert counted == {ADA: [3, 2, 1, 0], BOB: [1, 0, 0, 0], b"c" * 32: [0, 0, 0, 0]}
        assert [await lockouts.latest_failure(connection, ADA, at) for at in (0, 2, 3)] == [NOW - 100, NOW - 300, None]
