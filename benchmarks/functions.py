"""Costs of single functions, in microseconds: steadier than any rate, and what the rates are made of.

They are measured in a few sittings all over a run. A ratio is the median over all of them; an absolute time is the
median of the quickest sitting, since other work on the machine only ever adds to it, and of the slowest beside it, to
show by how much.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from timeit import timeit
from typing import TYPE_CHECKING
from unittest import mock

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair

from benchmarks.refusals import requests
from benchmarks.signing import ACTION, AUTHORITY
from crypto.message_signatures import KIOSK_TAG, IncomingRequest, SignatureRefused, Verifier, verifier
from crypto.nonces import Nonces
from gateway.app import NONCE_KEY
from gateway.trust_feed.device_registry import DeviceRegistry
from gateway.trust_feed.feed import TrustFeed
from storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.arena import Arena

CALLS = 200
REPEATS = 21
"""In one sitting: some two seconds."""

RAW = "one raw libsodium verification"
VALID = "one valid request through verifier and registry"
WITHOUT_CURVE = "the same without the curve operation"

Sitting = dict[str, list[float]]
"""Microseconds of each function, in turns with the others."""


@dataclass(frozen=True, slots=True)
class Functions:
    """All sittings; besides `RAW`, `VALID` and `WITHOUT_CURVE` they have the requests that are refused, by kind."""

    sittings: list[Sitting] = field(default_factory=list)

    def quickest(self, name: str) -> float:
        """The median of the quickest sitting, in microseconds."""
        return min(median(sitting[name]) for sitting in self.sittings)

    def slowest(self, name: str) -> float:
        """The median of the slowest one."""
        return max(median(sitting[name]) for sitting in self.sittings)

    def ratio(self, name: str, to: str) -> float:
        """The median of one function divided by another that was timed beside it."""
        return median(
            one / other for sitting in self.sittings for one, other in zip(sitting[name], sitting[to], strict=True)
        )


def raw_verification() -> float:
    """Return the microseconds of one libsodium verification of a message as long as a signature base, at once."""
    return timeit(_raw_verification(), number=CALLS) / CALLS * 1e6


def sitting(arena: Arena) -> Sitting:
    """Time the verifier and the registry on this core, once."""
    nonces = Nonces(arena.secrets.purpose_keys(NONCE_KEY), arena.secrets.current_version, os.urandom)
    check = Verifier(frozenset({AUTHORITY}), nonces, "http")
    url = f"sqlite+aiosqlite:///{arena.home / 'sqlite' / 'stampgate.db'}"
    database = Database(url)
    with asyncio.Runner() as runner:
        feed = TrustFeed(database, time.time)
        registry = DeviceRegistry(feed, lambda: 0.0)  # what is unknown stays remembered as unknown

        async def load() -> None:
            async with database.read() as connection:
                await registry.load(connection)

        runner.run(load())
        now = time.time()

        def verify(request: IncomingRequest) -> None:
            claimed = check.read(request, KIOSK_TAG)
            device = registry.get(claimed.keyid)
            if device is None:
                # Remembered as unknown: answers without waiting for anything.
                try:
                    registry.find(claimed.keyid).send(None)
                except StopIteration:
                    return
                raise AssertionError("the registry asked the database")
            check.verify(claimed, device.public_key, now)

        def refused(request: IncomingRequest) -> None:
            try:
                verify(request)
            except SignatureRefused:
                return

        terminal = arena.population.terminals[0]
        body = b'{"stamp_id": "0b5cdd3c-5bd7-4a26-a56c-5b0a5f9c62d6", "action": "clock_in"}'
        valid = _incoming(arena.signer.signed(terminal, ACTION, body, f"Bearer {terminal.token}"))
        kinds = {name: _incoming(some[0]) for name, some in requests(arena, 1).items()}
        unknown = check.read(kinds["unknown key"], KIOSK_TAG).keyid
        runner.run(registry.find(unknown))

        verify(valid)
        costs = _side_by_side(
            {
                VALID: partial(verify, valid),
                RAW: _raw_verification(),
                **{name: partial(refused, request) for name, request in kinds.items()},
                WITHOUT_CURVE: partial(verify, valid),
            }
        )
        runner.run(database.close())
    return costs


def _incoming(request: bytes) -> IncomingRequest:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [tuple(line.split(b": ", 1)) for line in lines]
    method, target, _ = first.decode().split(" ")
    return IncomingRequest(method, target, [(name, value) for name, value in fields], body)


def _raw_verification() -> Callable[[], object]:
    public, secret = crypto_sign_seed_keypair(os.urandom(32))
    return partial(crypto_sign_open, crypto_sign(os.urandom(600), secret), public)


def _no_curve() -> contextlib.AbstractContextManager[object]:
    return mock.patch.object(verifier, "verify_signature", lambda *_: None)


def _side_by_side(functions: dict[str, Callable[[], object]]) -> Sitting:
    """Time each in turns, so that a busy moment of the machine spoils no comparison."""
    times: Sitting = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            with _no_curve() if name == WITHOUT_CURVE else contextlib.nullcontext():
                times[name].append(timeit(function, number=CALLS) / CALLS * 1e6)
    return times
