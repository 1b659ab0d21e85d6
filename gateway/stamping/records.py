"""What goes into stamping and what comes out of it, as values.

Tuples because each stamp makes one of every kind: a frozen dataclass costs four times as much to make.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.stamping.actions import Presence, is_forgotten, valid_actions, worked_today
from storage.stamps import NO_DAY

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from gateway.stamping.actions import Action, State


class StampRequest(NamedTuple):
    """A stamp somebody asks for. `stamp_id` is the client's UUID, unique per person."""

    user_id: str
    company_id: str
    stamp_id: str
    action: Action
    tier: str
    request_id: str
    device_id: str | None = None
    link_version: int | None = None


class Stamp(NamedTuple):
    """A committed stamp; `at` is Unix seconds by the gateway's clock."""

    id: str
    stamp_id: str
    action: Action
    at: float
    tier: str
    device_id: str | None


class Status(NamedTuple):
    """What is true of a person now and which actions are valid next; `since` is None for who has never stamped."""

    state: State
    since: float | None
    worked_today_seconds: float
    actions: tuple[Action, ...]
    clock_out_missing: bool


class Recorded(NamedTuple):
    """The outcome of a stamp; `repeated` when the same `stamp_id` had been recorded before."""

    stamp: Stamp
    status: Status
    repeated: bool


def status_of(presence: Presence, now: float, zone: ZoneInfo) -> Status:
    """Describe `presence` at `now` in the time zone of the company."""
    return Status(
        state=presence.state,
        since=None if presence.worked_day == NO_DAY else presence.since,
        worked_today_seconds=worked_today(presence, now, zone),
        actions=valid_actions(presence, now),
        clock_out_missing=presence.clock_out_missing or is_forgotten(presence, now),
    )


def status_after(presence: Presence) -> Status:
    """Describe `presence` at the very instant of the stamp that made it: all its working time is closed."""
    now = presence.since
    forgotten = is_forgotten(presence, now)
    actions = valid_actions(presence, now)
    return Status(presence.state, now, presence.worked_seconds, actions, presence.clock_out_missing or forgotten)
