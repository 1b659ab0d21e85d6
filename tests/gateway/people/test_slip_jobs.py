"""PINs for everybody who has none: nothing that ends the work leaves a PIN nobody knows, and slips are fetched once."""

from __future__ import annotations

import asyncio
import io
import os
from collections import ChainMap
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest
import pytest_asyncio

from crypto.sealing import Seal
from gateway.accounts.roles import Role, allows
from gateway.cli.slips import set_missing_pins
from gateway.http.problems import Problem
from gateway.people import slip_jobs
from gateway.people.slip_jobs import KEEP_SECONDS, STALLED_SECONDS, SlipJobs, Starter
from storage import pin_slips, users
from storage.errors import StorageUnavailable
from tests.gateway.administered_site import event_names, events
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.administration import Administration
    from storage.companies import Company
    from tests.gateway.administered_site import MovedClock


on_sqlite = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For what is decided outside the database; what it decides itself, and what several do at once, is asked of both."""


def jobs_of(site: Administration) -> SlipJobs:
    """What one gateway process has."""
    seal = Seal({1: b"k" * 32}, 1, os.urandom)
    return SlipJobs(database=site.database, people=site.people, seal=seal, clock=site.clock, new_id=site.new_id)


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(site: Administration) -> AsyncIterator[SlipJobs]:
    jobs = jobs_of(site)
    yield jobs
    await jobs.close()


@pytest_asyncio.fixture(loop_scope="module")
async def hr(site: Administration, company: Company) -> Starter:
    user = await site.people.add(company.id, full_name="Hanna Roth", email="hr@example.org", role="hr", actor="cli")
    return Starter(user.id, Role.HR, f"user:{user.id}", None)


async def without_pin(site: Administration, company: Company, count: int) -> list[str]:
    file = "full_name;personnel_number\n" + "".join(f"Person {at};04{at:02}\n" for at in range(count))
    await site.people.import_csv(company.id, file.encode(), actor="cli")
    return [f"04{at:02}" for at in range(count)]


async def ended(jobs: SlipJobs, starter: Starter) -> None:
    await asyncio.gather(*jobs._running)

    async def over() -> bool:
        job = await jobs.of(starter.user_id)
        return job is None or not jobs.is_running(job)

    await until(over)


def slips(document: bytes | None) -> dict[str, str]:
    """The PIN of each personnel number, as printed."""
    assert document is not None
    found = {}
    with pypdfium2.PdfDocument(io.BytesIO(document)) as pdf:
        for page in pdf:
            words = page.get_textpage().get_text_bounded().split()
            number = next(word for word in words if word.startswith("04") and len(word) == 4)
            found[number] = next(word for word in words if word.isdigit() and len(word) == 6)
    return found


async def assert_right(site: Administration, company: Company, printed: dict[str, str], rest: set[str]) -> None:
    """Every PIN that is set is the printed one, and nobody else has one."""
    for user in await site.people.list_(company.id, search="04"):
        number = str(user.personnel_number)
        assert user.has_pin is (number in printed), number
        assert (number in printed) is (number not in rest)
        async with site.database.read() as connection:
            record = await users.pin_record(connection, user.id)
        assert record is None or site.pins.verify(record, printed[number])


async def test_everybody_gets_a_pin_and_the_slips_are_fetched_once(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    await without_pin(site, company, 3)
    started = await jobs.start(company.id, hr)
    assert started is not None
    assert (started.total, started.done) == (3, 0)
    await ended(jobs, hr)
    job = await jobs.of(hr.user_id)
    assert job is not None
    assert (job.total, job.done) == (3, 3)
    await assert_right(site, company, slips(await jobs.take(company, hr)), set())
    assert await jobs.of(hr.user_id) is None
    with pytest.raises(Problem, match="not-found"):
        await jobs.take(company, hr)
    assert (await event_names(site)).count("pin.set") == 3
    (fetched,) = [event for event in await events(site) if event.name == "pin_slips.fetched"]
    assert (fetched.actor, fetched.company_id, fetched.detail) == (hr.actor, company.id, {"count": 3})
    assert await jobs.start(company.id, hr) is None


async def test_of_many_who_fetch_at_once_one_gets_the_slips(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    await without_pin(site, company, 2)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    answers = await asyncio.gather(*(jobs.take(company, hr) for _ in range(5)), return_exceptions=True)
    (document,) = [answer for answer in answers if isinstance(answer, bytes)]
    assert len(slips(document)) == 2
    assert sum(isinstance(answer, Problem) and answer.name == "not-found" for answer in answers) == 4


async def test_the_same_click_twice_is_one_job(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    await without_pin(site, company, 2)
    started = await asyncio.gather(*(jobs.start(company.id, hr) for _ in range(4)))
    assert len({job.id for job in started if job is not None}) == 1
    await ended(jobs, hr)
    assert len(slips(await jobs.take(company, hr))) == 2


async def test_two_people_at_once_share_the_others_out(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    user = await site.people.add(company.id, full_name="Olaf", email="o@example.org", role="owner", actor="cli")
    owner = Starter(user.id, Role.OWNER, f"user:{user.id}", None)
    await without_pin(site, company, 4)
    await asyncio.gather(jobs.start(company.id, hr), jobs_of(site).start(company.id, owner))
    printed: list[dict[str, str]] = []
    for starter in (hr, owner):
        await ended(jobs, starter)
        job = await jobs.of(starter.user_id)
        assert job is None or job.done == job.total
        if job is not None:
            printed.append(slips(await jobs.take(company, starter)))
    assert sum(map(len, printed)) == 4
    await assert_right(site, company, dict(ChainMap(*printed)), set())


@on_sqlite
async def test_what_waits_shows_no_pin(site: Administration, company: Company, jobs: SlipJobs, hr: Starter) -> None:
    await without_pin(site, company, 2)
    job = await jobs.start(company.id, hr)
    assert job is not None
    await ended(jobs, hr)
    async with site.database.read() as connection:
        kept = b"".join(slip.sealed for slip in await pin_slips.sealed_slips(connection, job.id))
    for pin in slips(await jobs.take(company, hr)).values():
        assert pin.encode() not in kept
        assert b"Person" not in kept


@on_sqlite
async def test_a_gateway_that_stops_ends_behind_the_person_of_that_moment(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = set(await without_pin(site, company, 4))
    set_pin, count, third = site.people.set_pin, 0, asyncio.Event()

    async def slowly(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 3:
            third.set()
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", slowly)
    await jobs.start(company.id, hr)
    await third.wait()
    await jobs.close()
    job = await jobs_of(site).of(hr.user_id)
    assert job is not None
    assert 3 <= job.done < job.total == 4
    assert job.finished_at is not None
    with pytest.raises(Problem) as refused:
        await jobs.start(company.id, hr)
    assert refused.value.name == "busy"
    printed = slips(await jobs_of(site).take(company, hr))
    assert len(printed) == job.done
    await assert_right(site, company, printed, numbers - printed.keys())


@on_sqlite
async def test_a_gateway_that_was_killed_loses_no_pin(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, clock: MovedClock
) -> None:
    numbers = set(await without_pin(site, company, 6))
    job = await jobs.start(company.id, hr)
    assert job is not None

    async def some() -> bool:
        there = await jobs.of(hr.user_id)
        return there is not None and there.done >= 2

    await until(some)
    for task in jobs._running:
        task.cancel()
    await asyncio.gather(*jobs._running, return_exceptions=True)
    other = jobs_of(site)
    there = await other.of(hr.user_id)
    assert there is not None
    assert there.finished_at is None
    with pytest.raises(Problem) as early:
        await other.take(company, hr)
    assert early.value.name == "conflict"
    clock.move(STALLED_SECONDS)
    printed = slips(await other.take(company, hr))
    assert len(printed) == there.done
    await assert_right(site, company, printed, numbers - printed.keys())


async def test_a_gateway_that_was_held_up_sets_no_pin_that_nobody_gets(
    site: Administration,
    company: Company,
    jobs: SlipJobs,
    hr: Starter,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    numbers = set(await without_pin(site, company, 3))
    set_pin, held, go_on, count = site.people.set_pin, asyncio.Event(), asyncio.Event(), 0

    async def holding(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 3:
            held.set()
            await go_on.wait()
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", holding)
    await jobs.start(company.id, hr)
    await held.wait()
    clock.move(STALLED_SECONDS)
    printed = slips(await jobs_of(site).take(company, hr))
    go_on.set()
    await jobs.close()
    assert len(printed) == 2
    await assert_right(site, company, printed, numbers - printed.keys())


@on_sqlite
async def test_a_full_queue_is_waited_for_and_a_database_that_is_away_ends_it(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slip_jobs, "WAIT_SECONDS", 0.0)
    numbers = set(await without_pin(site, company, 5))
    set_pin, count = site.people.set_pin, 0

    async def failing(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count in (1, 2):
            raise Problem("busy", retry_after=1)
        if count == 4:
            raise Problem("conflict", "The personnel number was changed at the same moment: try again.")
        if count == 6:
            raise StorageUnavailable("away")
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", failing)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    job = await jobs.of(hr.user_id)
    assert job is not None
    assert (job.done, job.total) == (2, 4)
    printed = slips(await jobs.take(company, hr))
    assert len(printed) == 2
    await assert_right(site, company, printed, numbers - printed.keys())


@on_sqlite
@pytest.mark.parametrize("change", [{"active": False}, {"role": "employee"}])
async def test_whoever_may_no_longer_gets_no_further_pins(
    site: Administration,
    company: Company,
    jobs: SlipJobs,
    hr: Starter,
    change: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await without_pin(site, company, 3)
    set_pin, count = site.people.set_pin, 0

    async def losing(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 2:
            await site.people.change(hr.user_id, change, actor="cli")
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", losing)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    job = await jobs.of(hr.user_id)
    assert job is not None
    assert (job.done, job.total) == (2, 3)


@on_sqlite
async def test_only_those_whom_the_role_may_give_a_pin_get_one(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    await without_pin(site, company, 1)
    await site.people.add(
        company.id, full_name="Ida", personnel_number="0501", email="it@example.org", role="it", actor="cli"
    )
    await site.people.add(company.id, full_name="Gone", personnel_number="0502", active=False, actor="cli")
    await site.people.add(company.id, full_name="No number", email="n@example.org", actor="cli")
    assert [user.personnel_number for user in await jobs.without_pin(company.id, Role.HR)] == ["0400"]
    assert [user.personnel_number for user in await jobs.without_pin(company.id, Role.OWNER)] == ["0501", "0400"]


@on_sqlite
async def test_when_all_have_one_by_then_there_is_nothing_to_fetch(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_pin(site, company, 2)

    async def slower(*arguments: Any, **options: Any) -> str | None:
        return None

    monkeypatch.setattr(site.people, "set_pin", slower)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    assert await jobs.of(hr.user_id) is None


async def test_slips_nobody_fetches_are_gone_after_a_day_and_their_pins_taken_back(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, clock: MovedClock
) -> None:
    numbers = await without_pin(site, company, 3)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    people = {str(user.personnel_number): user.id for user in await site.people.list_(company.id, search="04")}
    clock.move(KEEP_SECONDS - 1)
    await jobs.forget_old()
    assert await jobs.of(hr.user_id) is not None
    assert await site.people.set_pin(people["0401"], "730291", actor="cli") is None  # another one, which stays
    clock.move(1)
    assert await jobs.of(hr.user_id) is None
    with pytest.raises(Problem, match="not-found"):
        await jobs.take(company, hr)
    await jobs.forget_old()
    await assert_right(site, company, {"0401": "730291"}, {"0400", "0402"})
    told = [event for event in await events(site) if event.name == "pin.withdrawn"]
    assert {(event.actor, event.subject) for event in told} == {
        ("gateway", f"user:{people[number]}") for number in ("0400", "0402")
    }
    again = await jobs.start(company.id, hr)
    assert again is not None
    assert again.total == 2
    await ended(jobs, hr)
    printed = slips(await jobs.take(company, hr))
    await assert_right(site, company, printed | {"0401": "730291"}, set())
    assert set(numbers) == printed.keys() | {"0401"}


@on_sqlite
async def test_whoever_begins_anew_after_a_day_reaches_those_of_before_too(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, clock: MovedClock
) -> None:
    await without_pin(site, company, 2)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    clock.move(KEEP_SECONDS)
    again = await jobs.start(company.id, hr)
    assert again is not None
    assert again.total == 2


async def test_many_pins_are_taken_back_some_at_a_time_and_by_two_gateways_at_once(
    site: Administration,
    company: Company,
    jobs: SlipJobs,
    hr: Starter,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slip_jobs, "TAKEN_BACK_AT_ONCE", 2)
    await without_pin(site, company, 5)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    clock.move(KEEP_SECONDS)
    await asyncio.gather(jobs.forget_old(), jobs_of(site).forget_old())
    await assert_right(site, company, {}, {f"04{at:02}" for at in range(5)})
    assert (await event_names(site)).count("pin.withdrawn") == 5


@on_sqlite
async def test_the_slips_stay_when_whoever_asked_has_gone(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter
) -> None:
    await without_pin(site, company, 2)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    gone, there = await asyncio.gather(
        jobs.take(company, hr, is_there=lambda: False), jobs.take(company, hr), return_exceptions=True
    )
    assert isinstance(gone, Problem)
    assert isinstance(there, bytes)
    await assert_right(site, company, slips(there), set())
    assert (await event_names(site)).count("pin_slips.fetched") == 1


@on_sqlite
async def test_a_slip_names_the_person_as_they_are_when_the_pin_is_set(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_pin(site, company, 3)
    people = {str(user.personnel_number): user.id for user in await site.people.list_(company.id, search="04")}
    set_pin, count = site.people.set_pin, 0

    async def meanwhile(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 1:
            await site.people.change(people["0402"], {"personnel_number": "0499"}, actor="cli")
            await site.people.change(people["0401"], {"active": False}, actor="cli")
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", meanwhile)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    job = await jobs.of(hr.user_id)
    assert job is not None
    assert (job.done, job.total) == (2, 2)
    printed = slips(await jobs.take(company, hr))
    assert printed.keys() == {"0400", "0499"}
    await assert_right(site, company, printed, {"0401"})


@on_sqlite
async def test_the_command_line_names_people_as_they_are_then_too(
    site: Administration, company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await without_pin(site, company, 3)
    people = {str(user.personnel_number): user.id for user in await site.people.list_(company.id, search="04")}
    set_pin, count = site.people.set_pin, 0

    async def meanwhile(*arguments: Any, **options: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 1:
            await site.people.change(people["0402"], {"personnel_number": "0499"}, actor="cli")
            await site.people.change(people["0401"], {"active": False}, actor="cli")
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", meanwhile)
    await set_missing_pins(site, company, tmp_path / "slips.pdf", as_json=True)
    printed = slips((tmp_path / "slips.pdf").read_bytes())
    assert printed.keys() == {"0400", "0499"}
    await assert_right(site, company, printed, {"0401"})


@on_sqlite
async def test_nobody_who_becomes_owner_meanwhile_gets_a_pin_of_hr(
    site: Administration, company: Company, hr: Starter, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await site.people.add(
        company.id, full_name="Olaf", personnel_number="0400", email="o@example.org", actor="cli"
    )
    run = site.hashing.run

    async def promoting(*arguments: Any) -> Any:
        await site.people.change(user.id, {"role": "owner"}, actor="cli")
        return await run(*arguments)

    def require(permission: str) -> None:
        if not allows(hr.role, permission):
            raise Problem("not-allowed")

    monkeypatch.setattr(site.hashing, "run", promoting)
    with pytest.raises(Problem, match="not-allowed"):
        await site.people.set_pin(user.id, require=require, actor=hr.actor)
    assert not (await site.people.get(user.id)).has_pin


@on_sqlite
async def test_whoever_got_another_pin_before_the_slips_were_fetched_gets_no_dead_one(
    site: Administration, company: Company, jobs: SlipJobs, hr: Starter, clock: MovedClock
) -> None:
    await without_pin(site, company, 3)
    await jobs.start(company.id, hr)
    await ended(jobs, hr)
    (user,) = await site.people.list_(company.id, search="0401")
    clock.move(60)
    await site.people.set_pin(user.id, "730291", actor="cli")
    printed = slips(await jobs.take(company, hr))
    assert printed.keys() == {"0400", "0402"}
    await assert_right(site, company, printed | {"0401": "730291"}, set())


@on_sqlite
async def test_a_role_that_fell_meanwhile_gets_no_slip_of_those_above_it(
    site: Administration, company: Company, jobs: SlipJobs
) -> None:
    user = await site.people.add(company.id, full_name="Olaf", email="o@example.org", role="owner", actor="cli")
    for number, role in (("0400", "employee"), ("0401", "it")):
        address = f"{role}@example.org"
        await site.people.add(
            company.id, full_name=role, personnel_number=number, email=address, role=role, actor="cli"
        )
    await jobs.start(company.id, Starter(user.id, Role.OWNER, f"user:{user.id}", None))
    fallen = Starter(user.id, Role.HR, f"user:{user.id}", None)
    await ended(jobs, fallen)
    printed = slips(await jobs.take(company, fallen))
    assert printed.keys() == {"0400"}
    await assert_right(site, company, printed, {"0401"})
    assert [event.detail for event in await events(site) if event.name == "pin_slips.fetched"] == [{"count": 1}]
