"""The stamps of one transaction, each judged against what the ones before it made true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.problems import Problem
from gateway.stamping.actions import Action, ActionNotValid, Presence, State, apply
from gateway.stamping.models import status_answer
from gateway.stamping.records import Recorded, Stamp, status_of
from storage.stamps import NewPresence, NewStamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from zoneinfo import ZoneInfo

    from gateway.stamping.records import StampRequest
    from storage.stamps import PresenceRow
    from storage.stamps import Stamp as StoredStamp


class StampBatch:
    """The stamps of one transaction, judged one after the other against what is true inside it."""

    def __init__(
        self,
        rows: Mapping[str, PresenceRow],
        repeats: Mapping[tuple[str, str], StoredStamp],
        now: float,
        zone: Callable[[str], ZoneInfo],
        new_id: Callable[[], str],
    ) -> None:
        self._rows = rows
        self._presence: dict[str, Presence] = {}
        self._known = {key: _stamp(row) for key, row in repeats.items()}
        # Whole milliseconds, as stored: an answer and its repeat tell the same instant.
        self._now = round(now, 3)
        self._zone = zone
        self._new_id = new_id
        self.inserts: list[NewStamp] = []

    def judge(self, request: StampRequest) -> Recorded | Exception:
        """Return the outcome of one stamp and note what to write for it."""
        user_id = request.user_id
        row = self._rows.get(user_id)
        if row is None or not row.active or row.company_id != request.company_id:
            return Problem("session-expired", cause="person not active")
        presence = self._presence.get(user_id) or presence_of(row)
        zone, now = self._zone(request.company_id), self._now
        known = self._known.get((user_id, request.stamp_id))
        if known is not None:
            if known.action != request.action:
                return Problem("stamp-id-reused")
            return Recorded(known, status_of(presence, now, zone), repeated=True)
        try:
            after = apply(presence, request.action, now, zone)
        except ActionNotValid:
            status = status_answer(status_of(presence, now, zone))
            return Problem("action-not-valid", current_status=status)
        stamp = Stamp(self._new_id(), request.stamp_id, request.action, now, request.tier, request.device_id)
        self._known[user_id, request.stamp_id] = stamp
        self._presence[user_id] = after
        self.inserts.append(
            NewStamp(
                stamp.id,
                request.company_id,
                user_id,
                after.sequence,
                request.stamp_id,
                request.action.value,
                request.tier,
                request.device_id,
                request.link_version,
                request.request_id,
                now,
            )
        )
        return Recorded(stamp, status_of(after, now, zone), repeated=False)

    def changed(self) -> list[NewPresence]:
        """Return the presence to write, one row per person, in the order in which they were locked."""
        return [
            NewPresence(
                user_id,
                presence.state.value,
                presence.sequence,
                presence.worked_day,
                presence.clock_out_missing,
                presence.since,
                presence.worked_seconds,
                presence.open_since,
            )
            for user_id, presence in sorted(self._presence.items())
        ]


def presence_of(row: PresenceRow) -> Presence:
    """Return a stored presence row as a value of this domain."""
    return Presence(
        state=State(row.state),
        since=row.since,
        sequence=row.sequence,
        open_since=row.open_since,
        worked_day=row.worked_day,
        worked_seconds=row.worked_seconds,
        clock_out_missing=bool(row.clock_out_missing),
    )


def _stamp(row: StoredStamp) -> Stamp:
    return Stamp(row.id, row.stamp_id, Action(row.action), row.at, row.tier, row.device_id)
