"""Costs of single functions, in microseconds: steadier than any rate, and what the rates are made of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
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
REPEATS = 51
WITHOUT_CURVE = "without the curve"


@dataclass(frozen=True, slots=True)
class Functions:
    """Microseconds: one raw libsodium verification, the whole check, the check without the curve, each refusal.

    `without_curve_in_raw`: in units of a raw verification timed beside it, for machines whose speed changes.
    """

    raw: float
    valid: float
    without_curve: float
    without_curve_in_raw: float
    refusals: dict[str, float]


def raw_verification() -> float:
    """Return the microseconds of one libsodium verification of a message as long as a signature base."""
    return _side_by_side({"raw": _raw_verification()})["raw"]


def measure(arena: Arena) -> Functions:
    """Measure the verifier and the registry on this core."""
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
                "valid": partial(verify, valid),
                "raw": _raw_verification(),
                **{name: partial(refused, request) for name, request in kinds.items()},
                WITHOUT_CURVE: partial(verify, valid),
            }
        )
        runner.run(database.close())
    refusals, bare = {name: costs[name] for name in kinds}, costs[WITHOUT_CURVE]
    return Functions(costs["raw"], costs["valid"], bare, bare / costs["raw"], refusals)


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


def _side_by_side(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the microseconds of each, timed in turns: the median, so that a busy moment of the machine spoils none."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            with _no_curve() if name == WITHOUT_CURVE else contextlib.nullcontext():
                times[name].append(timeit(function, number=CALLS) / CALLS * 1e6)
    return {name: median(some) for name, some in times.items()}
