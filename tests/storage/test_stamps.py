"""Stamps and presence: the four statements of a batch, and what reads them back."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from storage import stamps, users
from storage.database import Conflict
from storage.incoming import ROWS_AT_MOST
from storage.stamps import PresenceRow
from tests.storage.rows import NOW, add_company, add_user, new_id, stamp_row

if TYPE_CHECKING:
    from storage.database import Database
    from storage.users import User


class Word(StrEnum):
    """Callers hand over members of their own enumerations."""

    CLOCK_IN = "clock_in"
    IN = "in"


def presence_row(user: User, sequence: int, **fields: Any) -> dict[str, Any]:
    return {
        "user_id": user.id,
        "company_id": user.company_id,
        "state": Word.IN,
        "since": NOW,
        "sequence": sequence,
        "worked_day": "2025-10-09",
        "worked_seconds": 1.5,
        "open_since": NOW - 0.001,
        "clock_out_missing": True,
        **fields,
    }


async def test_a_new_person_is_out(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    async with database.read() as connection:
        row = await stamps.read_presence(connection, user.id)
        assert await stamps.read_presence(connection, new_id()) is None
    assert row == PresenceRow(user.id, company.id, "out", NOW, 0, "0001-01-01", 0.0, None, False, True)


async def test_what_is_saved_is_what_is_locked_next(database: Database) -> None:
    company = await add_company(database)
    people = [await add_user(database, company.id) for _ in range(3)]
    async with database.write() as connection:
        await users.set_active(connection, people[1].id, False)
        await stamps.save_presence(connection, [presence_row(user, n) for n, user in enumerate(people)])
        await stamps.save_presence(connection, [presence_row(people[2], 9, open_since=None, clock_out_missing=False)])
    async with database.write() as connection:
        wanted = [people[2].id, people[0].id, people[1].id, people[0].id, new_id()]
        rows = await stamps.lock_presence(connection, wanted)
    assert rows == {
        people[0].id: PresenceRow(people[0].id, company.id, "in", NOW, 0, "2025-10-09", 1.5, NOW - 0.001, True, True),
        people[1].id: PresenceRow(people[1].id, company.id, "in", NOW, 1, "2025-10-09", 1.5, NOW - 0.001, True, False),
        people[2].id: PresenceRow(people[2].id, company.id, "in", NOW, 9, "2025-10-09", 1.5, None, False, True),
    }
    assert list(rows) == sorted(rows)
    assert {type(flag) for row in rows.values() for flag in (row.active, row.clock_out_missing)} == {bool}


async def test_a_stamp_is_found_by_person_and_stamp_id(database: Database) -> None:
    company = await add_company(database)
    ada, bob = await add_user(database, company.id), await add_user(database, company.id)
    shared = new_id()
    full = stamp_row(ada, 1, stamp_id=shared, action=Word.CLOCK_IN, device_id=new_id(), link_version=7, at=NOW + 0.0004)
    async with database.write() as connection:
        await stamps.insert_stamps(connection, [full, stamp_row(bob, 1, stamp_id=shared)])
        found = await stamps.find_repeats(connection, [(ada.id, shared), (ada.id, new_id()), (ada.id, shared)])
    assert found == {(ada.id, shared): stamps.Stamp(**{**full, "at": NOW})}


@pytest.mark.parametrize("size", [1, 2, 63, 64, ROWS_AT_MOST])
async def test_a_batch_of_any_size_costs_four_statements(database: Database, size: int) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    sent: list[str] = []
    event.listen(
        database._writers.sync_engine,  # counting what really goes out
        "before_cursor_execute",
        lambda connection, cursor, statement, *rest: sent.append(statement),
    )
    async with database.write() as connection:
        await stamps.lock_presence(connection, [user.id] * size)
        await stamps.find_repeats(connection, [(user.id, new_id()) for _ in range(size)])
        await stamps.insert_stamps(connection, [stamp_row(user, n + 1) for n in range(size)])
        await stamps.save_presence(connection, [presence_row(user, size)])
    assert len([statement for statement in sent if not statement.startswith("BEGIN")]) == 4
    async with database.read() as connection:
        assert len(await stamps.list_(connection, company.id, limit=1000)) == size


async def test_a_batch_beyond_the_limit_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="1 to 256 rows"):
        async with database.write() as connection:
            await stamps.lock_presence(connection, [new_id() for _ in range(ROWS_AT_MOST + 1)])


@pytest.mark.parametrize(
    ("second", "constraint"),
    [
        ({"sequence": 1}, "stamps.user_id,stamps.sequence"),
        ({"stamp_id": "same"}, "stamps.stamp_id,stamps.user_id"),
    ],
)
async def test_a_batch_with_a_conflict_leaves_nothing(
    database: Database, second: dict[str, Any], constraint: str
) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    with pytest.raises(Conflict) as conflict:
        async with database.write() as connection:
            await users.set_active(connection, user.id, False)
            rows = [stamp_row(user, 1, stamp_id="same"), {**stamp_row(user, 2), **second}]
            await stamps.insert_stamps(connection, rows)
    assert conflict.value.constraint == constraint
    async with database.write() as connection:
        assert await stamps.list_(connection, company.id) == []
        assert (await stamps.lock_presence(connection, [user.id]))[user.id].active
        await stamps.insert_stamps(connection, [stamp_row(user, 1)])


async def test_nobody_stamps_without_being_a_person(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    with pytest.raises(Conflict):
        async with database.write() as connection:
            await stamps.insert_stamps(connection, [stamp_row(user, 1, user_id=new_id())])
    async with database.read() as connection:
        assert await stamps.list_(connection, None) == []


async def test_concurrent_transactions_of_the_same_people_wait_and_lose_nothing(database: Database) -> None:
    company = await add_company(database)
    people = [await add_user(database, company.id) for _ in range(6)]

    async def stamp(turn: int) -> None:
        chosen = people[turn % 3 :] if turn % 2 else people[: 3 + turn % 3][::-1]
        async with database.write() as connection:
            rows = await stamps.lock_presence(connection, [user.id for user in chosen])
            nexts = {user: rows[user.id].sequence + 1 for user in chosen}
            await stamps.insert_stamps(connection, [stamp_row(user, n) for user, n in nexts.items()])
            await stamps.save_presence(connection, [presence_row(user, n) for user, n in nexts.items()])

    await asyncio.gather(*(stamp(turn) for turn in range(30)))
    async with database.read() as connection:
        for user in people:
            row = await stamps.read_presence(connection, user.id)
            recorded = await stamps.list_(connection, company.id, user_id=user.id, limit=1000)
            assert row is not None
            assert sorted(one.sequence for one in recorded) == list(range(1, row.sequence + 1))


async def test_reading_back_a_stretch_of_time(database: Database) -> None:
    company, other = await add_company(database), await add_company(database)
    ada, bob, eve = [await add_user(database, owner.id) for owner in (company, company, other)]
    rows = [stamp_row(ada, n + 1, at=NOW + n, action="clock_in" if n % 2 == 0 else "clock_out") for n in range(6)]
    async with database.write() as connection:
        await stamps.insert_stamps(connection, [*rows, stamp_row(bob, 1, at=NOW + 3), stamp_row(eve, 1, at=NOW + 9)])

    def sequences(found: list[stamps.Stamp]) -> list[int]:
        return [stamp.sequence for stamp in found]

    async with database.read() as connection:
        assert sequences(await stamps.stamps_between(connection, ada.id, NOW + 1, NOW + 4)) == [2, 3, 4]
        latest = await stamps.last_before(connection, ada.id, NOW + 4)
        clock_in = await stamps.last_before(connection, ada.id, NOW + 4, "clock_in")
        assert latest is not None
        assert latest.sequence == 4
        assert clock_in is not None
        assert clock_in.sequence == 3
        assert await stamps.last_before(connection, ada.id, NOW) is None
        assert len(await stamps.list_(connection, company.id)) == 7
        assert len(await stamps.list_(connection, None)) == 8
        assert sequences(await stamps.list_(connection, company.id, user_id=ada.id, start=NOW + 2, end=NOW + 4)) == [
            4,
            3,
        ]
        pages: list[stamps.Stamp] = []
        while page := await stamps.list_(connection, company.id, after=pages[-1] if pages else None, limit=2):
            pages += page
        assert pages == await stamps.list_(connection, company.id)
        assert [stamp.at for stamp in pages] == sorted((stamp.at for stamp in pages), reverse=True)


async def test_presence_of_many_at_once(database: Database) -> None:
    async with database.write() as connection:
        await stamps.add_presences(connection, [], NOW)
