"""Actions and the transitions they make: the whole rule of clocking, as functions over values.

Actions are explicit, never a toggle: whoever taps twice by mistake repeats an action instead of reversing it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.stamping.local_day import local_day

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

FORGOTTEN_AFTER = 16 * 3600.0
"""Seconds after which an open span counts as a forgotten clock-out. Longer than any legal working day, shorter than
the distance between two mornings, so that yesterday never blocks today."""


class Action(StrEnum):
    """What an employee can do at a terminal or on a phone."""

    CLOCK_IN = "clock_in"
    CLOCK_OUT = "clock_out"
    BREAK_START = "break_start"
    BREAK_END = "break_end"


class State(StrEnum):
    """Where the latest stamp left the employee."""

    OUT = "out"
    IN = "in"
    BREAK = "break"


TRANSITIONS: Mapping[State, Mapping[Action, State]] = {
    State.OUT: {Action.CLOCK_IN: State.IN},
    State.IN: {Action.BREAK_START: State.BREAK, Action.CLOCK_OUT: State.OUT},
    State.BREAK: {Action.BREAK_END: State.IN, Action.CLOCK_OUT: State.OUT},
}

_ACTIONS: Final = {state: tuple(actions) for state, actions in TRANSITIONS.items()}


class ActionNotValid(Exception):
    """The action makes no sense in the present state; nothing was recorded."""


class Presence(NamedTuple):
    """What is true of one employee after `sequence` stamps. Times are Unix seconds.

    `worked_seconds` is the closed working time of the local day `worked_day` (ISO date); the open span is added when
    somebody asks. `open_since` is the clock-in of the open span, `None` while out.
    """

    state: State
    since: float
    sequence: int
    open_since: float | None
    worked_day: str
    worked_seconds: float
    clock_out_missing: bool


def is_forgotten(presence: Presence, now: float) -> bool:
    """Whether the open span is so old that its clock-out must have been forgotten."""
    return presence.open_since is not None and now - presence.open_since > FORGOTTEN_AFTER


def valid_actions(presence: Presence, now: float) -> tuple[Action, ...]:
    """Return the actions that are valid at `now`, the most likely first."""
    actions = _ACTIONS[presence.state]
    return (Action.CLOCK_IN, *actions) if is_forgotten(presence, now) else actions


def worked_today(presence: Presence, now: float, zone: ZoneInfo) -> float:
    """Seconds spent in state *in* since local midnight of `zone`; days of 23 and 25 hours come out right."""
    return _worked(presence, now, *local_day(now, zone))


def _worked(presence: Presence, now: float, day: str, midnight: float) -> float:
    worked = presence.worked_seconds if presence.worked_day == day else 0.0
    if presence.state is State.IN:
        worked += max(0.0, now - max(presence.since, midnight))
    return worked


def apply(presence: Presence, action: Action, now: float, zone: ZoneInfo) -> Presence:
    """Return the presence after `action` at `now`.

    A clock-in over a forgotten span starts anew: the old span is marked and adds no time, because nobody knows when it
    ended; a correction says so later.

    Raises `ActionNotValid`.
    """
    target = TRANSITIONS[presence.state].get(action)
    day, midnight = local_day(now, zone)
    if target is None:
        if not (action is Action.CLOCK_IN and is_forgotten(presence, now)):
            raise ActionNotValid(f"{action} while {presence.state}")
        kept = presence.worked_seconds if presence.worked_day == day else 0.0
        return Presence(State.IN, now, presence.sequence + 1, now, day, kept, clock_out_missing=True)
    starts = action is Action.CLOCK_IN
    return Presence(
        target,
        now,
        presence.sequence + 1,
        now if starts else None if target is State.OUT else presence.open_since,
        day,
        _worked(presence, now, day, midnight),
        False if starts else presence.clock_out_missing,
    )
