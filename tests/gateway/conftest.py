from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from gateway.trust_feed import feed
from storage.ephemeral import servers
from tests.gateway.house import House, open_house
from tests.servers.databases import KINDS, fresh_url
from tests.servers.redis import own_redis_server, redis_cluster, redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHARED = {"shared_both", "shared_house", "shared_sites"}
"""Tests with one of these run on the loop of their module, where it was opened."""

__all__ = ["house", "own_redis_server", "patience", "redis_cluster", "redis_server"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SHARED.intersection(getattr(item, "fixturenames", ())) and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine busy with other tests may hold a gateway up for seconds; tests of that itself take this back."""
    monkeypatch.setattr(feed, "STALE_AFTER_SECONDS", 60.0)
    monkeypatch.setattr(servers, "EXCHANGE_SECONDS", 15.0)


@pytest.fixture(params=["memory", "redis"])
async def any_house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """The same over the in-process store and over a real Redis."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_server").url
    async with open_house(tmp_path / "data", redis_url=url) as opened:
        yield opened


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway on SQLite and the in-process store, as one machine runs it."""
    async with open_house(tmp_path / "data") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One for all tests of a file, on one loop: each of them has people and terminals of its own."""
    async with open_house(tmp_path_factory.mktemp("house") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house_on_postgresql(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    directory = tmp_path_factory.mktemp("on-postgresql")
    async with fresh_url("postgresql", directory) as url, open_house(directory / "home", database_url=url) as opened:
        yield opened


@pytest.fixture(params=KINDS)
def shared_both(request: pytest.FixtureRequest) -> House:
    """One for all tests of a file, over each database."""
    shared: House = request.getfixturevalue("shared_house" if request.param == "sqlite" else "house_on_postgresql")
    return shared
