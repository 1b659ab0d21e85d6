"""An employee's own last days: stamps put together into spans, spans cut at local midnights."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from gateway.stamping.actions import TRANSITIONS, Action, State
from gateway.stamping.local_day import date_of, midnight

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

DAYS_SHOWN = 7
"""Local days in an employee's own view, today included."""


@dataclass(frozen=True, slots=True)
class StampedAction:
    """One stamp as this module needs it: what, when (Unix seconds), from which tier."""

    action: Action
    at: float
    tier: str


@dataclass(frozen=True, slots=True)
class Span:
    """Time spent in one state (*in* or *break*); `end` is the present for the span still open."""

    state: State
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Day:
    """One local day: seconds worked and on break, its stamps, and whether a clock-out was forgotten."""

    date: str
    worked_seconds: float
    break_seconds: float
    stamps: tuple[StampedAction, ...]
    clock_out_missing: bool


def window(now: float, zone: ZoneInfo, days: int = DAYS_SHOWN) -> float:
    """Return the Unix time at which the first of the last `days` local days begins."""
    return midnight(date_of(now, zone) - timedelta(days=days - 1), zone)


class Timeline(NamedTuple):
    """What ordered stamps add up to: closed spans, the starts of stretches whose clock-out was forgotten, and the end.

    `state` holds since `since`; `open_since` is the clock-in of the stretch still open; `clock_out_missing` tells that
    the latest clock-in came over an open stretch.
    """

    closed: list[Span]
    forgotten: list[float]
    state: State
    since: float | None
    open_since: float | None
    clock_out_missing: bool


def follow(stamps: Iterable[StampedAction]) -> Timeline:
    """Follow ordered `stamps`, whatever they are: corrections are made one by one and may contradict for a while.

    When somebody clocks in while not out, the span then open adds nothing, because nobody knows when it ended; what the
    stretch had completed before (work up to a break) stays, as in `actions.apply`. The first stamp may come from the
    middle of a stretch; what precedes it is unknown and not counted.
    """
    closed: list[Span] = []
    forgotten: list[float] = []
    state, since, opened, missing = State.OUT, 0.0, 0.0, False
    stamp = None
    for stamp in stamps:
        starts = stamp.action is Action.CLOCK_IN
        if starts:
            missing = state is not State.OUT
        if missing and starts:
            forgotten.append(opened)
        elif state is not State.OUT:
            closed.append(Span(state, since, stamp.at))
        if starts:
            state, opened = State.IN, stamp.at
        else:
            state = TRANSITIONS[state].get(stamp.action, State.OUT if stamp.action is Action.CLOCK_OUT else state)
        since = stamp.at
    return Timeline(
        closed,
        forgotten,
        state,
        since=None if stamp is None else since,
        open_since=None if state is State.OUT else opened,
        clock_out_missing=missing,
    )


def spans(stamps: Iterable[StampedAction], now: float) -> tuple[list[Span], list[float]]:
    """Return the spans that ordered `stamps` make, the open one up to `now`, and the starts of forgotten stretches."""
    line = follow(stamps)
    if line.since is None or line.state is State.OUT:
        return line.closed, line.forgotten
    return [*line.closed, Span(line.state, line.since, max(now, line.since))], line.forgotten


def summarise(stamps: Sequence[StampedAction], now: float, zone: ZoneInfo, days: int = DAYS_SHOWN) -> list[Day]:
    """Return the last `days` local days up to `now`, oldest first.

    `stamps` are in their order and reach back to the clock-in of the stretch that was open when the first day began.
    """
    found, forgotten = spans(stamps, now)
    last = date_of(now, zone)
    result = []
    for back in range(days - 1, -1, -1):
        date = last - timedelta(days=back)
        start, end = midnight(date, zone), midnight(date + timedelta(days=1), zone)
        seconds = dict.fromkeys(State, 0.0)
        for span in found:
            seconds[span.state] += max(0.0, min(span.end, end) - max(span.start, start))
        result.append(
            Day(
                date=date.isoformat(),
                worked_seconds=seconds[State.IN],
                break_seconds=seconds[State.BREAK],
                stamps=tuple(stamp for stamp in stamps if start <= stamp.at < end),
                clock_out_missing=any(start <= at < end for at in forgotten),
            )
        )
    return result
