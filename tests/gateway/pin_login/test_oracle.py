"""Nobody can tell a personnel number that exists from one that does not: by the answer, or by how long it takes."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from sqlalchemy import event

from crypto.pins import PIN_COST, PinHasher
from tests.gateway.crowd import hire
from tests.gateway.house import open_house
from tests.gateway.pin_login.conftest import new_number
from tests.gateway.telling_apart import chance_of_equal, seen
from tests.gateway.terminal import KIOSK

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House
    from tests.gateway.phone import Phone
    from tests.gateway.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "481516"
TRIES_PER_NUMBER = 4
"""One less than locks it."""
OF_THE_GATEWAY = ("FROM trust_", "devices")
"""What it reads and writes by itself: changes of trust, and which terminals were heard of."""

ROUNDS = 24
"""Enough that a missing hash still shows when a busy machine delays two answers beyond all others."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def numbers(on_redis: House) -> list[str]:
    """Of somebody, of somebody deactivated, of somebody without a PIN, and two of nobody."""
    people, found = on_redis.gateway.administration.people, [new_number() for _ in range(4)]
    await on_redis.person(found[0])
    await people.set_active((await on_redis.person(found[1])).id, False, actor="cli")
    await people.add(on_redis.company_id, full_name="No Pin", personnel_number=found[2], actor="cli")
    await on_redis.told()
    return [*found, "000000000000"]


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_no_answer_tells_a_known_number_from_an_unknown_one(
    house: House, terminal: Terminal, numbers: list[str], tier: str
) -> None:
    door: Terminal | Phone = terminal if tier == "kiosk" else house.phone()
    courses = []
    for number in numbers:
        replies = [await door.sign_in(number, WRONG) for _ in range(5)]
        locked = await door.sign_in(number, WRONG)
        # Whole seconds until the same end of the lock: the answers themselves are some milliseconds apart.
        assert abs(int(locked.headers.pop("Retry-After")) - (300 if tier == "kiosk" else 900)) <= 2
        courses.append([seen(reply) for reply in (*replies, locked)])
    for course in courses:
        assert course == courses[0]
    assert [status for status, _, _ in courses[0]] == [401] * 5 + [429]


async def statements_of(house: House, door: Terminal | Phone, number: str) -> list[str]:
    """What a wrong try has the database do, but for what the gateway asks by itself all the time."""
    database, found = house.gateway.administration.database, list[str]()

    def see(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not any(own in statement for own in OF_THE_GATEWAY):
            found.append(statement)

    engines = [engine.sync_engine for engine in (database._readers, database._writers)]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", see)
    try:
        assert (await door.sign_in(number, WRONG)).status == 401
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", see)
    return found


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_the_database_does_the_same_for_a_known_number_and_an_unknown_one(
    house: House, terminal: Terminal, numbers: list[str], tier: str
) -> None:
    door: Terminal | Phone = terminal if tier == "kiosk" else house.phone()
    courses = [await statements_of(house, door, number) for number in numbers]
    assert len(courses[0]) >= 5
    for course in courses:
        assert course == courses[0]


async def test_the_statistic_tells_equal_from_different() -> None:
    source = random.Random(7)
    alike = [source.gauss(20, 5) for _ in range(80)]
    assert chance_of_equal(alike[:40], alike[40:]) > 0.01
    assert chance_of_equal(alike[:40], [value + 15 for value in alike[40:]]) < 1e-6


async def durations(house: House, hashed: list[bool]) -> dict[str, list[float]]:
    """Time wrong tries at known and unknown numbers, and at unknown ones as if nothing were hashed for them.

    One of each at a time, in random order.
    """
    terminal, count = await house.terminal(), -(-ROUNDS // TRIES_PER_NUMBER)
    await hire(house.gateway.administration, house.company_id, [f"1{at:03}" for at in range(count)], "907311")
    times: dict[str, list[float]] = {"known": [], "unknown": [], "not hashed": []}
    for at in range(ROUNDS):
        for kind in random.sample(list(times), len(times)):
            number = f"{1 + list(times).index(kind)}{at % count:03}"
            body = f'{{"personnel_number":"{number}","pin":"{WRONG}"}}'.encode()
            fields = terminal.headers("POST", f"{KIOSK}/auth", body, nonce=await terminal.nonce())
            hashed[0] = kind != "not hashed"
            started = time.perf_counter()
            reply = await terminal.send("POST", f"{KIOSK}/auth", body, fields)
            times[kind].append(time.perf_counter() - started)
            assert reply.problem == "login-failed"
        if at % 16 == 15:
            house.clock.move(3601)  # sixty wrong ones in an hour would pause the terminal
    return times


async def test_no_duration_tells_a_known_number_from_an_unknown_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, hashed = PinHasher.verify, [True]

    def perhaps_without_dummy(self: PinHasher, record: bytes, pin: str) -> bool:
        return (hashed[0] or record != self.dummy_record) and verify(self, record, pin)

    monkeypatch.setattr(PinHasher, "verify", perhaps_without_dummy)
    cost = {"pin_hash_memory_kib": PIN_COST.memory_kib, "pin_hash_time": PIN_COST.time}
    async with open_house(tmp_path / "data", **cost) as house:
        times = await durations(house, hashed)
    assert chance_of_equal(times["known"], times["unknown"]) > 1e-4
    # The measurement would notice if unknown numbers were not hashed.
    assert chance_of_equal(times["known"], times["not hashed"]) < 1e-4
