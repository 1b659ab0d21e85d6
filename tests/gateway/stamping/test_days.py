"""The own last days: spans cut at local midnights."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from gateway.stamping.actions import Action, State
from gateway.stamping.days import DAYS_SHOWN, Span, StampedAction, spans, summarise, window

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = 3600.0


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> float:
    return datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp()


def stamped(*stamps: tuple[Action, float]) -> list[StampedAction]:
    return [StampedAction(action, when, "kiosk") for action, when in stamps]


def test_a_span_over_midnight_is_shared_by_two_days() -> None:
    stamps = stamped((Action.CLOCK_IN, at(3, 22)), (Action.CLOCK_OUT, at(4, 6)))
    days = summarise(stamps, at(4, 12), BERLIN)
    assert [(day.date, day.worked_seconds / HOUR) for day in days[-2:]] == [("2026-03-03", 2.0), ("2026-03-04", 6.0)]
    assert [len(day.stamps) for day in days[-2:]] == [1, 1]
    assert len(days) == DAYS_SHOWN


def test_breaks_are_told_apart_from_work() -> None:
    stamps = stamped(
        (Action.CLOCK_IN, at(3, 8)),
        (Action.BREAK_START, at(3, 12)),
        (Action.BREAK_END, at(3, 12, 30)),
        (Action.CLOCK_OUT, at(3, 16)),
    )
    day = summarise(stamps, at(3, 20), BERLIN)[-1]
    assert (day.worked_seconds, day.break_seconds, day.clock_out_missing) == (7.5 * HOUR, 0.5 * HOUR, False)


def test_the_open_span_counts_until_now() -> None:
    assert summarise(stamped((Action.CLOCK_IN, at(3, 8))), at(3, 10), BERLIN)[-1].worked_seconds == 2 * HOUR


def test_a_night_at_the_end_of_summer_time_has_an_hour_more() -> None:
    stamps = stamped((Action.CLOCK_IN, at(24, 22, month=10)), (Action.CLOCK_OUT, at(25, 6, month=10)))
    days = summarise(stamps, at(25, 12, month=10), BERLIN)
    assert [day.worked_seconds / HOUR for day in days[-2:]] == [2.0, 7.0]


def test_a_forgotten_clock_out_marks_the_day_of_its_clock_in_and_adds_no_time() -> None:
    stamps = stamped((Action.CLOCK_IN, at(3, 8)), (Action.CLOCK_IN, at(4, 8)), (Action.CLOCK_OUT, at(4, 9)))
    days = summarise(stamps, at(4, 12), BERLIN)
    assert [(day.worked_seconds, day.clock_out_missing) for day in days[-2:]] == [(0.0, True), (HOUR, False)]


def test_stamps_from_the_middle_of_a_stretch_do_not_break_it() -> None:
    found, forgotten = spans(stamped((Action.BREAK_END, at(3, 9)), (Action.CLOCK_OUT, at(3, 10))), at(3, 12))
    assert (found, forgotten) == ([], [])
    assert spans([], at(3, 12)) == ([], [])


def test_a_present_before_the_last_stamp_gives_no_negative_time() -> None:
    found, _ = spans(stamped((Action.CLOCK_IN, at(3, 9))), at(3, 8))
    assert found == [Span(State.IN, at(3, 9), at(3, 9))]


def test_the_window_begins_at_the_local_midnight_six_days_ago() -> None:
    assert window(at(31, 12), BERLIN) == at(25, 0)
