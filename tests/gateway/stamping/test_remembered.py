"""What a gateway remembers of people saves it a look at the database and never decides anything alone."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from gateway.clock import new_id
from gateway.http.problems import Problem
from gateway.stamping.actions import Action, State
from gateway.stamping.records import Recorded, StampRequest
from gateway.stamping.remembered import RememberedPresence
from gateway.stamping.service import Stamping
from storage import corrections, stamps
from storage.stamps import PresenceRow
from tests.gateway.emptied import emptied
from tests.gateway.stamping.replay import replay
from tests.servers.databases import KINDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.gateway.house import House, Person

IN, OUT, PAUSE, BACK = Action.CLOCK_IN, Action.CLOCK_OUT, Action.BREAK_START, Action.BREAK_END


both = pytest.mark.parametrize("shared_both", KINDS, indirect=True)
"""For what the database decides: its transactions, and what comes of a new connection."""


@pytest.fixture
def shared_both(request: pytest.FixtureRequest) -> House:
    kind = getattr(request, "param", "sqlite")
    shared: House = request.getfixturevalue("shared_house" if kind == "sqlite" else "house_on_postgresql")
    return shared


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared_both: House) -> House:
    return await emptied(shared_both)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many people each look at the database was for."""
    looked: list[int] = []
    read_batch = stamps.read_batch

    async def counted(transaction: Any, pairs: Any) -> Any:
        looked.append(len(pairs))
        return await read_batch(transaction, pairs)

    monkeypatch.setattr(stamps, "read_batch", counted)
    return looked


def stamping_of(house: House) -> Stamping:
    return house.gateway.stamping


def elsewhere(house: House) -> Stamping:
    """Another gateway's, over the same database."""
    here = house.gateway.stamping
    return Stamping(database=here._database, companies=here._companies, clock=house.clock, new_id=new_id)


async def act(stamping: Stamping, house: House, person: Person, action: Action, stamp_id: str | None = None) -> Any:
    """The outcome of one stamp: what was recorded, or the problem."""
    wanted = StampRequest(person.id, house.company_id, stamp_id or str(uuid.uuid4()), action, "kiosk", new_id())
    try:
        return await stamping.record(wanted)
    except Problem as problem:
        return problem


async def test_who_has_just_signed_in_is_not_read_again_to_stamp(house: House, reads: list[int]) -> None:
    person, phone = await house.person("0101"), house.phone()
    terminal = await house.terminal()
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    assert (await terminal.act("clock_in")).status == 201
    assert (await phone.sign_in("0101", person.pin)).status == 200
    assert (await phone.act("clock_out")).status == 201
    assert reads == []
    assert [row.action for row in await house.stamps()] == ["clock_in", "clock_out"]


async def test_only_who_is_not_known_is_read(house: House, reads: list[int]) -> None:
    people = [await house.person(f"{at:04}") for at in range(5)]
    here = stamping_of(house)
    for person in people[:2]:
        await here.status(person.id, house.company_id)
    await asyncio.gather(*(act(here, house, person, IN) for person in people))
    assert reads == [3]
    await asyncio.gather(*(act(here, house, person, OUT) for person in people))
    assert reads == [3]
    assert len(await house.stamps()) == 10


@both
async def test_nothing_is_remembered_over_a_new_connection(house: House, reads: list[int]) -> None:
    """Behind it may be a server that lacks the latest changes and will count the same versions anew."""
    one, other = await house.person("0101"), await house.person("0102")
    here = stamping_of(house)
    assert isinstance(await act(here, house, one, IN), Recorded)
    await here.status(other.id, house.company_id)
    assert reads == [1]
    async with here._database.write() as connection:  # as if another history led to the same version
        await connection.execute(update(stamps.presence).values(state="out", open_since=None, version=1))
    await here._database._rows_writer.close()
    assert (await act(here, house, one, OUT)).name == "action-not-valid"
    assert isinstance(await act(here, house, one, IN), Recorded)
    assert isinstance(await act(here, house, other, IN), Recorded)
    assert len(reads) == 4
    assert isinstance(await act(here, house, one, OUT), Recorded)
    assert len(reads) == 4


async def replaced_server(house: House, version: int) -> None:
    """Another history leads to the same version: everybody is in. The writer has to connect anew."""
    database = house.gateway.administration.database
    async with database.write() as connection:
        changed = update(stamps.presence).values(state="in", since=5, open_since=house.clock(), version=version)
        await connection.execute(changed)
    await database._rows_writer.close()


@both
async def test_nothing_is_remembered_from_before_the_first_stamp_over_another_connection(house: House) -> None:
    person = await house.person("0101")
    here = stamping_of(house)
    await here.status(person.id, house.company_id)
    await replaced_server(house, version=0)
    assert (await act(here, house, person, IN)).name == "action-not-valid"


@both
async def test_what_was_asked_before_a_new_connection_and_answered_after_it_is_not_remembered(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, other = await house.person("0101"), await house.person("0102")
    here, database = stamping_of(house), house.gateway.administration.database
    read, has_read, may_end = database.read, asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slow() -> AsyncIterator[Any]:
        async with read() as connection:
            yield connection
        has_read.set()
        await may_end.wait()

    monkeypatch.setattr(database, "read", slow)
    status = asyncio.create_task(here.status(late.id, house.company_id))
    await has_read.wait()
    await replaced_server(house, version=0)
    assert isinstance(await act(here, house, other, OUT), Recorded)
    may_end.set()
    await status
    assert (await act(here, house, late, IN)).name == "action-not-valid"


async def corrected(house: House, person: Person) -> None:
    """Seen to be in since an hour ago."""
    async with house.gateway.administration.database.write() as connection:
        await corrections.save_presence(
            connection,
            person.id,
            state="in",
            since=house.clock() - 3600,
            worked_day="2025-10-09",
            worked_seconds=0.0,
            open_since=house.clock() - 3600,
            clock_out_missing=False,
        )


async def stamped(house: House, person: Person) -> None:
    assert isinstance(await act(elsewhere(house), house, person, IN), Recorded)


@both
@pytest.mark.parametrize("change", [corrected, stamped])
async def test_what_somebody_else_changed_counts(
    house: House, change: Callable[[House, Person], Awaitable[None]]
) -> None:
    here = stamping_of(house)
    one, other = await house.person("0101"), await house.person("0102")
    for person in (one, other):
        assert (await here.status(person.id, house.company_id)).state is State.OUT
        await change(house, person)
    refused = await act(here, house, one, IN)
    assert (refused.name, refused.members["current_status"].state) == ("action-not-valid", State.IN)
    recorded = await act(here, house, other, OUT)
    assert recorded.status.state is State.OUT


async def test_who_was_deactivated_meanwhile_stamps_no_more(house: House) -> None:
    person, here = await house.person("0101"), stamping_of(house)
    await here.status(person.id, house.company_id)
    await house.gateway.administration.people.set_active(person.id, False, actor="cli")
    assert (await act(here, house, person, IN)).name == "session-expired"
    assert await house.stamps() == []


@both
async def test_one_of_whom_old_things_are_remembered_costs_the_others_one_look(house: House, reads: list[int]) -> None:
    people = [await house.person(f"{at:04}") for at in range(5)]
    here = stamping_of(house)
    for person in people:
        await here.status(person.id, house.company_id)
    await stamped(house, people[3])
    commits = house.gateway.administration.database.commits
    reads.clear()
    outcomes = await asyncio.gather(*(act(here, house, person, IN) for person in people))
    assert [type(one).__name__ for one in outcomes] == ["Recorded"] * 3 + ["Problem"] + ["Recorded"]
    assert reads == [5]
    assert house.gateway.administration.database.commits - commits == 1


async def test_a_stamp_whose_answer_was_lost_is_answered_again_whatever_happened_since(house: House) -> None:
    person, here, lost = await house.person("0101"), stamping_of(house), str(uuid.uuid4())
    first = await act(here, house, person, IN, lost)
    assert (await act(here, house, person, IN, lost)).repeated
    await act(here, house, person, OUT)
    again = await act(here, house, person, IN, lost)  # which would be valid, were it a new one
    assert (again.repeated, again.stamp, again.status.state) == (True, first.stamp, State.OUT)
    assert (await act(here, house, person, OUT, lost)).name == "stamp-id-reused"
    assert len(await house.stamps()) == 2


@both
async def test_two_gateways_that_remember_other_things_of_everybody_lose_and_double_nothing(house: House) -> None:
    chance, gateways = random.Random(2026), [stamping_of(house), elsewhere(house)]
    people = [await house.person(f"{at:04}") for at in range(6)]
    recorded = 0
    for _ in range(30):
        wishes = [
            act(chance.choice(gateways), house, person, chance.choice(list(Action)))
            for person in chance.sample(people, 4)
        ]
        outcomes = await asyncio.gather(
            *wishes, *(act(chance.choice(gateways), house, people[0], IN) for _ in range(2))
        )
        assert {one.name for one in outcomes if isinstance(one, Problem)} <= {"action-not-valid"}
        recorded += sum(isinstance(one, Recorded) for one in outcomes)
    rows = await house.stamps()
    assert len(rows) == recorded > 30
    for person in people:
        own = [row for row in rows if row.user_id == person.id]
        assert [row.sequence for row in own] == list(range(1, len(own) + 1))
        replay(own)


def row(user_id: str, version: int) -> PresenceRow:
    return PresenceRow(user_id, new_id(), "out", 0.0, version, "2026-03-03", 0.0, None, False, True, version)


def test_the_latest_version_is_remembered_in_whatever_order_they_come() -> None:
    remembered = RememberedPresence()
    for version in (1, 3, 2):
        remembered.keep([row("ada", version)], 1)
    assert {user_id: one.version for user_id, one in remembered.of(["ada", "bob"]).items()} == {"ada": 3}
    restored = row("ada", 3)._replace(state="in")
    remembered.keep([restored], 1)
    assert remembered.of(["ada"]) == {"ada": restored}
    remembered.forget(["ada", "bob"])
    assert remembered.of(["ada"]) == {}


def test_who_was_not_seen_for_the_longest_time_is_forgotten_first() -> None:
    remembered = RememberedPresence(people_at_most=3)
    for name in ("ada", "bob", "cat", "ada", "dan"):
        remembered.keep([row(name, 1)], 1)
    assert remembered.of(["ada", "bob", "cat", "dan"]).keys() == {"ada", "cat", "dan"}


def test_what_was_seen_over_an_earlier_connection_is_neither_kept_nor_remembered() -> None:
    remembered = RememberedPresence()
    remembered.keep([row("ada", 7)], 1)
    assert not remembered.forget_before(1)
    remembered.keep([row("bob", 3)], 2)
    assert remembered.of(["ada", "bob"]).keys() == {"bob"}
    remembered.keep([row("ada", 7)], 1)
    assert remembered.of(["ada", "bob"]).keys() == {"bob"}
    assert remembered.forget_before(3)
    assert remembered.of(["bob"]) == {}
