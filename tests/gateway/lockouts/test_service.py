from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.problems import Problem
from storage import lockouts
from storage.lockouts import Lockout
from tests.gateway.administered_site import NOON, changes, event_names, events

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage.companies import Company
    from tests.gateway.administered_site import MovedClock


async def locked(site: Administration, company_id: str, **values: Any) -> Lockout:
    given: dict[str, Any] = {
        "tier": "kiosk",
        "scope": "number",
        "subject": "ab" * 32,
        "reason": "consecutive",
        "since": NOON,
        "until": NOON + 300,
    }
    lockout = Lockout(id=site.new_id(), company_id=company_id, **(given | values))
    async with site.database.write() as connection:
        await lockouts.add_lock(connection, lockout)
    return lockout


async def test_the_list_tells_who_and_leaves_out_what_is_over(
    site: Administration, company: Company, clock: MovedClock
) -> None:
    anna = await site.people.add(company.id, full_name="Anna", personnel_number="1", actor="cli")
    hers = await locked(site, company.id, user_id=anna.id)
    nobodys = await locked(site, company.id, since=NOON + 1, until=None)
    await locked(site, company.id, until=NOON)
    found = await site.lockouts.list_(company.id)
    assert [(one.lockout.id, one.user, one.ends_by_itself) for one in found] == [
        (nobodys.id, None, False),
        (hers.id, anna, True),
    ]
    assert await site.lockouts.list_(site.new_id()) == []
    clock.move(300)
    assert [one.lockout.id for one in await site.lockouts.list_()] == [nobodys.id]


async def test_unlocking_is_audited_and_reaches_the_gateways(site: Administration, company: Company) -> None:
    anna = await site.people.add(company.id, full_name="Anna", personnel_number="1", actor="cli")
    lockout = await locked(site, company.id, user_id=anna.id, tier="phone")
    pause = await locked(site, company.id, scope="device", subject="d1")
    before = len(await changes(site))
    cleared = await site.lockouts.clear([lockout.id, pause.id], actor="user:it")
    assert {one.id for one in cleared} == {lockout.id, pause.id}
    assert await site.lockouts.list_() == []
    written = {change.subject: change for change in (await changes(site))[before:]}
    assert written[lockout.id].kind == "lockout"
    assert written[lockout.id].detail == {
        "company_id": company.id,
        "tier": "phone",
        "scope": "number",
        "subject": lockout.subject,
    }
    assert {event.subject for event in (await events(site))[-2:]} == {f"user:{anna.id}", "device:d1"}
    assert (await event_names(site))[-2:] == ["pin.unlocked"] * 2


async def test_what_is_unknown_foreign_or_over_is_not_found_and_then_nothing_is_cleared(
    site: Administration, company: Company
) -> None:
    lockout = await locked(site, company.id)
    over = await locked(site, company.id, until=NOON - 1)
    other = await site.companies.add("Other", actor="cli")
    for ids, company_id in (([lockout.id, "x"], None), ([over.id], None), ([lockout.id], other.id)):
        with pytest.raises(Problem, match="not-found"):
            await site.lockouts.clear(ids, company_id=company_id, actor="cli")
    assert [one.lockout.id for one in await site.lockouts.list_()] == [lockout.id]


async def test_the_limit_of_a_year_is_lifted_by_a_new_pin_only(site: Administration, company: Company) -> None:
    yearly = await locked(site, company.id, until=None, reason="yearly")
    short = await locked(site, company.id)
    with pytest.raises(Problem, match="conflict"):
        await site.lockouts.clear([short.id, yearly.id], actor="cli")
    assert [one.id for one in await site.lockouts.clear_all(company.id, actor="cli")] == [short.id]
    assert [one.lockout.id for one in await site.lockouts.list_()] == [yearly.id]


async def test_clearing_all_is_for_one_company_or_for_all(site: Administration, company: Company) -> None:
    other = await site.companies.add("Other", actor="cli")
    await locked(site, company.id)
    theirs = await locked(site, other.id)
    assert len(await site.lockouts.clear_all(company.id, actor="cli")) == 1
    assert [one.id for one in await site.lockouts.clear_all(None, actor="cli")] == [theirs.id]
    assert await site.lockouts.clear_all(None, actor="cli") == []
    assert (await events(site))[-1].subject is None
