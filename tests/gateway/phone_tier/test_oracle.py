"""Phones are asked by everybody: five hundred answers, in turn at numbers that exist and at numbers that do not.

The hash is as cheap as it can be, so that what else might differ is not hidden behind it; that it costs the same for
both is shown at its real cost in `tests/gateway/pin_login/test_oracle.py`.
"""

from __future__ import annotations

import random
import secrets
import time
from typing import TYPE_CHECKING, Any

import pytest

from gateway.http.problems import Problem
from gateway.pin_login.service import PinLogin
from tests.gateway.crowd import hire
from tests.gateway.house import House, open_house
from tests.gateway.phone import Phone
from tests.gateway.telling_apart import chance_of_equal, seen
from tests.samples import samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.pin_login.service import Credentials
    from tests.gateway.terminal import Reply

WRONG = "481516"
PAIRS = samples(250)
MOST_PAIRS = 4 * PAIRS
"""So many, where a busy machine hides even what must show."""

EARLY_EVERY = 4
"""In each so manieth round, all along: enough to show that a try at an unknown number is answered early."""

EARLY_START = "3"
"""With which the numbers begin whose tries are answered early: neither written down nor settled with the guard."""

TRIES_PER_NUMBER = 4
"""One less than locks it."""

ROUNDS_PER_HOUR = 32
"""Of three wrong tries each: fewer than pause a company."""

Timed = tuple[float, "Reply"]


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[House]:
    """Without Redis: it counts numbers and never knows whose they are, and waiting for it hides differences."""
    async with open_house(tmp_path / "data", trusted_proxies="127.0.0.0/8") as house:
        yield house


async def timed(phone: Phone, number: str) -> Timed:
    started = time.perf_counter()
    reply = await phone.sign_in(number, WRONG)
    return time.perf_counter() - started, reply


async def answers(house: House) -> dict[str, list[Timed]]:
    """Wrong tries at known and at two sorts of unknown numbers, each from an address of its own.

    One at a time, of each sort one in random order: what several wait for in a queue would hide what they differ in. It
    goes on until what is answered early shows.
    """
    count = -(-MOST_PAIRS // TRIES_PER_NUMBER)
    await hire(house.gateway.administration, house.company_id, [f"1{at:04}" for at in range(count)], "907311")
    found: dict[str, list[Timed]] = {"known": [], "unknown": [], "early": []}
    starts = {"known": "1", "unknown": "2", "early": EARLY_START}
    for at in range(MOST_PAIRS):
        if at >= PAIRS and at % ROUNDS_PER_HOUR == 0 and tells(found, "early"):
            break
        if at % ROUNDS_PER_HOUR == 0:
            house.clock.move(3601)
        sorts = list(found)[: 2 if at % EARLY_EVERY else 3]
        for sort in random.sample(sorts, len(sorts)):
            phone = house.phone(f"198.{17 + int(starts[sort])}.{at // 250}.{at % 250 + 1}")
            found[sort].append(await timed(phone, f"{starts[sort]}{at % count:04}"))
    return found


def tells(found: dict[str, list[Timed]], sort: str) -> bool:
    """Whether answers at known numbers and those of this sort take different times, in all likelihood."""
    known, others = ([seconds for seconds, _ in found[one]] for one in ("known", sort))
    return chance_of_equal(known, others) < 1e-4


async def test_no_answer_of_five_hundred_tells_a_known_number_from_an_unknown_one(
    proxied: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = PinLogin._record_failure

    async def perhaps(self: PinLogin, credentials: Credentials, subject: bytes, record: Any) -> None:
        if credentials.personnel_number.startswith(EARLY_START):
            raise Problem("login-failed")
        await written(self, credentials, subject, record)

    monkeypatch.setattr(PinLogin, "_record_failure", perhaps)
    found = await answers(proxied)
    first = seen(found["known"][0][1])
    assert first[0] == 401
    assert all(seen(reply) == first for replies in found.values() for _, reply in replies)
    assert not tells(found, "unknown")
    # The measurement would notice if tries at unknown numbers were answered as soon as it is known that they are.
    assert tells(found, "early")


async def test_no_answer_of_five_hundred_tells_an_old_poster_from_an_invented_one(house: House) -> None:
    old = house.phone()
    await house.gateway.administration.companies.rotate_link(house.company_id, actor="cli")
    await house.told()
    times: dict[bool, list[float]] = {True: [], False: []}
    said = set()
    for _ in range(PAIRS):
        for is_old in random.sample([True, False], k=2):
            link = old.link if is_old else secrets.token_urlsafe(32)
            phone = Phone(house.http, house.url, link)
            started = time.perf_counter()
            reply = await phone.call("POST", "/company", {"token": link})
            times[is_old].append(time.perf_counter() - started)
            said.add(repr(seen(reply)))
    assert len(said) == 1
    assert chance_of_equal(times[True], times[False]) > 1e-4
