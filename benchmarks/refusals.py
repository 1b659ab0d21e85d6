"""What it costs to refuse: no Redis call before a signature has passed, and far less work than a verification."""

from __future__ import annotations

import json
import os
import time
import uuid
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.arena import expect
from benchmarks.load import as_fast_as_possible
from benchmarks.population import Terminal
from benchmarks.signing import ACTION
from crypto.device_keys import DeviceKey

if TYPE_CHECKING:
    from benchmarks.arena import Arena, Target

TURNS = 9
EACH = 512
"""Requests of a kind in each turn."""

STALE_SECONDS = 600
KINDS = ("malformed", "stale", "stale nonce", "unknown key", "bad digest", "wrong signature")


def requests(arena: Arena, count: int) -> dict[str, list[bytes]]:
    """Return requests of each kind that must be refused with 401."""
    stranger = Terminal("", DeviceKey.generate(os.urandom), "", arena.population.terminals[0].token)
    terminals = arena.population.terminals

    def body() -> bytes:
        return json.dumps({"stamp_id": str(uuid.uuid4()), "action": "clock_in"}).encode()

    def stamp(terminal: Terminal, **changes: float) -> bytes:
        created = changes.get("created")
        return arena.signer.signed(
            terminal,
            ACTION,
            body(),
            f"Bearer {terminal.token}",
            created=None if created is None else int(created),
            minted_at=changes.get("minted_at"),
        )

    made: dict[str, list[bytes]] = {name: [] for name in KINDS}
    for number in range(count):
        terminal = terminals[number % len(terminals)]
        valid = stamp(terminal)
        made["malformed"].append(valid.replace(b"sig=(", b"sig=[", 1))
        made["bad digest"].append(valid.replace(b"sha-256=:", b"sha-512=:", 1))
        made["wrong signature"].append(_with_another_signature(valid))
        made["stale"].append(stamp(terminal, created=time.time() - STALE_SECONDS))
        made["stale nonce"].append(stamp(terminal, minted_at=time.time() - STALE_SECONDS))
        made["unknown key"].append(stamp(stranger))
    return made


def _with_another_signature(request: bytes) -> bytes:
    """Return the request with the first character of its signature changed: well-formed, and refused by the curve."""
    start = b"Signature: sig=:"
    at = request.index(start) + len(start)
    return request[:at] + (b"B" if request[at : at + 1] == b"A" else b"A") + request[at + 1 :]


def all_refused(target: Target, made: dict[str, list[bytes]]) -> None:
    """Have requests of each kind refused. Raises `WrongAnswers`."""
    for some in made.values():
        _refused(target, some)


def in_stamps(arena: Arena, target: Target) -> dict[str, float]:
    """Return how many whole stamps one refusal of each kind takes, each beside stamps at the same gateway: medians.

    Raises `WrongAnswers`.
    """
    ratios: dict[str, list[float]] = {name: [] for name in KINDS}
    for turn in range(TURNS):
        for number, (name, some) in enumerate(requests(arena, EACH).items(), turn):
            target.sign_everybody_in()
            stamps = arena.signer.stamps(EACH, target.done)
            refused = _refused(target, some) if number % 2 else 0.0  # neither is always the first
            accepted = expect(as_fast_as_possible(target.process.port, stamps), 201).per_second
            ratios[name].append(accepted / (refused or _refused(target, some)))
    return {name: median(some) for name, some in ratios.items()}


def logged(arena: Arena, target: Target, silent: Target) -> float:
    """Return the refusals per second of a gateway that logs each, divided by those of one that does not; the median.

    Raises `WrongAnswers`.
    """
    ratios, both = [], [target, silent]
    for _ in range(TURNS):
        made = requests(arena, EACH)["malformed"]
        both.reverse()
        rates = {one.name: _refused(one, made) for one in both}
        ratios.append(rates[target.name] / rates[silent.name])
    return median(ratios)


def _refused(target: Target, some: list[bytes]) -> float:
    return expect(as_fast_as_possible(target.process.port, some), 401).per_second
