from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crypto.tokens import token_hash
from gateway.http.problems import Problem
from tests.gateway.administered_site import changes, event_names, events

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage.companies import Company
    from tests.gateway.administered_site import MovedClock


async def test_a_new_company_keeps_the_phone_tier_closed(site: Administration, company: Company) -> None:
    assert (company.public_stamp_enabled, company.timezone, company.locale) == (False, "Europe/Berlin", "de")
    assert await site.companies.list_() == [company]
    assert [(change.kind, change.subject) for change in await changes(site)] == [("company", company.id)]


async def test_every_fault_of_a_company_is_told_at_once(site: Administration, company: Company) -> None:
    with pytest.raises(Problem) as refused:
        await site.companies.update(
            company.id,
            {"name": "", "timezone": "Mars/Base", "locale": "xx", "kiosk_networks": ["10.0.0.0/8", "?"], "id": "x"},
            actor="cli",
        )
    assert [fault.field for fault in refused.value.errors] == [
        "name",
        "timezone",
        "locale",
        "kiosk_networks.1",
        "id",
    ]


@pytest.mark.parametrize("name", ["Factory", "localtime", "europe/berlin", "Europe/Berlin "])
async def test_a_time_zone_is_one_that_means_the_same_on_every_machine(site: Administration, name: str) -> None:
    with pytest.raises(Problem) as refused:
        await site.companies.add("Müller GmbH", timezone=name, actor="cli")
    assert [error.field for error in refused.value.errors] == ["timezone"]


async def test_too_many_networks_are_one_fault(site: Administration, company: Company) -> None:
    with pytest.raises(Problem) as refused:
        await site.companies.update(company.id, {"kiosk_networks": ["10.0.0.0/8"] * 65}, actor="cli")
    assert [fault.field for fault in refused.value.errors] == ["kiosk_networks"]


async def test_settings_change_together_with_their_audit_event(site: Administration, company: Company) -> None:
    changed = await site.companies.update(
        company.id, {"name": "Meier AG", "timezone": "Europe/Vienna", "locale": "de"}, actor="user:1", request_id="r"
    )
    assert (changed.name, changed.timezone) == ("Meier AG", "Europe/Vienna")
    event = (await events(site))[-1]
    assert (event.name, event.actor, event.detail) == (
        "settings.changed",
        "user:1",
        {"changed": ["name", "timezone"]},
    )
    count = len(await changes(site))
    assert await site.companies.update(company.id, {"name": "Meier AG"}, actor="cli") == changed
    assert len(await changes(site)) == count


async def test_switching_the_phone_tier_ends_phone_sessions(site: Administration, company: Company) -> None:
    for switch in (True, False):
        await site.companies.update(company.id, {"public_stamp_enabled": switch}, actor="cli")
        assert (await changes(site))[-1].detail == {"link": True}
        assert (await events(site))[-1].detail["public_stamp_enabled"] is switch
    await site.companies.update(company.id, {"locale": "en"}, actor="cli")
    assert (await changes(site))[-1].detail == {}


async def test_a_link_is_shown_once_and_kept_as_a_hash(
    site: Administration, company: Company, clock: MovedClock
) -> None:
    link = await site.companies.rotate_link(company.id, actor="cli")
    assert link.url == f"https://stamp.example.com/stamp#t={link.token}"
    assert (link.created_at, link.enabled) == (clock.now, False)
    assert link.token not in repr(link)
    stored = await site.companies.get(company.id)
    assert (stored.link_hash, stored.link_version) == (token_hash(link.token), 1)
    assert all(link.token not in str(event) for event in await events(site))
    state = await site.companies.link_state(company.id)
    assert (state.enabled, state.active, state.created_at) == (False, True, clock.now)


async def test_versions_of_the_link_only_grow(site: Administration, company: Company) -> None:
    first = await site.companies.rotate_link(company.id, actor="cli")
    second = await site.companies.rotate_link(company.id, actor="cli")
    assert first.token != second.token
    assert await site.companies.disable_link(company.id, actor="cli")
    assert not await site.companies.disable_link(company.id, actor="cli")
    assert not (await site.companies.link_state(company.id)).active
    await site.companies.rotate_link(company.id, actor="cli")
    assert (await site.companies.get(company.id)).link_version == 4
    assert (await event_names(site))[-4:] == [
        "public_link.rotated",
        "public_link.rotated",
        "public_link.disabled",
        "public_link.rotated",
    ]
    assert all(change.detail == {"link": True} for change in (await changes(site))[-4:])


async def test_an_unknown_company_is_not_found(site: Administration) -> None:
    for attempt in (
        site.companies.get("x"),
        site.companies.update("x", {"locale": "en"}, actor="cli"),
        site.companies.rotate_link("x", actor="cli"),
        site.companies.disable_link("x", actor="cli"),
    ):
        with pytest.raises(Problem, match="not-found"):
            await attempt
