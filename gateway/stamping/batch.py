"""The stamps of one transaction, each judged against what the ones before it made true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.problems import Problem
from gateway.stamping.actions import Action, ActionNotValid, Presence, State, apply
from gateway.stamping.models import status_answer
from gateway.stamping.records import Recorded, Stamp, status_after, status_of
from storage.stamps import NewPresence, NewStamp, PresenceRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from gateway.stamping.records import StampRequest
    from storage.stamps import Stamp as StoredStamp

_STATES: Final = {state.value: state for state in State}


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
        self._milliseconds = round(now * 1000)
        self._zone = zone
        self._new_id = new_id
        self.inserts: list[NewStamp] = []

    def judge(self, request: StampRequest) -> Recorded | Exception:
        """Return the outcome of one stamp and note what to write for it."""
        user_id, company_id, stamp_id, action, tier, request_id, device_id, link_version = request
        row = self._rows.get(user_id)
        if row is None or not row.active or row.company_id != company_id:
            return Problem("session-expired", cause="person not active")
        presence = self._presence.get(user_id) or presence_of(row)
        zone, now = self._zone(company_id), self._now
        key = (user_id, stamp_id)
        known = self._known.get(key)
        if known is not None:
            if known.action != action:
                return Problem("stamp-id-reused")
            return Recorded(known, status_of(presence, now, zone), repeated=True)
        try:
            after = apply(presence, action, now, zone)
        except ActionNotValid:
            status = status_answer(status_of(presence, now, zone))
            return Problem("action-not-valid", current_status=status)
        own_id = self._new_id()
        self._known[key] = stamp = Stamp(own_id, stamp_id, action, now, tier, device_id)
        self._presence[user_id] = after
        self.inserts.append(
            NewStamp(
                own_id,
                company_id,
                user_id,
                after.sequence,
                stamp_id,
                action._value_,  # `value` is a property in Python, six times as slow in 3.11
                tier,
                device_id,
                link_version,
                request_id,
                self._milliseconds,
            )
        )
        return Recorded(stamp, status_after(after), False)

    def changed(self) -> list[NewPresence]:
        """Return the presence to write, one row per person."""
        return [
            NewPresence(
                user_id,
                presence.state._value_,
                presence.sequence,
                presence.worked_day,
                presence.clock_out_missing,
                self._rows[user_id].version,
                self._milliseconds,  # whatever is changed here is so since now
                round(presence.worked_seconds * 1000),
                None if presence.open_since is None else round(presence.open_since * 1000),
            )
            for user_id, presence in self._presence.items()
        ]

    def after(self) -> Iterator[PresenceRow]:
        """Return the presence of the people it changes as it is once `changed` is written."""
        for user_id, presence in self._presence.items():
            yield PresenceRow(
                user_id,
                self._rows[user_id].company_id,
                presence.state._value_,
                presence.since,
                presence.sequence,
                presence.worked_day,
                presence.worked_seconds,
                presence.open_since,
                presence.clock_out_missing,
                True,
                self._rows[user_id].version + 1,
            )


def presence_of(row: PresenceRow) -> Presence:
    """Return a stored presence row as a value of this domain."""
    return Presence(
        _STATES[row.state],
        row.since,
        row.sequence,
        row.open_since,
        row.worked_day,
        row.worked_seconds,
        row.clock_out_missing,
    )


def _stamp(row: StoredStamp) -> Stamp:
    return Stamp(row.id, row.stamp_id, Action(row.action), row.at, row.tier, row.device_id)
