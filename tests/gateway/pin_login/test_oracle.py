"""Nobody can tell a personnel number that exists from one that does not: by the answer, or by how long it takes."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from crypto.pins import PIN_COST, PinHasher
from storage import users
from tests.gateway.house import open_house
from tests.gateway.telling_apart import chance_of_equal, seen
from tests.gateway.terminal import KIOSK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House
    from tests.gateway.phone import Phone
    from tests.gateway.terminal import Terminal

WRONG = "481516"
TRIES_PER_NUMBER = 4
"""One less than locks it."""
PAIRS = 28
"""Timed in each measurement: enough that half a dozen delays by a busy machine hide no difference."""


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_no_answer_tells_a_known_number_from_an_unknown_one(house: House, tier: str) -> None:
    people = house.gateway.administration.people
    await house.person("0101")
    await people.set_active((await house.person("0102")).id, False, actor="cli")
    await people.add(house.company_id, full_name="No Pin", personnel_number="0103", actor="cli")
    await house.told()
    courses = []
    for number in ("0101", "0102", "0103", "0104", "000000000000"):
        door: Terminal | Phone = await house.terminal() if tier == "kiosk" else house.phone()
        replies = [await door.sign_in(number, WRONG) for _ in range(5)]
        locked = await door.sign_in(number, WRONG)
        # Whole seconds until the same end of the lock: the answers themselves are some milliseconds apart.
        assert abs(int(locked.headers.pop("Retry-After")) - (300 if tier == "kiosk" else 900)) <= 2
        courses.append([seen(reply) for reply in (*replies, locked)])
    for course in courses:
        assert course == courses[0]
    assert [status for status, _, _ in courses[0]] == [401] * 5 + [429]


def test_the_statistic_tells_equal_from_different() -> None:
    source = random.Random(7)
    alike = [source.gauss(20, 5) for _ in range(80)]
    assert chance_of_equal(alike[:40], alike[40:]) > 0.01
    assert chance_of_equal(alike[:40], [value + 15 for value in alike[40:]]) < 1e-6


async def durations(house: House, rounds: int) -> tuple[list[float], list[float]]:
    """Time wrong tries at known and unknown numbers, a pair at a time in random order, at the real cost of a hash."""
    terminal = await house.terminal()
    pins, database = house.gateway.administration.pins, house.gateway.administration.database
    record, count = pins.hash("907311"), -(-rounds // TRIES_PER_NUMBER)
    for at in range(count):
        user = await house.gateway.administration.people.add(
            house.company_id, full_name="Somebody", personnel_number=f"1{at:03}", actor="cli"
        )
        async with database.write() as connection:
            await users.set_pin(connection, user.id, record, house.clock())
    known: list[float] = []
    unknown: list[float] = []
    for at in range(rounds):
        pair = [(f"1{at % count:03}", known), (f"2{at % count:03}", unknown)]
        random.shuffle(pair)
        for number, times in pair:
            body = f'{{"personnel_number":"{number}","pin":"{WRONG}"}}'.encode()
            fields = terminal.headers("POST", f"{KIOSK}/auth", body, nonce=await terminal.nonce())
            started = time.perf_counter()
            reply = await terminal.send("POST", f"{KIOSK}/auth", body, fields)
            times.append(time.perf_counter() - started)
            assert reply.problem == "login-failed"
        if at % 25 == 24:
            house.clock.move(3601)  # sixty wrong ones in an hour would pause the terminal
    return known, unknown


REAL_COST = {"pin_hash_memory_kib": PIN_COST.memory_kib, "pin_hash_time": PIN_COST.time}


async def test_no_duration_tells_a_known_number_from_an_unknown_one(tmp_path: Path) -> None:
    async with open_house(tmp_path / "data", **REAL_COST) as house:
        known, unknown = await durations(house, PAIRS)
    assert chance_of_equal(known, unknown) > 1e-4


async def test_the_measurement_would_notice_if_unknown_numbers_were_not_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = PinHasher.verify

    def without_dummy(self: PinHasher, record: bytes, pin: str) -> bool:
        return record != self.dummy_record and verify(self, record, pin)

    monkeypatch.setattr(PinHasher, "verify", without_dummy)
    async with open_house(tmp_path / "data", **REAL_COST) as house:
        known, unknown = await durations(house, PAIRS)
    assert chance_of_equal(known, unknown) < 1e-4
