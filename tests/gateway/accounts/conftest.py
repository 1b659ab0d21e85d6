from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio

from crypto.passwords import PasswordHasher
from tests.gateway.emptied import emptied
from tests.gateway.house import House, MovableClock, serving
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared_house: House) -> House:
    return await emptied(shared_house)


@pytest_asyncio.fixture(loop_scope="module")
async def both(shared_both: House) -> House:
    """A gateway with a company, over SQLite and over PostgreSQL."""
    return await emptied(shared_both)


@asynccontextmanager
async def open_empty(directory: Path, **options: Any) -> AsyncIterator[House]:
    """Run a gateway in which nobody has registered yet."""
    clock = MovableClock()
    async with serving(directory, clock=clock, **options) as (gateway, url), aiohttp.ClientSession() as http:
        yield House(gateway, url, http, clock, "", "")


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[House]:
    async with open_empty(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(params=KINDS)
async def both_empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with fresh_url(request.param, tmp_path) as url, open_empty(tmp_path / "home", database_url=url) as opened:
        yield opened


class Hashes:
    """Counts the password hashes that are really computed to check something, and those against the dummy."""

    def __init__(self) -> None:
        self.computed = 0
        self.dummies = 0


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counted, verify = Hashes(), PasswordHasher.verify

    def counting(self: PasswordHasher, password_hash: str, password: str) -> bool:
        counted.computed += 1
        counted.dummies += password_hash == self.dummy
        return verify(self, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    return counted
