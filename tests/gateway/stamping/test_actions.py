"""The rule of clocking: which action is valid when, and what it makes true."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stamping.actions import (
    FORGOTTEN_AFTER,
    Action,
    ActionNotValid,
    Presence,
    State,
    apply,
    is_forgotten,
    valid_actions,
    worked_today,
)
from gateway.stamping.days import StampedAction, summarise

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0
NEVER_STAMPED = Presence(State.OUT, 0.0, 0, None, "0001-01-01", 0.0, clock_out_missing=False)
A_MORNING = datetime(2026, 3, 3, 8, tzinfo=BERLIN).timestamp()
ZONES = [ZoneInfo(name) for name in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "UTC")]


def after(*actions: tuple[Action, float], zone: ZoneInfo = BERLIN, start: Presence = NEVER_STAMPED) -> Presence:
    presence = start
    for action, at in actions:
        presence = apply(presence, action, at, zone)
    return presence


@pytest.mark.parametrize(
    ("state", "valid"),
    [
        (State.OUT, [Action.CLOCK_IN]),
        (State.IN, [Action.BREAK_START, Action.CLOCK_OUT]),
        (State.BREAK, [Action.BREAK_END, Action.CLOCK_OUT]),
    ],
)
def test_exactly_these_actions_are_valid_in_each_state(state: State, valid: list[Action]) -> None:
    opened = None if state is State.OUT else A_MORNING
    presence = Presence(state, A_MORNING, 7, opened, "2026-03-03", 0.0, clock_out_missing=False)
    now = A_MORNING + HOUR
    assert valid_actions(presence, now) == tuple(valid)
    for action in Action:
        if action in valid:
            assert apply(presence, action, now, BERLIN).sequence == 8
        else:
            with pytest.raises(ActionNotValid):
                apply(presence, action, now, BERLIN)


def test_a_day_with_a_break_adds_up() -> None:
    presence = after(
        (Action.CLOCK_IN, A_MORNING),
        (Action.BREAK_START, A_MORNING + 4 * HOUR),
        (Action.BREAK_END, A_MORNING + 5 * HOUR),
    )
    assert worked_today(presence, A_MORNING + 6 * HOUR, BERLIN) == 5 * HOUR
    out = apply(presence, Action.CLOCK_OUT, A_MORNING + 9 * HOUR, BERLIN)
    assert (out.state, out.open_since, out.sequence) == (State.OUT, None, 4)
    assert worked_today(out, A_MORNING + 10 * HOUR, BERLIN) == 8 * HOUR
    assert worked_today(out, A_MORNING + 17 * HOUR, BERLIN) == 0.0


def test_clocking_out_during_a_break_does_not_count_the_break() -> None:
    out = after(
        (Action.CLOCK_IN, A_MORNING),
        (Action.BREAK_START, A_MORNING + 2 * HOUR),
        (Action.CLOCK_OUT, A_MORNING + 3 * HOUR),
    )
    assert worked_today(out, A_MORNING + 4 * HOUR, BERLIN) == 2 * HOUR


def test_a_night_shift_counts_since_midnight_only() -> None:
    evening = datetime(2026, 3, 3, 22, tzinfo=BERLIN).timestamp()
    presence = after((Action.CLOCK_IN, evening))
    assert worked_today(presence, evening + 1 * HOUR, BERLIN) == 1 * HOUR
    assert worked_today(presence, evening + 5 * HOUR, BERLIN) == 3 * HOUR
    out = apply(presence, Action.CLOCK_OUT, evening + 8 * HOUR, BERLIN)
    assert worked_today(out, evening + 9 * HOUR, BERLIN) == 6 * HOUR


@pytest.mark.parametrize(
    ("day", "worked_hours"),
    [((2026, 3, 29), 22.0), ((2026, 10, 25), 24.0), ((2026, 3, 3), 23.0)],
    ids=["23 hours", "25 hours", "24 hours"],
)
def test_days_of_23_and_25_hours_come_out_right(day: tuple[int, int, int], worked_hours: float) -> None:
    """In from before midnight until 23:00 local time."""
    midnight = datetime(*day, tzinfo=BERLIN).timestamp()
    late = datetime(*day, 23, tzinfo=BERLIN).timestamp()
    presence = after((Action.CLOCK_IN, midnight - HOUR))
    assert worked_today(presence, late, BERLIN) == worked_hours * HOUR


def test_after_16_hours_a_clock_in_is_valid_and_the_open_span_is_marked() -> None:
    presence = after((Action.CLOCK_IN, A_MORNING))
    at_the_limit, later = A_MORNING + FORGOTTEN_AFTER, A_MORNING + FORGOTTEN_AFTER + 1
    assert Action.CLOCK_IN not in valid_actions(presence, at_the_limit)
    with pytest.raises(ActionNotValid):
        apply(presence, Action.CLOCK_IN, at_the_limit, BERLIN)
    assert valid_actions(presence, later)[0] is Action.CLOCK_IN
    anew = apply(presence, Action.CLOCK_IN, later, BERLIN)
    assert (anew.state, anew.since, anew.open_since, anew.clock_out_missing) == (State.IN, later, later, True)
    assert worked_today(anew, later, BERLIN) == 0.0
    assert not is_forgotten(anew, later)


def test_a_span_open_too_long_can_still_be_ended_as_usual() -> None:
    presence = after((Action.CLOCK_IN, A_MORNING))
    out = apply(presence, Action.CLOCK_OUT, A_MORNING + 20 * HOUR, BERLIN)
    assert (out.state, out.clock_out_missing) == (State.OUT, False)


def test_the_mark_of_a_forgotten_clock_out_goes_with_the_next_clock_in() -> None:
    presence = after((Action.CLOCK_IN, A_MORNING), (Action.CLOCK_IN, A_MORNING + 24 * HOUR))
    assert presence.clock_out_missing
    presence = after((Action.CLOCK_OUT, A_MORNING + 32 * HOUR), start=presence)
    assert presence.clock_out_missing
    assert not after((Action.CLOCK_IN, A_MORNING + 48 * HOUR), start=presence).clock_out_missing


def test_a_break_counts_into_the_16_hours_from_the_clock_in() -> None:
    presence = after((Action.CLOCK_IN, A_MORNING), (Action.BREAK_START, A_MORNING + 15 * HOUR))
    assert is_forgotten(presence, A_MORNING + 16 * HOUR + 1)


def test_work_completed_before_a_forgotten_break_end_stays_counted() -> None:
    just_after_midnight = datetime(2026, 3, 3, 0, 10, tzinfo=BERLIN).timestamp()
    stamps = [
        (Action.CLOCK_IN, just_after_midnight),
        (Action.BREAK_START, just_after_midnight + 2 * HOUR),
        (Action.CLOCK_IN, just_after_midnight + 18 * HOUR),
    ]
    presence, now = after(*stamps), just_after_midnight + 19 * HOUR
    assert worked_today(presence, now, BERLIN) == 3 * HOUR
    [day] = summarise([StampedAction(action, at, "kiosk") for action, at in stamps], now, BERLIN, days=1)
    assert (day.worked_seconds, day.clock_out_missing) == (3 * HOUR, True)


steps = st.lists(
    st.tuples(
        st.sampled_from(Action),
        st.one_of(st.integers(0, 4 * 3600), st.integers(0, 30 * 3600)),
    ),
    max_size=30,
)
beginnings = st.integers(1_767_225_600, 1_798_761_600).map(float)  # the year 2026


@given(steps=steps, begin=beginnings, zone=st.sampled_from(ZONES), later=st.integers(0, 40 * 3600))
def test_whatever_is_stamped_presence_says_what_the_stamps_say(
    steps: list[tuple[Action, int]], begin: float, zone: ZoneInfo, later: int
) -> None:
    presence, now, recorded = NEVER_STAMPED, begin, []
    for action, delay in steps:
        now += delay
        valid = action in valid_actions(presence, now)
        try:
            presence = apply(presence, action, now, zone)
        except ActionNotValid:
            assert not valid
        else:
            assert valid
            recorded.append(StampedAction(action, now, "kiosk"))
    now += later
    assert presence.sequence == len(recorded)
    if recorded:
        assert presence.since == recorded[-1].at
    assert (presence.open_since is None) == (presence.state is State.OUT)
    days = summarise(recorded, now, zone, days=60)
    assert worked_today(presence, now, zone) == pytest.approx(days[-1].worked_seconds, abs=1e-6)
    assert len([at for at in recorded if at.action is Action.CLOCK_IN]) >= sum(day.clock_out_missing for day in days)
    assert sum(len(day.stamps) for day in days) == len(recorded)
    # All working time there is: from each stamp to the next where that lies in the state `in`.
    state, worked = State.OUT, 0.0
    for stamp, following in pairwise([*recorded, StampedAction(Action.CLOCK_OUT, now, "")]):
        state = {
            Action.CLOCK_IN: State.IN,
            Action.BREAK_START: State.BREAK,
            Action.BREAK_END: State.IN,
            Action.CLOCK_OUT: State.OUT,
        }[stamp.action]
        if state is State.IN and following.action is not Action.CLOCK_IN:
            worked += following.at - stamp.at
    assert sum(day.worked_seconds for day in days) == pytest.approx(worked, abs=1e-6)
