"""Phones are asked by everybody: five hundred answers, in turn at numbers that exist and at numbers that do not.

The hash is as cheap as it can be, so that what else might differ is not hidden behind it; that it costs the same for
both is shown at its real cost in `tests/gateway/pin_login/test_oracle.py`.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from gateway.pin_login.service import PinLogin
from tests.gateway.crowd import hire
from tests.gateway.house import House, open_house
from tests.gateway.phone import Phone
from tests.gateway.telling_apart import chance_of_equal, seen
from tests.samples import samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.terminal import Reply
    from tests.servers.redis import RedisServer

WRONG = "481516"
PAIRS = samples(250)
"""Four times what shows the difference below."""

TRIES_PER_NUMBER = 4
"""One less than locks it."""
LANES = 8
PAIRS_PER_LANE_AND_HOUR = 6
"""Of two wrong tries each: fewer than pause a company."""

Timed = tuple[float, "Reply"]


@pytest.fixture
async def proxied(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data", trusted_proxies="127.0.0.0/8", redis_url=redis_server.url) as house:
        yield house


async def timed(phone: Phone, number: str) -> Timed:
    started = time.perf_counter()
    reply = await phone.sign_in(number, WRONG)
    return time.perf_counter() - started, reply


async def answers(house: House, pairs: int) -> tuple[list[Timed], list[Timed]]:
    """Wrong tries at known and unknown numbers, each from an address of its own.

    A few at the same moment, as a gateway is asked; in each lane a pair at a time, in random order.
    """
    count = -(-pairs // TRIES_PER_NUMBER)
    await hire(house.gateway.administration, house.company_id, [f"1{at:04}" for at in range(count)], "907311")
    known: list[Timed] = []
    unknown: list[Timed] = []

    async def lane(ats: range) -> None:
        for at in ats:
            pair = [(f"1{at % count:04}", known), (f"2{at % count:04}", unknown)]
            random.shuffle(pair)
            for side, (number, found) in enumerate(pair):
                found.append(await timed(house.phone(f"198.{18 + side}.{at // 250}.{at % 250 + 1}"), number))

    per_hour = LANES * PAIRS_PER_LANE_AND_HOUR
    for first in range(0, pairs, per_hour):
        last = min(first + per_hour, pairs)
        await asyncio.gather(*(lane(range(first + at, last, LANES)) for at in range(LANES)))
        house.clock.move(3601)
    return known, unknown


async def test_no_answer_of_five_hundred_tells_a_known_number_from_an_unknown_one(proxied: House) -> None:
    known, unknown = await answers(proxied, PAIRS)
    first = seen(known[0][1])
    assert first[0] == 401
    assert all(seen(reply) == first for _, reply in (*known, *unknown))
    assert chance_of_equal([seconds for seconds, _ in known], [seconds for seconds, _ in unknown]) > 1e-4


async def test_the_measurement_would_notice_if_tries_at_unknown_numbers_were_not_written_down(
    proxied: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = PinLogin._record_failure

    async def only_known(self: PinLogin, credentials: object, subject: object, record: object) -> None:
        if record.user is not None:  # type: ignore[attr-defined]
            await written(self, credentials, subject, record)  # type: ignore[arg-type]

    monkeypatch.setattr(PinLogin, "_record_failure", only_known)
    known, unknown = await answers(proxied, 80)
    assert chance_of_equal([seconds for seconds, _ in known], [seconds for seconds, _ in unknown]) < 1e-4


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
