"""Stamps that share a transaction: each has an outcome of its own, and those of one person come in order."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from gateway.clock import new_id
from gateway.http.problems import Problem
from gateway.stamping.actions import Action, State
from gateway.stamping.records import Recorded, StampRequest
from gateway.stamping.service import CONFLICT_RETRIES
from storage import stamps
from storage.database import Conflict, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.direct import DirectTransaction
    from storage.stamps import PresenceRow
    from storage.users import User
    from tests.gateway.house import House, Person

    Read = tuple[dict[str, PresenceRow], dict[tuple[str, str], stamps.Stamp]]


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def stamp(house: House, person: Person | User, action: Action, **changes: Any) -> StampRequest:
    values = {
        "user_id": person.id,
        "company_id": house.company_id,
        "stamp_id": str(uuid.uuid4()),
        "action": action,
        "tier": "kiosk",
        "request_id": new_id(),
    }
    return StampRequest(**(values | changes))


async def together(house: House, *requests: StampRequest) -> list[Recorded | BaseException]:
    """Record all in one transaction: what is asked for in one turn of the loop is flushed together."""
    stamping = house.gateway.stamping
    return await asyncio.gather(*(stamping.record(request) for request in requests), return_exceptions=True)


async def stamps_of(house: House, *people: Person | User) -> list[stamps.Stamp]:
    ids = {person.id for person in people}
    return [row for row in await house.stamps() if row.user_id in ids]


def names(outcomes: list[Recorded | BaseException]) -> list[str]:
    return [outcome.name if isinstance(outcome, Problem) else type(outcome).__name__ for outcome in outcomes]


async def test_one_that_cannot_even_be_judged_fails_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    person, stamping = await house.person("0101"), house.gateway.stamping
    elsewhere = await house.gateway.administration.companies.add("Elsewhere", actor="cli")
    people = house.gateway.administration.people
    stranger = await people.add(elsewhere.id, full_name="Eve", personnel_number="0101", actor="cli")
    zone_of = stamping._zone

    def without_that_zone(company_id: str) -> ZoneInfo:
        return zone_of(company_id) if company_id != elsewhere.id else ZoneInfo("Mars/Olympus")

    monkeypatch.setattr(stamping, "_zone", without_that_zone)
    outcomes = await together(
        house,
        stamp(house, person, Action.CLOCK_IN, user_id=stranger.id, company_id=elsewhere.id),
        stamp(house, person, Action.CLOCK_IN),
    )
    assert names(outcomes) == ["ZoneInfoNotFoundError", "Recorded"]


async def test_one_that_is_not_valid_fails_alone(house: House) -> None:
    people = [await house.person(f"02{at:02}") for at in range(3)]
    await house.gateway.administration.people.set_active(people[1].id, False, actor="cli")
    commits = house.gateway.administration.database.commits
    outcomes = await together(
        house,
        stamp(house, people[0], Action.CLOCK_IN),
        stamp(house, people[1], Action.CLOCK_IN),
        stamp(house, people[2], Action.BREAK_END),
        stamp(house, people[2], Action.CLOCK_IN),
        stamp(house, people[2], Action.CLOCK_OUT, user_id=new_id()),
        stamp(house, people[0], Action.CLOCK_OUT, company_id=new_id()),
    )
    assert house.gateway.administration.database.commits - commits == 1
    assert names(outcomes) == [
        "Recorded",
        "session-expired",
        "action-not-valid",
        "Recorded",
        "session-expired",
        "session-expired",
    ]
    assert len(await stamps_of(house, *people)) == 2


async def test_several_of_one_person_in_one_transaction_are_applied_in_their_order(house: House) -> None:
    person = await house.person("0301")
    actions = [Action.CLOCK_IN, Action.BREAK_START, Action.BREAK_END, Action.CLOCK_IN, Action.CLOCK_OUT]
    outcomes = await together(house, *(stamp(house, person, action) for action in actions))
    assert names(outcomes) == ["Recorded", "Recorded", "Recorded", "action-not-valid", "Recorded"]
    own = await stamps_of(house, person)
    assert sorted((row.sequence, row.action) for row in own) == list(
        enumerate(["clock_in", "break_start", "break_end", "clock_out"], 1)
    )
    status = await house.gateway.stamping.status(person.id, house.company_id)
    assert status.state is State.OUT


async def test_a_repeat_in_the_same_transaction_answers_the_first_result(house: House) -> None:
    person = await house.person("0401")
    request = stamp(house, person, Action.CLOCK_IN)
    reused = stamp(house, person, Action.CLOCK_OUT, stamp_id=request.stamp_id)
    first, again, other = await together(house, request, request, reused)
    assert isinstance(first, Recorded)
    assert isinstance(again, Recorded)
    assert (first.repeated, again.repeated, first.stamp) == (False, True, again.stamp)
    assert names([other]) == ["stamp-id-reused"]


async def test_the_same_stamp_id_of_two_people_is_two_stamps(house: House) -> None:
    one, two = await house.person("0501"), await house.person("0502")
    first = stamp(house, one, Action.CLOCK_IN)
    assert names(await together(house, first, stamp(house, two, Action.CLOCK_IN, stamp_id=first.stamp_id))) == [
        "Recorded",
        "Recorded",
    ]


async def test_stamps_that_met_another_gateways_are_judged_again_each_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Simulated by a first look at presence that is one stamp old, as without row locks."""
    person, other = await house.person("0601"), await house.person("0602")
    record, read_batch = house.gateway.stamping.record, stamps.read_batch
    async with house.gateway.administration.database.read() as connection:
        old = await stamps.read_presence(connection, person.id)
    assert old is not None
    await record(stamp(house, person, Action.CLOCK_IN))
    house.gateway.stamping._remembered.forget([person.id])
    looks = 0

    async def stale_at_first(transaction: DirectTransaction, pairs: Sequence[tuple[str, str]]) -> Read:
        nonlocal looks
        looks += 1
        rows, repeats = await read_batch(transaction, pairs)
        return (rows | {person.id: old} if looks == 1 else rows), repeats

    monkeypatch.setattr(stamps, "read_batch", stale_at_first)
    outcomes = await together(house, stamp(house, person, Action.CLOCK_IN), stamp(house, other, Action.CLOCK_IN))
    assert names(outcomes) == ["action-not-valid", "Recorded"]
    assert looks == 3
    assert [row.sequence for row in await stamps_of(house, person)] == [1]


async def test_one_who_meets_another_gateway_again_and_again_makes_no_single_stamps_of_63_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = house.gateway.administration.people
    file = "full_name;personnel_number\n" + "".join(f"Ada Winter;07{at:02}\n" for at in range(64))
    await people.import_csv(house.company_id, file.encode(), actor="cli")
    listed = await people.list_(house.company_id, limit=1000)
    *others, hasty = [person for person in listed if (person.personnel_number or "").startswith("07")]
    commit_batch, commits = stamps.commit_batch, list[int]()

    async def too_late_for_the_hasty(
        transaction: DirectTransaction, inserts: Sequence[stamps.NewStamp], changed: Sequence[stamps.NewPresence]
    ) -> None:
        commits.append(len(inserts))
        if any(row.user_id == hasty.id for row in inserts):
            raise Conflict("what was read has changed")
        await commit_batch(transaction, inserts, changed)

    monkeypatch.setattr(stamps, "commit_batch", too_late_for_the_hasty)
    requests = [stamp(house, person, Action.CLOCK_IN) for person in (*others[:40], hasty, *others[40:])]
    outcomes = names(await together(house, *requests))
    assert outcomes == ["Recorded"] * 40 + ["busy"] + ["Recorded"] * 23
    assert len(commits) <= 1 + 2 * 6 + CONFLICT_RETRIES
    assert {row.user_id for row in await stamps_of(house, *others, hasty)} == {person.id for person in others}


async def test_a_conflict_that_never_ends_is_answered_busy(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    person = await house.person("0801")
    async with house.gateway.administration.database.read() as connection:
        old = await stamps.read_presence(connection, person.id)
    assert old is not None
    await house.gateway.stamping.record(stamp(house, person, Action.CLOCK_IN))

    read_batch = stamps.read_batch

    async def always_stale(transaction: DirectTransaction, pairs: Sequence[tuple[str, str]]) -> Read:
        _, repeats = await read_batch(transaction, pairs)
        return {person.id: old}, repeats

    monkeypatch.setattr(stamps, "read_batch", always_stale)
    with pytest.raises(Problem) as refused:
        await house.gateway.stamping.record(stamp(house, person, Action.CLOCK_IN))
    assert refused.value.name == "busy"
    assert len(await stamps_of(house, person)) == 1


async def test_a_database_that_is_away_fails_its_transaction_and_not_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await house.person("0901")
    request = stamp(house, person, Action.CLOCK_IN)

    async def away(transaction: DirectTransaction, inserts: object, changed: object) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(stamps, "commit_batch", away)
        with pytest.raises(StorageUnavailable):
            await house.gateway.stamping.record(request)
    assert await stamps_of(house, person) == []
    recorded = await house.gateway.stamping.record(request)
    assert not recorded.repeated
