"""The guard's script against the policy in plain Python, step by step, with a clock that is moved."""

from __future__ import annotations

import asyncio
import math
import uuid

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from storage.ephemeral.connection import Ephemeral
from storage.ephemeral.pin_guard import Attempt, Limits, Lock, PinGuard, Reserved, Scope, Throttled
from tests.samples import samples
from tests.storage.ephemeral.policy_model import LockFacts, PolicyModel

# All scopes in one tier and small, so that short runs reach every lock, pause and step of the ladder.
SMALL = Limits(
    consecutive=3,
    lock=64,
    lock_cap=128,
    ladder_reset=512,
    daily=5,
    day=1024,
    device=6,
    device_window=256,
    device_pause=32,
    company=8,
    company_window=256,
    company_pause=32,
    source=4,
    source_window=256,
    source_gap=4,
)
RUNS = samples(20)
"""Of the model beside a real server; the same script elsewhere needs fewer to show that it runs there too."""
PASSING = [0.0, 0.5, 1.0, 3.5, 4.0, 9.5, 10.0, 10.5, 31.5, 32.0, 64.0, 127.5, 128.0, 256.0, 512.0, 639.5, 640.0, 1024.0]


class GuardMachine(RuleBasedStateMachine):
    runner: asyncio.Runner
    store: Ephemeral

    def __init__(self) -> None:
        super().__init__()
        self.guard = PinGuard(self.store, {"kiosk": SMALL})
        self.model = PolicyModel(SMALL)
        self.company = uuid.uuid4().hex  # of this run alone, so that a shared server need not be flushed
        self.now = 1_700_000_000.0
        self.attempts: list[Attempt] = []

    def facts(self, locks: tuple[Lock, ...] | list[Lock]) -> list[LockFacts]:
        return sorted((lock.scope, lock.subject, lock.reason, lock.since, lock.until) for lock in locks)

    @rule(
        number=st.sampled_from("ab"),
        device=st.sampled_from([None, "kiosk-1", "kiosk-1", "kiosk-2"]),
        source=st.sampled_from([None, "192.0.2.1", "2001:db8::|/64"]),
        tries=st.integers(1, 4),
    )
    def reserve(self, number: str, device: str | None, source: str | None, tries: int) -> None:
        for _ in range(tries):
            name = f"{len(self.attempts):04d}"
            attempt = Attempt(name, self.company, "kiosk", number, device, source)
            refusals = self.model.reserve(attempt, self.now)
            answer = self.runner.run(self.guard.reserve(attempt, self.now))
            assert self.facts(answer.locks) == self.model.report()
            if not refusals:
                assert isinstance(answer, Reserved)
                assert answer.position == self.model.in_flight(number)
                self.attempts.append(attempt)
            else:
                assert isinstance(answer, Throttled)
                assert answer.retry_after == math.ceil(max(refusals.values()))
                assert refusals[answer.scope] == max(refusals.values())

    @rule(outcome=st.sampled_from(["right", "wrong", "wrong", "wrong", "release"]), back=st.integers(0, 6))
    def settle(self, outcome: str, back: int) -> None:
        """Also attempts settled or lapsed long ago."""
        if back >= len(self.attempts):
            return
        attempt = self.attempts[-1 - back]
        in_time = self.model.settle(outcome, attempt, self.now)
        if outcome == "right":
            settled = self.runner.run(self.guard.right(attempt, self.now))
            assert settled.in_time == in_time
            locks = list(settled.locks)
        else:
            locks = self.runner.run(getattr(self.guard, outcome)(attempt, self.now))
        assert self.facts(locks) == self.model.report()

    @rule(number=st.sampled_from("ab"), device=st.sampled_from(["kiosk-1", "kiosk-2"]))
    def wrong_at_once(self, number: str, device: str) -> None:
        attempt = Attempt(f"{len(self.attempts):04d}", self.company, "kiosk", number, device, None)
        refusals = self.model.reserve(attempt, self.now)
        answer = self.runner.run(self.guard.reserve(attempt, self.now))
        assert isinstance(answer, Throttled) == bool(refusals)
        assert self.facts(answer.locks) == self.model.report()
        if not refusals:
            self.attempts.append(attempt)
            self.settle_as_wrong(attempt)

    def settle_as_wrong(self, attempt: Attempt) -> None:
        assert self.model.settle("wrong", attempt, self.now)
        assert self.facts(self.runner.run(self.guard.wrong(attempt, self.now))) == self.model.report()

    @rule(
        subject=st.sampled_from([("number", "a"), ("number", "b"), ("device", "kiosk-1"), ("company", "")]),
        seq=st.integers(1, 8),
    )
    def clear(self, subject: tuple[Scope, str], seq: int) -> None:
        scope, name = subject
        name = name or self.company
        self.model.clear(scope, name, seq, self.now)
        self.runner.run(self.guard.clear(self.company, "kiosk", scope, name, seq, self.now))

    @rule(seconds=st.sampled_from(PASSING))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def wrong_in_a_row_and_in_flight_stay_within_the_limit(self) -> None:
        for number, state in self.model.numbers.items():
            assert state.consecutive + self.model.in_flight(number) <= SMALL.consecutive


def test_the_script_agrees_with_the_policy_step_by_step(url: str) -> None:
    with asyncio.Runner() as runner:
        store = Ephemeral.open(url)
        machine = type("Machine", (GuardMachine,), {"runner": runner, "store": store})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=RUNS if url.startswith("redis://") else RUNS // 3,
                    stateful_step_count=40,
                    deadline=None,
                    phases=[Phase.generate, Phase.shrink],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(store.close())
