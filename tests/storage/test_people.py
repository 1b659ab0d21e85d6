"""Companies, their people, and the logins of those who have one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from storage import accounts, companies, users
from storage.database import Conflict
from tests.storage.rows import NOW, add_company, add_user, new_id

if TYPE_CHECKING:
    from storage.database import Database


async def test_a_company_is_read_back_as_it_was_written(database: Database) -> None:
    plain = await add_company(database)
    full = await add_company(
        database,
        public_stamp_enabled=True,
        kiosk_networks=("10.0.0.0/8", "2001:db8::/32"),
        link_hash=b"h" * 32,
        link_version=3,
        link_created_at=NOW + 0.5,
    )
    async with database.read() as connection:
        assert await companies.get(connection, plain.id) == plain
        assert await companies.get(connection, full.id) == full
        assert await companies.get(connection, new_id()) is None
        assert await companies.all_(connection) == [plain, full]
        assert await companies.by_link(connection, b"h" * 32) == full
        assert await companies.by_link(connection, b"x" * 32) is None


async def test_a_company_changes_only_what_is_named(database: Database) -> None:
    company = await add_company(database)
    async with database.write() as connection:
        assert await companies.update(connection, company.id, name="New", kiosk_networks=("10.0.0.0/8",))
        assert await companies.update(connection, company.id)
        assert not await companies.update(connection, new_id(), name="New")
        assert not await companies.update(connection, new_id())
        assert await companies.get(connection, company.id) == replace(
            company, name="New", kiosk_networks=("10.0.0.0/8",)
        )
        with pytest.raises(TypeError, match="link_hash"):
            await companies.update(connection, company.id, link_hash=b"")


async def test_the_version_of_the_link_only_grows(database: Database) -> None:
    company = await add_company(database)
    async with database.write() as connection:
        assert await companies.set_link(connection, company.id, b"a" * 32, NOW) == 1
        assert await companies.set_link(connection, company.id, None, NOW + 1) == 2
        assert await companies.by_link(connection, b"a" * 32) is None
        assert await companies.set_link(connection, company.id, b"b" * 32, NOW + 2) == 3
        assert await companies.set_link(connection, new_id(), b"c" * 32, NOW) is None
        found = await companies.by_link(connection, b"b" * 32)
    assert found == replace(company, link_hash=b"b" * 32, link_version=3, link_created_at=NOW + 2)


async def test_a_person_is_found_by_number_within_the_company(database: Database) -> None:
    company, other = await add_company(database), await add_company(database)
    user = await add_user(database, company.id, personnel_number="0042", email="ada@example.org")
    namesake = await add_user(database, other.id, personnel_number="0042")
    async with database.write() as connection:
        assert await users.by_number(connection, company.id, "0042") == (user, None)
        assert await users.set_pin(connection, user.id, b"record", NOW + 1)
        with_pin = replace(user, has_pin=True, pin_set_at=NOW + 1)
        assert await users.by_number(connection, company.id, "0042") == (with_pin, b"record")
        assert await users.by_number(connection, other.id, "0042") == (namesake, None)
        assert await users.by_number(connection, company.id, "42") is None
        assert await users.get(connection, user.id) == with_pin
        assert await users.get(connection, new_id()) is None
        assert await users.by_email(connection, "ada@example.org") == with_pin
        assert await users.by_email(connection, "eve@example.org") is None


async def test_a_pin_is_set_rewrapped_and_removed(database: Database) -> None:
    user = await add_user(database, (await add_company(database)).id)
    async with database.write() as connection:
        assert await users.pin_record(connection, user.id) is None
        await users.set_pin(connection, user.id, b"one", NOW)
        assert not await users.rewrap_pin(connection, user.id, b"other", b"two")
        assert await users.rewrap_pin(connection, user.id, b"one", b"two")
        assert await users.pin_record(connection, user.id) == b"two"
        assert await users.set_pin(connection, user.id, None, None)
        assert await users.get(connection, user.id) == user
        assert not await users.set_pin(connection, new_id(), b"x", NOW)


async def test_a_person_changes(database: Database) -> None:
    user = await add_user(database, (await add_company(database)).id)
    async with database.write() as connection:
        assert await users.update(connection, user.id, full_name="Eva", role="hr", personnel_number="7")
        assert await users.update(connection, user.id)
        assert not await users.update(connection, new_id(), role="hr")
        assert not await users.update(connection, new_id())
        with pytest.raises(TypeError, match="pin_record"):
            await users.update(connection, user.id, pin_record=b"")
        assert await users.set_active(connection, user.id, False)
        assert not await users.set_active(connection, user.id, False)
        await users.mark_sign_in(connection, user.id, NOW + 5)
        assert await users.get(connection, user.id) == replace(
            user, full_name="Eva", role="hr", personnel_number="7", active=False, last_sign_in_at=NOW + 5
        )


async def test_people_are_listed_by_name_in_pages(database: Database) -> None:
    company, other = await add_company(database), await add_company(database)
    names = ["Bob", "Ada", "Ada", "Cem", "Dora"]
    people = [await add_user(database, company.id, full_name=name) for name in names]
    await add_user(database, other.id, full_name="Zoe")
    wanted = sorted(people, key=lambda user: (user.full_name, user.id))
    async with database.read() as connection:
        found: list[users.User] = []
        while page := await users.list_(connection, company.id, after=found[-1].id if found else None, limit=2):
            found += page
        assert found == wanted
        assert len(await users.list_(connection, None)) == 6


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ärm", ["Ada Ärmel"]),
        ("ÄRM", ["Ada Ärmel"]),
        ("bob@", ["Bob"]),
        ("0815", ["Bob"]),
        ("%", []),
        ("a", ["Ada Ärmel", "Bob"]),
    ],
)
async def test_people_are_searched_in_any_case_and_by_any_part(
    database: Database, search: str, found: list[str]
) -> None:
    company = await add_company(database)
    await add_user(database, company.id, full_name="Ada Ärmel")
    await add_user(database, company.id, full_name="Bob", email="bob@example.org", personnel_number="0815")
    await add_user(database, company.id, full_name="Uli")
    async with database.read() as connection:
        assert [user.full_name for user in await users.list_(connection, company.id, search=search)] == found


async def test_people_without_number_or_address_do_not_conflict(database: Database) -> None:
    company = await add_company(database)
    await add_user(database, company.id)
    await add_user(database, company.id)


async def test_a_changed_number_conflicts_as_a_new_one_does(database: Database) -> None:
    company = await add_company(database)
    await add_user(database, company.id, personnel_number="1")
    user = await add_user(database, company.id, personnel_number="2")
    with pytest.raises(Conflict, match=r"users\.company_id,users\.personnel_number"):
        async with database.write() as connection:
            await users.update(connection, user.id, personnel_number="1")


async def test_a_password_is_set_replaced_and_found_by_address(database: Database) -> None:
    user = await add_user(database, (await add_company(database)).id, email="ada@example.org")
    async with database.write() as connection:
        assert await accounts.password_hash(connection, "ada@example.org") is None
        assert await accounts.get(connection, user.id) is None
        await accounts.set_password(connection, user.id, "first", NOW)
        await accounts.set_password(connection, user.id, "second", NOW + 1)
        assert await accounts.password_hash(connection, "ada@example.org") == "second"
        assert await accounts.password_hash(connection, "eve@example.org") is None
        assert await accounts.get(connection, user.id) == accounts.Account(user.id, NOW + 1)
