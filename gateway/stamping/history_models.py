"""How lists of stamps, corrections and who is in look on the wire."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from gateway.http.fields import Form, Id
from gateway.http.models import Answer, Body, Rfc3339
from gateway.http.paging import PAGE_SIZE, Limit, PageQuery
from gateway.people.fields import read_text
from gateway.stamping.actions import Action, State

if TYPE_CHECKING:
    from gateway.stamping.corrections import Corrected
    from gateway.stamping.history import PersonNow
    from storage.stamp_history import ListedStamp

REASON_LIMIT: Final = 500
"""Characters, as wide as the column."""

_PLACE: Final = r"-?[0-9]{1,16}\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Place = Annotated[str, Form(_PLACE, "must be a next_cursor of this list")]
"""A place in the list, as whole milliseconds and an id: a cursor that names a stamp would tell whether it exists."""


def _read_reason(text: str) -> str:
    return read_text(text, REASON_LIMIT)


class StampsQuery(Body):
    """Which stamps: `from` is included, `to` is not; `user` is a person's id. A file has no pages."""

    from_: AwareDatetime | None = Field(None, alias="from")
    to: AwareDatetime | None = None
    user: Id | None = None
    cursor: Place | None = None
    limit: Limit = PAGE_SIZE
    format: Literal["json", "csv"] = "json"


class OriginalStamp(Answer):
    """What a correction stands in place of."""

    id: str
    action: Action
    at: Rfc3339
    tier: str


class Author(Answer):
    """Who made a correction."""

    id: str
    full_name: str


class HistoryStamp(Answer):
    """A stamp, or a correction: those have a reason and an author. `replaced_by`: it counts no more."""

    id: str
    user_id: str
    full_name: str
    personnel_number: str | None = None
    action: Action
    at: Rfc3339
    tier: str
    device_id: str | None = None
    device_label: str | None = None
    link_version: int | None = Field(None, description="Of a phone's stamp: the number of the poster it was made by.")
    replaced_by: str | None = None
    replaces: OriginalStamp | None = None
    reason: str | None = None
    made_by: Author | None = None
    made_at: Rfc3339 | None = None


class StampsAnswer(Answer):
    """Stamps and corrections, newest first."""

    items: tuple[HistoryStamp, ...]
    next_cursor: str | None = None


class CorrectionBody(Body):
    """What somebody did and when, instead of the stamp or correction that it replaces, if any."""

    user_id: Id
    action: Annotated[Action, Field(strict=False)]
    at: AwareDatetime
    replaces: Id | None = None
    reason: Annotated[str, AfterValidator(_read_reason), Field(min_length=1, max_length=REASON_LIMIT)]


class CorrectionAnswer(Answer):
    """A correction, with what it stands in place of."""

    stamp: HistoryStamp
    original: HistoryStamp | None = None


class PresenceQuery(PageQuery):
    """Who: those in state `state`; left out, all who are in or on break."""

    state: State | None = None


class PresenceItem(Answer):
    """Where one person is now."""

    user_id: str
    full_name: str
    personnel_number: str | None = None
    state: State
    since: Rfc3339 | None = Field(None, description="Absent for somebody who has never stamped.")
    worked_today_seconds: int
    clock_out_missing: bool | None = Field(None, description="Present and true when a clock-out was forgotten.")


class PresenceAnswer(Answer):
    """People by name."""

    items: tuple[PresenceItem, ...]
    next_cursor: str | None = None


def place_of(stamp: ListedStamp) -> str:
    """Return the cursor of the page behind a stamp."""
    return f"{round(stamp.at * 1000)}.{stamp.id}"


def is_place(cursor: str) -> bool:
    """Tell whether `read_place` can read it."""
    return re.fullmatch(_PLACE, cursor, re.ASCII) is not None


def read_place(cursor: str | None) -> tuple[float, str] | None:
    """Return the place a cursor names."""
    if cursor is None:
        return None
    milliseconds, _, own_id = cursor.partition(".")
    return int(milliseconds) / 1000, own_id


def history_stamp(stamp: ListedStamp) -> HistoryStamp:
    """Return the answer model of a stamp or correction."""
    original = None
    if stamp.replaces is not None and stamp.original_at is not None and stamp.original_action is not None:
        original = OriginalStamp(
            id=stamp.replaces,
            action=Action(stamp.original_action),
            at=stamp.original_at,
            tier=stamp.original_tier or "",
        )
    author = None if stamp.made_by is None else Author(id=stamp.made_by, full_name=stamp.made_by_name or "")
    return HistoryStamp(
        id=stamp.id,
        user_id=stamp.user_id,
        full_name=stamp.full_name,
        personnel_number=stamp.personnel_number,
        action=Action(stamp.action),
        at=stamp.at,
        tier=stamp.tier,
        device_id=stamp.device_id,
        device_label=stamp.device_label,
        link_version=stamp.link_version,
        replaced_by=stamp.replaced_by,
        replaces=original,
        reason=stamp.reason,
        made_by=author,
        made_at=stamp.made_at,
    )


def correction_answer(corrected: Corrected) -> CorrectionAnswer:
    """Return the answer model of a correction."""
    original = corrected.original
    return CorrectionAnswer(
        stamp=history_stamp(corrected.stamp), original=None if original is None else history_stamp(original)
    )


def presence_item(now: PersonNow) -> PresenceItem:
    """Return the answer model of somebody's presence."""
    person, status = now.person, now.status
    return PresenceItem(
        user_id=person.user_id,
        full_name=person.full_name,
        personnel_number=person.personnel_number,
        state=status.state,
        since=status.since,
        worked_today_seconds=int(status.worked_today_seconds),
        clock_out_missing=status.clock_out_missing or None,
    )
