"""Corrections: new rows beside the old ones, and what becomes of days, time worked and presence."""

from __future__ import annotations

import asyncio
import itertools
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from gateway.http.models import rfc3339
from gateway.stamping.actions import Action, Presence, State, apply, valid_actions, worked_today
from gateway.stamping.corrections import presence_after
from gateway.stamping.days import StampedAction
from storage import stamps

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company
    from tests.gateway.terminal import Reply

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


async def to_noon(company: Company) -> float:
    """Move the clock to a noon in Berlin, so that no midnight comes between, and tell it."""
    now = company.house.clock()
    local = datetime.fromtimestamp(now, BERLIN)
    noon = local.replace(hour=12, minute=0, second=0, microsecond=0).timestamp()
    company.house.clock.move((noon - now) % 86_400 + 86_400)
    await company.renew()
    return company.house.clock()


async def correct(company: Company, user_id: str, action: str, at: float, **fields: Any) -> Reply:
    body = {"user_id": user_id, "action": action, "at": rfc3339(at), "reason": "forgot the card", **fields}
    return await company.hr.call("POST", "/api/stamps", body)


async def presence(company: Company, user_id: str) -> dict[str, Any]:
    status = await company.house.gateway.stamping.status(user_id, company.id)
    return {
        "state": status.state.value,
        "since": status.since,
        "worked": status.worked_today_seconds,
        "missing": status.clock_out_missing,
    }


async def someone(company: Company) -> str:
    return (await company.add(full_name="Bea Frost", personnel_number="3141")).id


async def history(company: Company, user_id: str) -> list[dict[str, Any]]:
    reply = await company.hr.call("GET", f"/api/stamps?user={user_id}")
    assert reply.status == 200
    items: list[dict[str, Any]] = reply.body["items"]
    return items


async def test_the_original_stays_and_is_shown_beside_its_correction(ours: Company) -> None:
    await to_noon(ours)
    user = await someone(ours)
    original = await ours.act("clock_in", user)
    async with ours.site.database.read() as connection:
        before = await stamps.list_(connection, ours.id, user_id=user)
    at = ours.house.clock() - HOUR
    reply = await correct(ours, user, "clock_in", at, replaces=original)
    assert reply.status == 201, reply
    made, shown = reply.body["stamp"], reply.body["original"]
    assert (made["tier"], made["reason"], made["at"]) == ("correction", "forgot the card", rfc3339(at))
    assert made["made_by"] == {"id": ours.hr.user.id, "full_name": ours.hr.user.full_name}
    assert made["replaces"]["id"] == original
    assert made["replaces"]["tier"] == "kiosk"
    assert (shown["id"], shown["replaced_by"]) == (original, made["id"])
    async with ours.site.database.read() as connection:
        assert await stamps.list_(connection, ours.id, user_id=user) == before
    assert await history(ours, user) == [shown, made], "newest first"
    trail = await ours.owner.call("GET", "/api/audit?name=stamp.corrected&limit=1")
    event = trail.body["items"][0]
    assert event["actor"] == f"user:{ours.hr.user.id}"
    assert event["subject"] == f"user:{user}"
    assert event["detail"] == {"correction": made["id"], "action": "clock_in", "replaces": original}


async def test_a_correction_of_today_makes_presence_and_time_worked_right(ours: Company) -> None:
    now = await to_noon(ours)
    user = await someone(ours)
    clocked_in = await ours.act("clock_in", user)
    assert (await presence(ours, user))["worked"] == pytest.approx(0, abs=2)
    assert (await correct(ours, user, "clock_in", now - 4 * HOUR, replaces=clocked_in)).status == 201
    found = await presence(ours, user)
    assert found["state"] == "in"
    assert found["since"] == pytest.approx(now - 4 * HOUR, abs=0.01)
    assert found["worked"] == pytest.approx(4 * HOUR, abs=5)
    for action, at in (("break_start", now - 2 * HOUR), ("break_end", now - HOUR)):
        assert (await correct(ours, user, action, at)).status == 201
    found = await presence(ours, user)
    assert (found["state"], found["worked"]) == ("in", pytest.approx(3 * HOUR, abs=5))
    assert (await correct(ours, user, "clock_out", now - HOUR / 2)).status == 201
    found = await presence(ours, user)
    assert (found["state"], found["worked"]) == ("out", pytest.approx(2.5 * HOUR, abs=5))
    listed = await ours.hr.call("GET", "/api/presence")
    assert user not in [item["user_id"] for item in listed.body["items"]]
    ours.house.clock.move(60)
    await ours.act("clock_in", user)
    found = await presence(ours, user)
    assert (found["state"], found["worked"]) == ("in", pytest.approx(2.5 * HOUR, abs=5))


async def test_a_forgotten_clock_out_is_said_later_and_counts(ours: Company) -> None:
    morning = await to_noon(ours)
    user = await someone(ours)
    await ours.act("clock_in", user)
    ours.house.clock.move(24 * HOUR)
    await ours.renew()
    await ours.act("clock_in", user)
    assert (await presence(ours, user))["missing"]
    reply = await ours.hr.call("GET", "/api/presence")
    assert next(item for item in reply.body["items"] if item["user_id"] == user)["clock_out_missing"]
    assert (await correct(ours, user, "clock_out", morning + 6 * HOUR)).status == 201
    found = await presence(ours, user)
    assert (found["state"], found["missing"]) == ("in", False)
    days = await ours.house.gateway.stamping.days(user, ours.id)
    assert [day.worked_seconds for day in days[-2:]] == [
        pytest.approx(6 * HOUR, abs=2),
        pytest.approx(ours.house.clock() - morning - 24 * HOUR, abs=5),
    ]
    assert [day.clock_out_missing for day in days[-2:]] == [False, False]
    assert [stamp.tier for stamp in days[-2].stamps] == ["kiosk", "correction"]


async def test_another_correction_does_not_hide_that_a_clock_out_is_missing(ours: Company) -> None:
    await to_noon(ours)
    user = await someone(ours)
    await ours.act("clock_in", user)
    ours.house.clock.move(20 * HOUR)
    await ours.act("clock_in", user)
    ours.house.clock.move(8 * HOUR)
    await ours.renew()
    assert (await correct(ours, user, "break_start", ours.house.clock() - HOUR)).status == 201
    found = await presence(ours, user)
    assert (found["state"], found["missing"]) == ("break", True)


async def test_a_clock_in_by_mistake_is_taken_back(ours: Company) -> None:
    await to_noon(ours)
    user = await someone(ours)
    mistake = await ours.act("clock_in", user)
    at = datetime.fromisoformat((await history(ours, user))[0]["at"]).timestamp()
    assert (await correct(ours, user, "clock_out", at, replaces=mistake)).status == 201
    ours.house.clock.move(HOUR)
    found = await presence(ours, user)
    assert (found["state"], found["worked"]) == ("out", 0)


async def test_a_correction_is_corrected_by_the_next_one_and_nothing_twice(ours: Company) -> None:
    now = await to_noon(ours)
    user = await someone(ours)
    original = await ours.act("clock_in", user)
    first = await correct(ours, user, "clock_in", now - HOUR, replaces=original)
    refused = await correct(ours, user, "clock_in", now - 2 * HOUR, replaces=original)
    assert (refused.status, refused.problem) == (409, "conflict")
    second = await correct(ours, user, "clock_in", now - 2 * HOUR, replaces=first.body["stamp"]["id"])
    assert second.status == 201
    assert second.body["original"]["id"] == first.body["stamp"]["id"]
    assert second.body["stamp"]["replaces"]["tier"] == "correction"
    assert (await presence(ours, user))["worked"] == pytest.approx(2 * HOUR, abs=5)
    again = await correct(ours, user, "clock_out", now)
    assert again.status == 201
    assert (await correct(ours, user, "clock_out", now)).problem == "conflict", "a form sent twice"


async def test_of_two_who_correct_one_stamp_at_once_one_is_refused(both: Company) -> None:
    now = await to_noon(both)
    user = await someone(both)
    original = await both.act("clock_in", user)
    replies = await asyncio.gather(
        *(correct(both, user, "clock_in", now - number * HOUR, replaces=original) for number in (1, 2, 3))
    )
    assert sorted(reply.status for reply in replies) == [201, 409, 409]
    assert len(await history(both, user)) == 2


async def test_stamps_and_corrections_at_the_same_moment_lose_nothing(both: Company) -> None:
    now = await to_noon(both)
    user = await someone(both)
    await both.act("clock_in", user)
    for number in range(1, 6):
        both.house.clock.move(60)
        await asyncio.gather(
            both.act("break_start" if number % 2 else "break_end", user),
            correct(both, user, "clock_out", now - number * HOUR),
        )
    found = await presence(both, user)
    assert found["state"] == "break"
    assert found["worked"] == pytest.approx(3 * 60, abs=10)
    assert len(await history(both, user)) == 11


async def test_every_fault_of_a_correction_is_named_at_once(ours: Company) -> None:
    body = {"user_id": "x", "action": "go", "at": "yesterday", "replaces": "y", "reason": " ", "tier": "kiosk"}
    reply = await ours.hr.call("POST", "/api/stamps", body)
    assert {fault["field"] for fault in reply.body["errors"]} == body.keys()
    user = await someone(ours)
    foreign = ours.stamp
    reply = await correct(ours, user, "clock_in", ours.house.clock() + 60, replaces=foreign)
    assert {fault["field"] for fault in reply.body["errors"]} == {"at", "replaces"}
    reply = await correct(ours, user, "clock_in", ours.house.clock() - 11 * 366 * 86_400)
    assert reply.body["errors"][0]["field"] == "at"
    body = {"user_id": user, "action": "clock_in", "at": "2026-01-31T08:00:00", "reason": "x"}
    reply = await ours.hr.call("POST", "/api/stamps", body)
    assert reply.body["errors"][0]["field"] == "at", "without a zone it is no instant"
    assert await history(ours, user) == []


async def test_somebody_who_has_left_can_still_be_corrected(ours: Company) -> None:
    user = await someone(ours)
    await ours.site.people.set_active(user, False, actor="cli")
    assert (await correct(ours, user, "clock_in", ours.house.clock() - HOUR)).status == 201


def test_a_history_followed_whole_is_what_it_was_stamp_by_stamp() -> None:
    chance = random.Random(20260301)
    start = datetime(2026, 3, 27, 5, tzinfo=UTC).timestamp()  # over the night in which the clocks go forward
    fresh = Presence(State.OUT, start, 0, None, "0001-01-01", 0.0, clock_out_missing=False)
    forgotten = 0
    for _ in range(200):
        step_by_step, now, made = fresh, start, list[StampedAction]()
        for _ in range(chance.randint(0, 30)):
            now += chance.choice([60, 1800, 4 * HOUR, 17 * HOUR, 30 * HOUR])
            action = chance.choice(valid_actions(step_by_step, now))
            step_by_step = apply(step_by_step, action, now, BERLIN)
            made.append(StampedAction(action, now, "kiosk"))
        later = now + chance.choice([0, HOUR, 20 * HOUR])
        whole = presence_after(fresh, made, later, BERLIN)
        forgotten += whole.clock_out_missing
        for one, other in zip(
            (whole.state, whole.since, whole.open_since, whole.clock_out_missing),
            (step_by_step.state, step_by_step.since, step_by_step.open_since, step_by_step.clock_out_missing),
            strict=True,
        ):
            assert one == other
        assert worked_today(whole, later, BERLIN) == pytest.approx(worked_today(step_by_step, later, BERLIN))
    assert forgotten > 5


def test_any_order_of_actions_is_followed_without_an_error() -> None:
    fresh = Presence(State.OUT, 0.0, 0, None, "0001-01-01", 0.0, clock_out_missing=False)
    actions = ["clock_in", "clock_out", "break_start", "break_end"]
    for order in itertools.product(actions, repeat=5):
        made = [StampedAction(Action(name), 1000.0 * number, "x") for number, name in enumerate(order, 1)]
        presence = presence_after(fresh, made, 10_000.0, BERLIN)
        assert 0 <= presence.worked_seconds <= 5000
        assert (presence.state is State.OUT) == (presence.open_since is None)
        valid_actions(presence, 10_000.0)
