"""How long stamps take while people sign in: at half the maximum, with and without logins."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from statistics import median, quantiles
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.arena import expect
from benchmarks.load import CONNECTIONS, Answers, Arrival, as_they_arrive

if TYPE_CHECKING:
    from benchmarks.arena import Arena, Target

LOGINS_PER_SECOND = 40.0
SECONDS = 4.0
"""One segment; shorter than the ten seconds that a session lives after a stamp."""

LOGIN_CONNECTIONS = 192
"""A login waits for its hash, up to a second and a half when the queue is full."""


@dataclass(frozen=True, slots=True)
class Latency:
    """p99 of stamps in seconds, alone and beside logins, their ratio, what the logins were answered, and memory."""

    per_second: float
    alone: float
    beside_logins: float
    ratio: float
    logins: Counter[int]
    login_median: float
    resident_mb: float


def measure(arena: Arena, target: Target, per_second: float, pairs: int) -> Latency:
    """Alternate segments without and with logins. Raises `WrongAnswers` for a stamp or a login answered wrongly."""
    alone, beside, logins, login_times = [], [], Counter[int](), []
    for _ in range(pairs):
        alone.append(_p99(_segment(arena, target, per_second, 0.0)["stamp"]))
        answers = _segment(arena, target, per_second, LOGINS_PER_SECOND)
        beside.append(_p99(answers["stamp"]))
        logins += answers["login"].statuses
        login_times += answers["login"].latencies
    return Latency(
        per_second=per_second,
        alone=median(alone),
        beside_logins=median(beside),
        ratio=median(with_ / without for with_, without in zip(beside, alone, strict=True)),
        logins=logins,
        login_median=median(login_times),
        resident_mb=machine.resident_mb(target.process.pid)[1],
    )


def _segment(arena: Arena, target: Target, per_second: float, logins_per_second: float) -> dict[str, Answers]:
    stamps = int(per_second * SECONDS)
    logins = int(logins_per_second * SECONDS)
    arrivals = [
        *_arriving("stamp", arena.signer.stamps(stamps, target.done)),
        *_arriving("login", arena.signer.logins(logins)),
    ]
    target.sign_everybody_in()
    connections = {"stamp": CONNECTIONS, "login": LOGIN_CONNECTIONS}
    answers = as_they_arrive(target.process.port, sorted(arrivals, key=lambda one: one.due), connections)
    expect(answers["stamp"], 201)
    expect(answers["login"], 200, 401, 503)
    return answers


def _arriving(kind: str, requests: list[bytes]) -> list[Arrival]:
    """Spread requests over a segment as independent people do: at random moments, in their order."""
    draw = random.Random(len(requests))  # the same moments in each segment
    moments = sorted(draw.uniform(0.0, SECONDS) for _ in requests)
    return [Arrival(due, kind, request) for due, request in zip(moments, requests, strict=True)]


def _p99(answers: Answers) -> float:
    return quantiles(answers.latencies, n=100)[98]
