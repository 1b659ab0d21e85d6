from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from gateway.administration import open_administration
from gateway.settings import Settings
from storage import lockouts
from storage.lockouts import Lockout

if TYPE_CHECKING:
    from tests.gateway.cli.command_line import Shell

THE_COMPANY = "Müller GmbH"


async def lock(shell: Shell, **values: Any) -> str:
    """What a gateway writes when somebody guesses."""
    settings = Settings.load(data_dir=shell.data_dir, pin_hash_memory_kib=8, pin_hash_time=1)
    async with open_administration(settings, prepare=False) as site:
        named = values.pop("company", THE_COMPANY)
        company = next(one for one in await site.companies.list_() if one.name == named)
        given: dict[str, Any] = {"tier": "kiosk", "scope": "number", "subject": "ab" * 32, "until": time.time() + 300}
        lockout = Lockout(
            id=site.new_id(), company_id=company.id, reason="consecutive", since=time.time(), **(given | values)
        )
        async with site.database.write() as connection:
            await lockouts.add_lock(connection, lockout)
        return lockout.id


def test_who_is_locked_why_and_until_when(ready: Shell) -> None:
    anna = ready.ok("user", "add", "Anna", "--number", "1042", "--json").json["id"]
    gate = ready.ok("device", "add", "Gate 1", "--json").json["device"]["id"]
    asyncio.run(lock(ready, user_id=anna))
    asyncio.run(lock(ready, until=None))
    asyncio.run(lock(ready, scope="device", subject=gate))
    asyncio.run(lock(ready, scope="company", tier="phone"))
    listed = ready.ok("lockout", "list").out
    for who in ("Anna (1042)", "a number nobody has", "terminal Gate 1", "phones of the whole company"):
        assert who in listed
    assert "a new PIN is set" in listed
    olga = ready.ok("user", "add", "Olga", "--email", "olga@example.com", "--json").json["id"]
    asyncio.run(lock(ready, user_id=olga, tier="account", scope="email"))
    assert "Olga (olga@example.com)" in ready.ok("lockout", "list").out
    document = next(one for one in ready.ok("lockout", "list", "--json").items if one.get("user_id") == anna)
    assert (document["full_name"], document["personnel_number"], document["tier"]) == ("Anna", "1042", "kiosk")


def test_one_or_all_can_be_unlocked_but_the_limit_of_a_year_stays(ready: Shell) -> None:
    one, two, yearly = (asyncio.run(lock(ready, **values)) for values in ({}, {}, {"until": None}))
    assert ready.ok("lockout", "clear", one, "--json").json == {"cleared": [one]}
    assert "no such lock" in ready.refused("lockout", "clear", one)
    assert "only a new PIN ends this lock" in ready.refused("lockout", "clear", yearly)
    cleared = ready.ok("lockout", "clear", "--all")
    assert cleared.out == "1 unlocked.\n"
    assert "1 over the limit of a year" in cleared.err
    assert ready.ok("lockout", "clear", "--all").out == "Nobody was locked.\n"
    for arguments in ((), (two, "--all")):
        assert "say whose lock" in ready.refused("lockout", "clear", *arguments, code=2)


def test_people_are_unlocked_by_what_they_are_called(ready: Shell) -> None:
    anna, ben = (
        ready.ok("user", "add", name, "--number", number, "--json").json["id"]
        for name, number in (("Anna", "1042"), ("Ben", "1043"))
    )
    own = {asyncio.run(lock(ready, user_id=anna, tier=tier)) for tier in ("kiosk", "phone")}
    other = asyncio.run(lock(ready, user_id=ben, tier="phone"))
    assert set(ready.ok("lockout", "clear", "1042", "--json").json["cleared"]) == own
    assert ready.refused("lockout", "clear", "Anna") == "Anna is not locked"
    assert "there is no person '77'" in ready.refused("lockout", "clear", "Ben", "77")
    assert ready.ok("lockout", "clear", "Ben", other).out == "1 unlocked.\n"
    asyncio.run(lock(ready, user_id=anna))
    assert ready.ok("lockout", "clear", anna).out == "1 unlocked.\n"
    assert "nobody has the id" in ready.refused("lockout", "clear", other)


def test_a_years_limit_on_one_tier_keeps_nobody_locked_on_the_other(ready: Shell) -> None:
    anna = ready.ok("user", "add", "Anna", "--number", "1042", "--json").json["id"]
    yearly = asyncio.run(lock(ready, user_id=anna, tier="phone", until=None))
    short = asyncio.run(lock(ready, user_id=anna))
    cleared = ready.ok("lockout", "clear", "1042", "--json")
    assert cleared.json == {"cleared": [short]}
    assert "1 over the limit of a year" in cleared.err
    assert [item["id"] for item in ready.ok("lockout", "list", "--json").items] == [yearly]
    refused = ready.refused("lockout", "clear", "1042")
    assert refused == "Anna has reached the limit of wrong tries in a year: only a new PIN ends this lock"


def test_namesakes_are_told_apart_by_what_else_is_known(ready: Shell) -> None:
    ready.ok("user", "add", "Anna", "--number", "1")
    ready.ok("user", "add", "Anna", "--email", "anna@example.com")
    refused = ready.refused("lockout", "clear", "Anna", code=2)
    assert "'Anna' names 2 people; say which by its id: " in refused
    assert "(1)" in refused
    assert "(anna@example.com)" in refused


def test_companies_of_one_name_are_told_apart_by_ids_alone(ready: Shell) -> None:
    second = ready.ok("company", "add", THE_COMPANY, "--json").json["id"]
    first = next(item["id"] for item in ready.ok("company", "list", "--json").items if item["id"] != second)
    for company in (first, second):
        ready.ok("user", "add", "Anna", "--number", "9", "--company", company)
    assert "say which by its id: " in ready.refused("lockout", "clear", "9", code=2)


def test_nobody_is_locked_before_there_is_a_company(shell: Shell) -> None:
    shell.ok("init")
    assert shell.ok("lockout", "clear", "--all").out == "Nobody was locked.\n"


def test_several_companies_are_told_apart(ready: Shell) -> None:
    ready.ok("company", "add", "Far Away", "--timezone", "Asia/Tokyo")
    first, second = (
        ready.ok("user", "add", "Anna", "--number", "9", "--company", company, "--json").json["id"]
        for company in (THE_COMPANY, "Far Away")
    )
    until = time.time() + 299
    asyncio.run(lock(ready, user_id=first, until=until))
    asyncio.run(lock(ready, user_id=second, until=until, company="Far Away"))
    heading, *rows = ready.ok("lockout", "list").out.splitlines()
    assert heading.startswith("Company")
    ready.ok("device", "add", "Gate 1", "--company", "Far Away")
    assert ready.ok("device", "list").out.splitlines()[1].startswith("Far Away  Gate 1")
    for name, zone in ((THE_COMPANY, "Europe/Berlin"), ("Far Away", "Asia/Tokyo")):
        row = next(row for row in rows if row.startswith(name))
        end = datetime.fromtimestamp(math.ceil(until / 60) * 60, ZoneInfo(zone))
        assert f"{end:%Y-%m-%d %H:%M %Z}" in row
    refused = ready.refused("lockout", "clear", "9", code=2)
    assert "'9' names 2 people; say which by its company (--company) or its id: " in refused
    assert f"{second} (9, Far Away)" in refused
    assert "choose one with --company" in ready.refused("lockout", "clear", "--all", code=2)
    assert ready.ok("lockout", "clear", "--all", "--company", "Far Away").out == "1 unlocked.\n"
    assert ready.ok("lockout", "clear", first).out == "1 unlocked.\n"


def test_a_new_pin_unlocks(ready: Shell) -> None:
    from gateway.pin_login.subjects import number_subject

    ready.ok("user", "add", "Anna", "--number", "1042")

    async def subject() -> str:
        settings = Settings.load(data_dir=ready.data_dir, pin_hash_memory_kib=8, pin_hash_time=1)
        async with open_administration(settings, prepare=False) as site:
            company = (await site.companies.list_())[0]
            return number_subject(site.guard_key, company.id, "phone", "1042").hex()

    asyncio.run(lock(ready, subject=asyncio.run(subject()), tier="phone", until=None))
    ready.ok("user", "set-pin", "1042")
    assert ready.ok("lockout", "list").out == "Nobody is locked.\n"
