"""One house for the tests of a module: each has a person of its own, and begins when all before it is forgotten."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from crypto.pins import PinHasher
from gateway.devices.lifecycle import KEY_LIFETIME
from gateway.pin_login.subjects import number_subject
from storage import lockouts
from storage.ephemeral.pin_guard import DAY, Attempt, PinGuard, Reserved
from tests.gateway.house import open_house
from tests.servers.redis import shared_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.ephemeral.pin_guard import Tier
    from tests.gateway.house import House, Person
    from tests.gateway.terminal import Terminal

_numbers = itertools.count(1000)
_ids = itertools.count()


def new_number() -> str:
    """A personnel number that no other test uses."""
    return str(next(_numbers))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def on_redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Over a real Redis, which runs the guard's script in a fraction of the time that it takes in process."""
    server = shared_server()
    server.flush()
    async with open_house(tmp_path_factory.mktemp("on-redis") / "data", redis_url=server.url) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def in_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(tmp_path_factory.mktemp("in-process") / "data") as opened:
        yield opened


@pytest.fixture
def house(on_redis: House) -> House:
    return begun_anew(on_redis)


@pytest.fixture(params=["memory", "redis"])
def any_house(request: pytest.FixtureRequest) -> House:
    return begun_anew(request.getfixturevalue("in_process" if request.param == "memory" else "on_redis"))


def begun_anew(house: House) -> House:
    """Later than any lock, pause or step of the ladder of an earlier test lasts."""
    house.clock.move(3 * DAY)
    return house


@pytest_asyncio.fixture(loop_scope="module")
async def person(house: House) -> Person:
    return await house.person(new_number())


@pytest.fixture(scope="module")
def hung() -> list[tuple[float, Terminal]]:
    """The terminals of the module's house, with when each was made."""
    return []


@pytest_asyncio.fixture(loop_scope="module")
async def terminal(house: House, hung: list[tuple[float, Terminal]]) -> Terminal:
    """One for all tests, until its key will soon be over: each of them moves the clock by days."""
    if not hung or house.clock() > hung[-1][0] + KEY_LIFETIME / 2:
        hung.append((house.clock(), await house.terminal()))
    return hung[-1][1]


def subject_of(house: House, tier: str, number: str) -> bytes:
    return number_subject(house.gateway.administration.guard_key, house.company_id, tier, number)


async def have_failed(house: House, tier: Tier, number: str, times: int, *, device_id: str | None = None) -> None:
    """Wrong tries of this moment, as a sign-in leaves them in the guard and in SQL; none of them may begin a lock."""
    guard, subject, now = PinGuard(house.gateway.ephemeral), subject_of(house, tier, number), house.clock()
    for _ in range(times):
        attempt = Attempt(f"earlier-{next(_ids)}", house.company_id, tier, subject.hex(), device_id)
        assert isinstance(await guard.reserve(attempt, now), Reserved)
        assert await guard.wrong(attempt, now) == []
    await have_failed_in_sql(house, tier, number, times, at=now)


async def have_failed_in_sql(house: House, tier: Tier, number: str, times: int, *, at: float) -> None:
    """Wrong tries of so long ago that only SQL knows them."""
    async with house.gateway.administration.database.write() as connection:
        await lockouts.record_failures(connection, [subject_of(house, tier, number)] * times, at)


class Hashes:
    """Counts the PIN hashes that are really computed."""

    def __init__(self) -> None:
        self.computed = 0


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counted, verify = Hashes(), PinHasher.verify

    def counting(self: PinHasher, record: bytes, pin: str) -> bool:
        counted.computed += 1
        return verify(self, record, pin)

    monkeypatch.setattr(PinHasher, "verify", counting)
    return counted
