"""Accepted stamps per second against the bare verification, and what is counted meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import functions
from benchmarks.arena import expect
from benchmarks.load import CONNECTIONS, Answers, as_fast_as_possible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.arena import Arena, Target
    from benchmarks.processes import Measured

CHUNK = 4096
"""Stamps after which all sessions are opened anew: each ends ten seconds after its first stamp."""


SAMPLES = 2000
"""Drawn for an interval."""


@dataclass(slots=True)
class Rounds:
    """The rounds of one process: answers per second, and processor seconds of all of them together.

    Together, because the system counts them in hundredths, and a round has a few dozen.
    """

    per_second: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def add(self, answers: Answers, cpu_seconds: float) -> None:
        """Note one round."""
        self.per_second.append(answers.per_second)
        self.cpu_seconds += cpu_seconds


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of rounds, and between what 95 % of such medians lie (bootstrap over the rounds)."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, rounds: Sequence[float]) -> Ratio:
        """Return the ratio of these rounds."""
        draw = random.Random(len(rounds))
        medians = sorted(median(draw.choices(rounds, k=len(rounds))) for _ in range(SAMPLES))
        return cls(median(rounds), medians[SAMPLES // 40], medians[-SAMPLES // 40])


@dataclass(frozen=True, slots=True)
class Throughput:
    """All rounds by process, one raw verification timed in each (microseconds), and what was counted at each gateway,
    per stamp."""

    rounds: dict[str, Rounds]
    raw: list[float]
    counted: dict[str, dict[str, float]]

    def ratio(self, name: str, to: str = "reference") -> Ratio:
        """Stamps per second divided by those of `to` in the same round."""
        pairs = zip(self.rounds[name].per_second, self.rounds[to].per_second, strict=True)
        return Ratio.of([one / other for one, other in pairs])

    def cpu_ratio(self, name: str) -> float:
        """The same by processor time, which other work on the machine disturbs less; of all rounds together."""
        return self.rounds["reference"].cpu_seconds / self.rounds[name].cpu_seconds

    def per_second(self, name: str) -> float:
        """The median of stamps per second."""
        return median(self.rounds[name].per_second)

    def raw_verifications(self, name: str) -> float:
        """How many raw libsodium verifications one stamp takes; the median over the rounds."""
        return median(1e6 / rate / raw for rate, raw in zip(self.rounds[name].per_second, self.raw, strict=True))


def send(
    process: Measured, requests: Sequence[bytes], into: Rounds | None = None, target: Target | None = None
) -> None:
    """Send `requests`, which must all be accepted, in chunks with fresh sessions. Raises `WrongAnswers`."""
    whole, cpu = Answers(), 0.0
    for at in range(0, len(requests), CHUNK):
        if target is not None:
            target.sign_everybody_in()
        before = process.cpu_seconds()
        answers = expect(as_fast_as_possible(process.port, requests[at : at + CHUNK], CONNECTIONS), 201)
        cpu += process.cpu_seconds() - before
        whole.seconds += answers.seconds
        whole.statuses += answers.statuses
    if into is not None:
        into.add(whole, cpu)


def measure(arena: Arena, *, rounds: int, stamps: int) -> Throughput:
    """Send the same signed stamps to the reference and to each gateway, in turns. Raises `WrongAnswers`.

    A machine that others share is half as quick a few seconds later, so many short rounds tell more than a few long
    ones: what is divided was measured beside each other.
    """
    targets = list(arena.targets.values())
    everybody: list[tuple[str, Measured, Target | None]] = [("reference", arena.reference, None)]
    everybody += [(target.name, target.process, target) for target in targets]
    result = {name: Rounds() for name, _, _ in everybody}
    done = [0] * len(arena.population.terminals)
    warm_up = arena.signer.stamps(CHUNK, done)
    send(arena.reference, warm_up)
    for target in targets:
        send(target.process, warm_up, target=target)
    before = {target.name: target.process.counters() for target in targets}
    raw, draw = list[float](), random.Random(rounds)
    for _ in range(rounds):
        requests = arena.signer.stamps(stamps, done)
        draw.shuffle(everybody)  # nobody always comes first, or behind the same one
        for name, process, gateway in everybody:
            send(process, requests, result[name], gateway)
        raw.append(functions.raw_verification())
    counted = {}
    for target in targets:
        target.done[:] = done
        after = target.process.counters()
        change = {name: after[name] - before[target.name][name] for name in after}
        sent = rounds * stamps
        counted[target.name] = {
            "round_trips": change["round_trips"] / sent,
            "commits": change["commits"] / sent,
            "full_collections": change["full_collections"],
        }
    return Throughput(result, raw, counted)


def round_trips_alone(arena: Arena, target: Target, stamps: int = 512) -> float:
    """Redis round trips per stamp over a single connection."""
    requests = arena.signer.stamps(stamps, target.done)
    target.sign_everybody_in()
    before = target.process.counters()["round_trips"]
    expect(as_fast_as_possible(target.process.port, requests, connections=1), 201)
    return (target.process.counters()["round_trips"] - before) / stamps


def unsigned(arena: Arena, target: Target, stamps: int, rounds: int = 7) -> float:
    """Signed stamps per second divided by unsigned ones at the same gateway, which does the same insert; the median."""
    ratios = []
    for _ in range(rounds):
        signed, plain = Rounds(), Rounds()
        send(target.process, arena.signer.stamps(stamps, target.done), signed, target)
        send(target.process, arena.signer.unsigned_stamps(stamps, target.done), plain)
        ratios.append(signed.per_second[0] / plain.per_second[0])
    return median(ratios)
