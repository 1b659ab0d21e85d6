"""The lockout policy in plain Python, one step at a time: what the guard's script is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.ephemeral.pin_guard import Attempt, Limits

LockFacts = tuple[str, str, str, float, float]


@dataclass
class NumberState:
    consecutive: int = 0
    ladder: int = 0
    until: float = 0
    wrong: list[float] = field(default_factory=list)


@dataclass
class PlaceState:
    until: float = 0
    wrong: list[float] = field(default_factory=list)


@dataclass
class SourceState:
    last: float = float("-inf")
    wrong: list[float] = field(default_factory=list)


class PolicyModel:
    """One company and tier. All times in whole seconds or milliseconds that binary fractions hold exactly."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.flying: dict[Attempt, float] = {}
        self.numbers: dict[str, NumberState] = {}
        self.places: dict[tuple[str, str], PlaceState] = {}
        self.sources: dict[str, SourceState] = {}
        self.unlocks: dict[tuple[str, str], int] = {}
        self.unreported: list[LockFacts] = []

    def in_flight(self, number: str) -> int:
        return sum(attempt.number == number for attempt in self.flying)

    def number(self, name: str) -> NumberState:
        return self.numbers.setdefault(name, NumberState())

    def place(self, scope: str, subject: str) -> PlaceState:
        return self.places.setdefault((scope, subject), PlaceState())

    def source(self, name: str) -> SourceState:
        return self.sources.setdefault(name, SourceState())

    def report(self) -> list[LockFacts]:
        begun, self.unreported = self.unreported, []
        return sorted(begun)

    def lapse(self, now: float) -> None:
        """Attempts without a result for ten seconds are wrong ones of their tenth second, in order of time."""
        due = sorted((at + self.limits.flight, attempt.id, attempt) for attempt, at in self.flying.items())
        for at, _, attempt in due:
            if at <= now:
                del self.flying[attempt]
                self.count_wrong(attempt, at)

    def count_wrong(self, attempt: Attempt, at: float) -> None:
        limits, state = self.limits, self.number(attempt.number)
        if at >= state.until + limits.ladder_reset:
            state.ladder = 0
        state.consecutive += 1
        if state.consecutive == limits.consecutive:
            state.until = at + min(limits.lock * 2**state.ladder, limits.lock_cap)
            state.ladder += 1
            state.consecutive = 0
            self.unreported.append(("number", attempt.number, "consecutive", at, state.until))
        state.wrong = [when for when in (*state.wrong, at) if when > at - limits.day]
        if len(state.wrong) == limits.daily:
            self.unreported.append(("number", attempt.number, "daily", at, state.wrong[0] + limits.day))
        places = [("company", attempt.company_id, limits.company, limits.company_window, limits.company_pause)]
        if attempt.device_id:
            places.append(("device", attempt.device_id, limits.device, limits.device_window, limits.device_pause))
        for scope, subject, allowed, window, pause in places:
            place = self.place(scope, subject)
            if allowed and at >= place.until:
                place.wrong = [when for when in (*place.wrong, at) if when > at - window]
                if len(place.wrong) == allowed:
                    place.wrong, place.until = [], at + pause
                    self.unreported.append((scope, subject, "pause", at, place.until))
        if attempt.source:
            self.source(attempt.source).wrong.append(at)

    def refusals(self, attempt: Attempt, now: float) -> dict[str, float]:
        """The seconds each refusing scope wants to wait; empty when the attempt may be hashed."""
        limits, state, waits = self.limits, self.number(attempt.number), {"number": 0.0}
        flying = self.in_flight(attempt.number)
        today = [when for when in state.wrong if when > now - limits.day]
        waits["number"] = state.until - now
        if len(today) >= limits.daily:
            waits["number"] = max(waits["number"], today[-limits.daily] + limits.day - now)
        elif flying + state.consecutive >= limits.consecutive or flying + len(today) >= limits.daily:
            waits["number"] = max(waits["number"], 0.001)
        waits["company"] = self.place("company", attempt.company_id).until - now
        if attempt.device_id:
            waits["device"] = self.place("device", attempt.device_id).until - now
        if attempt.source:
            source = self.source(attempt.source)
            recent = sum(when > now - limits.source_window for when in source.wrong)
            if recent >= limits.source and now < source.last + limits.source_gap:
                waits["source"] = limits.source_gap
        return {scope: wait for scope, wait in waits.items() if wait > 0}

    def reserve(self, attempt: Attempt, now: float) -> dict[str, float]:
        self.lapse(now)
        refusals = self.refusals(attempt, now)
        if not refusals:
            self.flying[attempt] = now
            if attempt.source:
                self.source(attempt.source).last = now
        return refusals

    def settle(self, outcome: str, attempt: Attempt, now: float) -> bool:
        self.lapse(now)
        if self.flying.pop(attempt, None) is None:
            return False
        if outcome == "right":
            self.number(attempt.number).consecutive = 0
            self.number(attempt.number).ladder = 0
        elif outcome == "wrong":
            self.count_wrong(attempt, now)
        return True

    def clear(self, scope: str, subject: str, seq: int, now: float) -> None:
        if seq <= self.unlocks.get((scope, subject), 0):
            return
        self.unlocks[scope, subject] = seq
        # What turned wrong up to now is wiped; what it did to others stands and is reported by the next call.
        # A lock that nobody has been told of yet never was one.
        self.lapse(now)
        self.unreported = [lock for lock in self.unreported if lock[:2] != (scope, subject)]
        if scope == "number":
            self.numbers[subject] = NumberState()
        else:
            self.places[scope, subject] = PlaceState()
