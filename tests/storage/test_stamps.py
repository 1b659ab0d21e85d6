"""Stamps and presence: what a batch reads and writes, and what reads it back."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from storage import corrections, stamps, users
from storage.database import Conflict, Database, StorageUnavailable
from storage.incoming import ROWS_AT_MOST
from storage.sqlite import OneHopConnection
from storage.stamps import NewPresence, PresenceRow
from tests.storage.rows import NOW, add_company, add_user, new_id, stamp_row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.stamps import NewStamp
    from storage.users import User

NOW_MS = round(NOW * 1000)


class Word(StrEnum):
    """Callers hand over members of their own enumerations."""

    CLOCK_IN = "clock_in"
    IN = "in"


def presence_row(user: User, sequence: int, **fields: Any) -> NewPresence:
    row = NewPresence(user.id, Word.IN, sequence, "2025-10-09", True, 0, NOW_MS, 1500, NOW_MS - 1)
    return row._replace(**fields)


async def record(database: Database, *rows: NewStamp, presence: Sequence[NewPresence] = ()) -> None:
    """Write stamps in a transaction of their own."""
    async with database.write_rows() as transaction:
        read, _ = await stamps.read_batch(transaction, [(row.user_id, row.stamp_id) for row in rows])
        changed = presence or [
            NewPresence(user_id, Word.IN, 1, "2025-10-09", False, 0, NOW_MS, 0, None)
            for user_id in {row.user_id for row in rows}
        ]
        await stamps.commit_batch(transaction, rows, [since_read(row, read) for row in changed])


def since_read(row: NewPresence, read: Mapping[str, PresenceRow]) -> NewPresence:
    return row._replace(version=read[row.user_id].version) if row.user_id in read else row


async def test_a_new_person_is_out(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    async with database.read() as connection:
        row = await stamps.read_presence(connection, user.id)
        assert await stamps.read_presence(connection, new_id()) is None
    assert row == PresenceRow(user.id, company.id, "out", NOW, 0, "0001-01-01", 0.0, None, False, True, 0)


async def test_what_is_saved_is_what_is_read_next(database: Database) -> None:
    company = await add_company(database)
    people = [await add_user(database, company.id) for _ in range(3)]
    saved = [
        presence_row(people[0], 0),
        presence_row(people[1], 1),
        presence_row(people[2], 9, open_since_ms=None, clock_out_missing=False),
    ]
    await record(database, *(stamp_row(user, 1) for user in people), presence=saved)
    async with database.write() as connection:
        await users.set_active(connection, people[1].id, False)
    async with database.write_rows() as transaction:
        wanted = [people[2].id, people[0].id, people[1].id, people[0].id, new_id()]
        rows, repeats = await stamps.read_batch(transaction, [(user_id, new_id()) for user_id in wanted])
    assert repeats == {}
    assert rows == {
        one.id: PresenceRow(
            one.id, company.id, "in", NOW, sequence, "2025-10-09", 1.5, opened, missing, active, 1 if active else 2
        )
        for one, sequence, opened, missing, active in (
            (people[0], 0, NOW - 0.001, True, True),
            (people[1], 1, NOW - 0.001, True, False),  # one version on: that they were deactivated counts as well
            (people[2], 9, None, False, True),
        )
    }
    assert {type(flag) for row in rows.values() for flag in (row.active, row.clock_out_missing)} == {bool}


async def test_a_stamp_is_found_by_person_and_stamp_id(database: Database) -> None:
    company = await add_company(database)
    ada, bob = await add_user(database, company.id), await add_user(database, company.id)
    shared = new_id()
    full = stamp_row(ada, 1, stamp_id=shared, action=Word.CLOCK_IN, device_id=new_id(), link_version=7, at=NOW + 0.0004)
    await record(database, full, stamp_row(bob, 1, stamp_id=shared))
    async with database.write_rows() as transaction:
        pairs = [(ada.id, shared), (ada.id, new_id()), (ada.id, shared)]
        _, found = await stamps.read_batch(transaction, pairs)
    recorded = full._asdict()
    assert recorded.pop("at_ms") == NOW_MS
    assert found == {(ada.id, shared): stamps.Stamp(**recorded, at=NOW)}


@pytest.mark.parametrize("size", [1, 2, 63, 64, ROWS_AT_MOST])
async def test_a_batch_of_any_size_costs_two_trips_and_one_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    trips: list[object] = []
    driver, name = (OneHopConnection, "run") if database.is_sqlite else (asyncpg.Connection, "_execute")
    run = getattr(driver, name)

    async def travelling(self: object, what: object, *arguments: Any, **more: Any) -> Any:
        trips.append(what)
        return await run(self, what, *arguments, **more)

    monkeypatch.setattr(driver, name, travelling)
    before = database.commits
    await record(database, *(stamp_row(user, n + 1) for n in range(size)), presence=[presence_row(user, size)])
    assert database.commits == before + 1
    assert len(trips) == 2
    async with database.read() as connection:
        assert len(await stamps.list_(connection, company.id, limit=1000)) == size


async def test_a_batch_beyond_the_limit_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="1 to 256 rows"):
        async with database.write_rows() as transaction:
            await stamps.read_batch(transaction, [(new_id(), new_id()) for _ in range(ROWS_AT_MOST + 1)])


async def test_what_is_not_committed_is_rolled_back_and_locks_nobody(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    before = database.commits
    with pytest.raises(LookupError):
        async with database.write_rows() as transaction:
            await stamps.read_batch(transaction, [(user.id, new_id())])
            raise LookupError
    async with database.write_rows() as transaction:
        await stamps.read_batch(transaction, [(user.id, new_id())])
    assert database.commits == before
    async with database.write() as connection:  # would wait for ever
        assert await users.set_active(connection, user.id, False)


@pytest.mark.parametrize(
    ("second", "constraint"),
    [
        ({"sequence": 1}, "stamps.user_id,stamps.sequence"),
        ({"stamp_id": "same"}, "stamps.user_id,stamps.stamp_id"),
    ],
)
async def test_a_batch_with_a_conflict_leaves_nothing(
    database: Database, second: dict[str, Any], constraint: str
) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    rows = [stamp_row(user, 1, stamp_id="same"), stamp_row(user, 2)._replace(**second)]
    with pytest.raises(Conflict) as conflict:
        await record(database, *rows, presence=[presence_row(user, 2)])
    assert conflict.value.constraint == constraint
    async with database.read() as connection:
        assert await stamps.list_(connection, company.id) == []
        row = await stamps.read_presence(connection, user.id)
    assert row is not None
    assert row.sequence == 0
    await record(database, stamp_row(user, 1))


async def test_nobody_stamps_without_being_a_person(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    with pytest.raises(Conflict):
        await record(database, stamp_row(user, 1, user_id=new_id()))
    async with database.read() as connection:
        assert await stamps.list_(connection, None) == []


async def test_concurrent_transactions_of_the_same_people_lose_nothing(database: Database) -> None:
    company = await add_company(database)
    people = [await add_user(database, company.id) for _ in range(6)]
    other = Database(database._url.render_as_string(hide_password=False))

    async def stamp(turn: int) -> None:
        chosen = people[turn % 3 :] if turn % 2 else people[: 3 + turn % 3][::-1]
        for _ in range(30):  # each loses only to one that was recorded
            with suppress(Conflict):
                return await stamp_once(turn, chosen)
        raise AssertionError("lost to itself")

    async def stamp_once(turn: int, chosen: list[User]) -> None:
        async with (database if turn % 4 < 2 else other).write_rows() as transaction:
            rows, _ = await stamps.read_batch(transaction, [(user.id, new_id()) for user in chosen])
            nexts = {user: rows[user.id].sequence + 1 for user in chosen}
            await stamps.commit_batch(
                transaction,
                [stamp_row(user, n) for user, n in nexts.items()],
                [since_read(presence_row(user, n), rows) for user, n in nexts.items()],
            )

    await asyncio.gather(*(stamp(turn) for turn in range(30)))
    await other.close()
    async with database.read() as connection:
        for user in people:
            row = await stamps.read_presence(connection, user.id)
            recorded = await stamps.list_(connection, company.id, user_id=user.id, limit=1000)
            assert row is not None
            assert sorted(one.sequence for one in recorded) == list(range(1, row.sequence + 1))
        assert len(await stamps.list_(connection, company.id, limit=1000)) == sum(
            len(people[turn % 3 :] if turn % 2 else people[: 3 + turn % 3]) for turn in range(30)
        )


async def corrected(connection: AsyncConnection, user: User) -> None:
    await corrections.save_presence(
        connection,
        user.id,
        state="out",
        since=NOW,
        worked_day="2025-10-09",
        worked_seconds=1.0,
        open_since=None,
        clock_out_missing=False,
    )


async def deactivated(connection: AsyncConnection, user: User) -> None:
    assert await users.set_active(connection, user.id, False)


@pytest.mark.parametrize("kind", ["postgresql"])
@pytest.mark.parametrize("meanwhile", [corrected, deactivated])
async def test_where_nothing_is_locked_whatever_changed_since_it_was_read_stops_the_whole_batch(
    database: Database, meanwhile: Callable[[AsyncConnection, User], Awaitable[None]]
) -> None:
    company = await add_company(database)
    person, other = await add_user(database, company.id), await add_user(database, company.id)
    with pytest.raises(Conflict):
        async with database.write_rows() as transaction:
            read, _ = await stamps.read_batch(transaction, [(person.id, new_id()), (other.id, new_id())])
            async with database.write() as connection:
                await meanwhile(connection, person)
            await stamps.commit_batch(
                transaction,
                [stamp_row(person, 1), stamp_row(other, 1)],
                [since_read(presence_row(user, 1), read) for user in (person, other)],
            )
    async with database.read() as connection:
        assert await stamps.list_(connection, company.id) == []
        for user in (person, other):
            row = await stamps.read_presence(connection, user.id)
            assert row is not None
            assert (row.state, row.sequence) == ("out", 0)


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_a_correction_that_is_being_made_is_waited_for(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    async with database.write() as connection:
        await corrected(connection, user)
        recording = asyncio.ensure_future(record(database, stamp_row(user, 1)))
        done, _ = await asyncio.wait([recording], timeout=0.2)
        assert not done
    with pytest.raises(Conflict):
        await recording


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_who_is_deactivated_while_a_stamp_waits_stamps_no_more(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    async with database.write() as connection:
        assert await users.set_active(connection, user.id, False)
        recording = asyncio.ensure_future(record(database, stamp_row(user, 1)))
        done, _ = await asyncio.wait([recording], timeout=0.2)
        assert not done
    with pytest.raises(Conflict):
        await recording
    async with database.read() as connection:
        assert await stamps.list_(connection, company.id) == []


async def test_what_was_judged_before_somebody_was_deactivated_is_not_written_after_they_are_back(
    database: Database,
) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    async with database.read() as connection:
        before = await stamps.read_presence(connection, user.id)
    assert before is not None
    for active in (False, True):
        async with database.write() as connection:
            assert await users.set_active(connection, user.id, active)
            assert not await users.set_active(connection, user.id, active)
    with pytest.raises(Conflict):
        async with database.write_rows() as transaction:
            changed = presence_row(user, 1, version=before.version)
            await stamps.commit_batch(transaction, [stamp_row(user, 1)], [changed])
    async with database.read() as connection:
        assert await stamps.list_(connection, company.id) == []


async def test_a_connection_that_broke_is_replaced(database: Database) -> None:
    company = await add_company(database)
    user = await add_user(database, company.id)
    await record(database, stamp_row(user, 1))
    driver = database._rows_writer._driver
    await driver.close()
    if database.is_sqlite:  # PostgreSQL's says by itself that it is closed
        with pytest.raises(StorageUnavailable):
            await record(database, stamp_row(user, 2))
    await record(database, stamp_row(user, 2))
    async with database.read() as connection:
        assert len(await stamps.list_(connection, company.id)) == 2


@pytest.mark.parametrize("kind", ["postgresql"])
async def test_a_server_that_has_become_a_standby_is_left(database: Database) -> None:
    """Its connection still works: only another one can find the server that took its place."""
    company = await add_company(database)
    user = await add_user(database, company.id)
    await record(database, stamp_row(user, 1))
    number = database.rows_connection_number
    await database._rows_writer._driver.execute("SET default_transaction_read_only = on")
    with pytest.raises(StorageUnavailable):
        await record(database, stamp_row(user, 2))
    await record(database, stamp_row(user, 2))
    assert database.rows_connection_number == number + 1


async def test_reading_back_a_stretch_of_time(database: Database) -> None:
    company, other = await add_company(database), await add_company(database)
    ada, bob, eve = [await add_user(database, owner.id) for owner in (company, company, other)]
    rows = [stamp_row(ada, n + 1, at=NOW + n, action="clock_in" if n % 2 == 0 else "clock_out") for n in range(6)]
    await record(database, *rows, stamp_row(bob, 1, at=NOW + 3), stamp_row(eve, 1, at=NOW + 9))

    def sequences(found: list[stamps.Stamp]) -> list[int]:
        return [stamp.sequence for stamp in found]

    async with database.read() as connection:
        assert sequences(await stamps.stamps_since(connection, ada.id, NOW + 3, "clock_in")) == [3, 4, 5, 6]
        assert sequences(await stamps.stamps_since(connection, ada.id, NOW + 2, "clock_in")) == [1, 2, 3, 4, 5, 6]
        assert sequences(await stamps.stamps_since(connection, ada.id, NOW - 1, "clock_in")) == [1, 2, 3, 4, 5, 6]
        assert await stamps.stamps_since(connection, new_id(), NOW, "clock_in") == []
        assert len(await stamps.list_(connection, company.id)) == 7
        assert len(await stamps.list_(connection, None)) == 8
        found = await stamps.list_(connection, company.id, user_id=ada.id, start=NOW + 2, end=NOW + 4)
        assert sequences(found) == [4, 3]
        pages: list[stamps.Stamp] = []
        while page := await stamps.list_(connection, company.id, after=pages[-1] if pages else None, limit=2):
            pages += page
        assert pages == await stamps.list_(connection, company.id)
        assert [stamp.at for stamp in pages] == sorted((stamp.at for stamp in pages), reverse=True)


@pytest.mark.parametrize("count", [63, 64, 65, 128, 200])
async def test_walking_back_over_many_stamps_misses_none(database: Database, count: int) -> None:
    company = await add_company(database)
    ada = await add_user(database, company.id)
    await record(database, *(stamp_row(ada, n + 1, at=NOW + n, action="break_start") for n in range(count)))
    async with database.read() as connection:
        found = await stamps.stamps_since(connection, ada.id, NOW + 1, "clock_in")
    assert [stamp.sequence for stamp in found] == list(range(1, count + 1))


async def test_presence_of_many_at_once(database: Database) -> None:
    async with database.write() as connection:
        await stamps.add_presences(connection, [])
