from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from crypto.argon2_cost import Argon2Cost
from crypto.passwords import PasswordHasher
from gateway.http.problems import Problem
from gateway.pin_login.subjects import number_subject
from storage import accounts, lockouts, stamps, users
from storage.lockouts import Lockout
from tests.gateway.administered_site import changes, event_names, events

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage.companies import Company
    from storage.users import User
    from tests.gateway.administered_site import MovedClock

CHEAP = Argon2Cost(8, 1, 1)

on_sqlite = pytest.mark.parametrize("site", ["sqlite"], indirect=True)
"""For what is decided outside the database; what it decides itself, and what several do at once, is asked of both."""


@pytest_asyncio.fixture(loop_scope="module")
async def anna(site: Administration, company: Company) -> User:
    return await site.people.add(company.id, full_name="Anna Weber", personnel_number="1042", actor="cli")


async def test_a_new_person_is_out_and_has_no_pin(site: Administration, anna: User) -> None:
    assert (anna.active, anna.has_pin, anna.role) == (True, False, "employee")
    async with site.database.read() as connection:
        presence = await stamps.read_presence(connection, anna.id)
    assert presence is not None
    assert presence.state == "out"
    assert (await event_names(site))[-1] == "user.created"


@on_sqlite
async def test_every_fault_of_a_person_is_told_at_once(site: Administration, company: Company) -> None:
    with pytest.raises(Problem) as refused:
        await site.people.add(company.id, full_name="", personnel_number="x", email="nobody", role="root", actor="cli")
    assert [fault.field for fault in refused.value.errors] == ["full_name", "personnel_number", "email", "role"]


@on_sqlite
async def test_a_person_needs_a_number_or_an_address_and_a_company(site: Administration, company: Company) -> None:
    with pytest.raises(Problem, match="bad-request"):
        await site.people.add(company.id, full_name="Anna", actor="cli")
    with pytest.raises(Problem, match="not-found"):
        await site.people.add(site.new_id(), full_name="Anna", personnel_number="1", actor="cli")


@pytest.mark.parametrize("field", ["personnel_number", "email"])
async def test_numbers_and_addresses_belong_to_one_person(
    site: Administration, company: Company, anna: User, field: str
) -> None:
    taken: dict[str, Any] = {"personnel_number": "7", "email": "a@example.com"}
    await site.people.add(company.id, full_name="First", actor="cli", **taken)
    with pytest.raises(Problem, match="conflict") as refused:
        await site.people.add(company.id, full_name="Second", actor="cli", **{field: taken[field].upper()})
    assert [fault.field for fault in refused.value.errors] == [field]


@on_sqlite
async def test_a_generated_pin_is_shown_once_and_fits(site: Administration, anna: User) -> None:
    pin = await site.people.set_pin(anna.id, actor="cli")
    assert pin is not None
    async with site.database.read() as connection:
        record = await users.pin_record(connection, anna.id)
    assert record is not None
    assert site.pins.verify(record, pin)
    assert all(pin not in str(event) for event in await events(site))


@on_sqlite
async def test_a_chosen_pin_is_not_given_back(site: Administration, anna: User) -> None:
    assert await site.people.set_pin(anna.id, "739142", actor="cli") is None
    assert (await site.people.get(anna.id)).has_pin


@on_sqlite
async def test_a_pin_others_would_guess_is_refused(site: Administration, anna: User) -> None:
    for pin in ("", "12345", "1234567890123", "111111", "123456", "10421042", "24oo11"):
        with pytest.raises(Problem, match="bad-request") as refused:
            await site.people.set_pin(anna.id, pin, actor="cli")
        assert {fault.field for fault in refused.value.errors} == {"pin"}, pin
        assert not (await site.people.get(anna.id)).has_pin, pin


@on_sqlite
async def test_without_a_number_there_is_no_pin_and_without_an_address_no_password(
    site: Administration, company: Company, anna: User
) -> None:
    boss = await site.people.add(company.id, full_name="Boss", email="b@example.com", role="owner", actor="cli")
    with pytest.raises(Problem, match="conflict"):
        await site.people.set_pin(boss.id, actor="cli")
    with pytest.raises(Problem, match="conflict"):
        await site.accounts.set_password(anna.id, "a long enough password", actor="cli")


async def test_a_new_pin_zeroes_every_count_of_the_person_in_both_tiers(
    site: Administration, company: Company, anna: User, clock: MovedClock
) -> None:
    subjects = {tier: number_subject(site.guard_key, company.id, tier, "1042") for tier in ("kiosk", "phone")}
    foreign = number_subject(site.guard_key, company.id, "kiosk", "7")

    def lock(tier: str, subject: bytes, until: float | None) -> Lockout:
        return Lockout(
            id=site.new_id(),
            company_id=company.id,
            tier=tier,
            scope="number",
            subject=subject.hex(),
            reason="consecutive",
            since=clock.now,
            until=until,
        )

    async with site.database.write() as connection:
        await lockouts.record_failures(connection, [*subjects.values(), foreign], clock.now)
        await lockouts.add_lock(connection, lock("kiosk", subjects["kiosk"], clock.now + 300))
        await lockouts.add_lock(connection, lock("kiosk", subjects["kiosk"], clock.now - 1))
        await lockouts.add_lock(connection, lock("phone", subjects["phone"], None))
        await lockouts.add_lock(connection, lock("kiosk", foreign, clock.now + 300))
    before = len(await changes(site))

    await site.people.set_pin(anna.id, actor="user:hr")

    async with site.database.read() as connection:
        counts = await lockouts.count_failures_of(connection, [*subjects.values(), foreign], 0.0)
        left = await lockouts.active(connection, company.id, clock.now)
        now = await lockouts.standing(connection, "phone", company.id, subjects["phone"], (), clock.now, 0.0)
        assert not now.is_disabled
    assert counts == {subjects["kiosk"]: 0, subjects["phone"]: 0, foreign: 1}
    assert [one.subject for one in left] == [foreign.hex()]
    written = (await changes(site))[before:]
    assert [(change.kind, dict(change.detail)) for change in written] == [
        ("lockout", {"company_id": company.id, "tier": tier, "scope": "number", "subject": subjects[tier].hex()})
        for tier in ("kiosk", "phone")
    ] + [("person", {})]
    assert written[-1].subject == anna.id
    assert (await event_names(site))[-3:] == ["pin.set", "pin.unlocked", "pin.unlocked"]


async def test_pins_set_at_once_leave_the_one_that_came_last(site: Administration, anna: User) -> None:
    pins = await asyncio.gather(*(site.people.set_pin(anna.id, actor="cli") for _ in range(5)))
    async with site.database.read() as connection:
        record = await users.pin_record(connection, anna.id)
    assert record is not None
    assert sum(site.pins.verify(record, pin or "") for pin in pins) == 1


@on_sqlite
async def test_deactivating_ends_sessions_and_is_told_once(site: Administration, anna: User) -> None:
    before = len(await changes(site))
    assert not (await site.people.set_active(anna.id, False, actor="cli")).active
    assert not (await site.people.set_active(anna.id, False, actor="cli")).active
    assert [(change.kind, change.subject) for change in (await changes(site))[before:]] == [("person", anna.id)]
    assert (await site.people.set_active(anna.id, True, actor="cli")).active
    assert (await events(site))[-1].detail == {"active": True}


async def test_the_last_active_owner_stays(site: Administration, company: Company) -> None:
    first = await site.people.add(company.id, full_name="A", email="a@example.com", role="owner", actor="cli")
    with pytest.raises(Problem, match="conflict"):
        await site.people.set_active(first.id, False, actor="cli")
    second = await site.people.add(company.id, full_name="B", email="b@example.com", role="owner", actor="cli")
    await site.people.set_active(first.id, False, actor="cli")
    with pytest.raises(Problem, match="conflict"):
        await site.people.set_active(second.id, False, actor="cli")


async def test_two_owners_cannot_shut_each_other_out_at_once(site: Administration, company: Company) -> None:
    owners = [
        await site.people.add(company.id, full_name=name, email=f"{name}@example.com", role="owner", actor="cli")
        for name in "ab"
    ]
    outcomes = await asyncio.gather(
        *(site.people.set_active(owner.id, False, actor="cli") for owner in owners), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Problem", "User"]
    assert sum(user.active for user in await site.people.list_(company.id)) == 1


@on_sqlite
async def test_a_password_can_be_set_and_set_again(site: Administration, company: Company) -> None:
    boss = await site.people.add(company.id, full_name="Boss", email="Boss@Example.com", role="owner", actor="cli")
    with pytest.raises(Problem, match="bad-request"):
        await site.accounts.set_password(boss.id, "short", actor="cli")
    for password in ("correct horse battery", "another long password"):
        await site.accounts.set_password(boss.id, password, actor="cli")
        async with site.database.read() as connection:
            stored = await accounts.password_hash(connection, "boss@example.com")
        assert stored is not None
        assert PasswordHasher(CHEAP).verify(stored, password)


@on_sqlite
async def test_unknown_people_are_not_found(site: Administration) -> None:
    for attempt in (
        site.people.get("nobody"),
        site.people.set_pin("nobody", actor="cli"),
        site.people.set_active("nobody", False, actor="cli"),
        site.accounts.set_password("nobody", "a long enough password", actor="cli"),
    ):
        with pytest.raises(Problem, match="not-found"):
            await attempt


async def test_an_import_adds_and_changes_people(site: Administration, company: Company, anna: User) -> None:
    progress: list[tuple[int, int]] = []
    imported = await site.people.import_csv(
        company.id,
        b"Name;Personalnummer;E-Mail\nAnna Weber-Kurz;1042;\nBob;7;bob@example.com\n",
        actor="cli",
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert (imported.created, imported.updated, imported.errors) == (1, 1, ())
    people = {user.personnel_number: user for user in await site.people.list_(company.id)}
    assert people["1042"].full_name == "Anna Weber-Kurz"
    assert people["1042"].id == anna.id
    assert (people["7"].email, people["7"].role, people["7"].has_pin) == ("bob@example.com", "employee", False)
    assert progress == [(1, 2), (2, 2)]
    assert (await event_names(site))[-2:] == ["user.created", "user.changed"]
    async with site.database.read() as connection:
        assert await stamps.read_presence(connection, people["7"].id) is not None
    again = await site.people.import_csv(company.id, b"Name;Personalnummer\nAnna Weber-Kurz;1042\n", actor="cli")
    assert (again.created, again.updated) == (0, 0)


async def test_an_import_with_one_fault_imports_nobody(site: Administration, company: Company, anna: User) -> None:
    other = await site.companies.add("Other", actor="cli")
    await site.people.add(other.id, full_name="Eva", email="eva@example.com", actor="cli")
    before = len(await events(site))
    imported = await site.people.import_csv(
        company.id, b"full_name,personnel_number,email\nBob,7,\nEva,8,eva@example.com\nCem,x,\n", actor="cli"
    )
    assert (imported.created, imported.updated) == (0, 0)
    assert [(fault.line, fault.message) for fault in imported.errors] == [
        (3, "the e-mail belongs to somebody else already"),
        (4, "the personnel number must be 1 to 12 digits"),
    ]
    assert [user.id for user in await site.people.list_(company.id)] == [anna.id]
    assert len(await events(site)) == before
    with pytest.raises(Problem, match="not-found"):
        await site.people.import_csv(site.new_id(), b"full_name;personnel_number\nA;1\n", actor="cli")


async def test_two_imports_of_one_file_at_once_make_everybody_once(site: Administration, company: Company) -> None:
    data = b"full_name;personnel_number\n" + b"".join(b"P%d;%d\n" % (number, number) for number in range(100))
    outcomes = await asyncio.gather(
        *(site.people.import_csv(company.id, data, actor="cli") for _ in range(2)), return_exceptions=True
    )
    assert all(not isinstance(outcome, BaseException) or isinstance(outcome, Problem) for outcome in outcomes)
    assert len(await site.people.list_(company.id, limit=1000)) == 100


async def test_a_thousand_people_are_imported_in_few_statements(site: Administration, company: Company) -> None:
    data = b"full_name;personnel_number;email\n" + b"".join(
        b"Person %d;%d;p%d@example.com\n" % (number, number, number) for number in range(1_100)
    )
    ticks: list[int] = []
    imported = await site.people.import_csv(
        company.id, data, actor="cli", on_progress=lambda done, total: ticks.append(done)
    )
    assert imported.created == 1_100
    assert ticks == [500, 1000, 1100]
