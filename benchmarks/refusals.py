"""What it costs to refuse: no Redis call before a signature has passed, and far less work than a verification."""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import TYPE_CHECKING

from benchmarks.arena import expect
from benchmarks.load import as_fast_as_possible
from benchmarks.population import Terminal
from benchmarks.signing import ACTION
from crypto.device_keys import DeviceKey

if TYPE_CHECKING:
    from benchmarks.arena import Arena, Target

REFUSALS = 1024
STALE_SECONDS = 600
KINDS = ("malformed", "stale", "stale nonce", "unknown key", "bad digest", "wrong signature")


def requests(arena: Arena, count: int = REFUSALS) -> dict[str, list[bytes]]:
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


def per_second(target: Target, made: dict[str, list[bytes]]) -> dict[str, float]:
    """Return refusals per second of each kind, over 64 connections. Raises `WrongAnswers`."""
    return {name: expect(as_fast_as_possible(target.process.port, some), 401).per_second for name, some in made.items()}
