"""Corrections in the nights in which the clocks change: no hour is added or lost without a word."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from storage.stamp_history import Wanted
from tests.gateway.pages.console.visitor import visitor_as

if TYPE_CHECKING:
    from tests.gateway.house import House, Person
    from tests.gateway.pages.console.visitor import Shown, Visitor

CORRECT = "/console/stamps/correct"


async def times(house: House, person: Person) -> list[float]:
    """The instants of a person's stamps that count, oldest first."""
    site = house.gateway.administration
    page = await site.history.page(Wanted(company_id=house.company_id, user_id=person.id), None, 100)
    return sorted(one.at for one in page if one.replaced_by is None)


def utc(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


async def add(visitor: Visitor, person: Person, at: str, **fields: str) -> Shown:
    values = {"user": person.id, "stamp": "", "action": "clock_in", "reason": "forgot", "at": at}
    return await visitor.post(CORRECT, values | fields)


@pytest.mark.parametrize(("hour", "instant"), [("first", "2025-10-26T00:30"), ("second", "2025-10-26T01:30")])
async def test_which_of_two_equal_hours_is_asked_and_kept(house: House, hour: str, instant: str) -> None:
    person, visitor = await house.person("0101"), await visitor_as(house, "hr")
    asked = await add(visitor, person, "2025-10-26T02:30", reason="")
    assert asked.status == 400
    assert 'name="hour"' in asked.text
    assert asked.faults[0].startswith("Must be chosen: the clocks were put back")
    assert await times(house, person) == []
    kept = await add(visitor, person, "2025-10-26T02:30", reason="", hour=hour)
    assert 'name="hour"' in kept.text
    assert (await add(visitor, person, "2025-10-26T02:30", hour=hour)).status == 303
    assert await times(house, person) == [utc(instant)]


async def test_a_time_that_nobody_touched_stays_the_same_instant(house: House) -> None:
    person, visitor = await house.person("0101"), await visitor_as(house, "hr")
    await add(visitor, person, "2025-10-26T02:30", hour="second")
    listed = await visitor.get(f"/console/stamps?user={person.id}")
    stamp = listed.text.partition(f'href="{CORRECT}?stamp=')[2].partition('"')[0]
    form = await visitor.get(f"{CORRECT}?stamp={stamp}")
    done = await add(visitor, person, form.value("at"), stamp=stamp, action="clock_out")
    assert done.status == 303
    assert await times(house, person) == [utc("2025-10-26T01:30")]


@pytest.mark.parametrize("at", ["2026-03-29T02:30", "2026-01-05T08:00:00+09:00", "2026-01-05T08:00Z"])
async def test_a_time_that_no_clock_showed_or_of_another_zone_is_refused(house: House, at: str) -> None:
    person, visitor = await house.person("0101"), await visitor_as(house, "hr")
    refused = await add(visitor, person, at)
    assert refused.status == 400
    assert len(refused.faults) == 1
    assert await times(house, person) == []
