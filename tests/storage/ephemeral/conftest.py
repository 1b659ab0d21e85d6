"""The ephemeral store on all its back ends: a real server, a real cluster and the one inside the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.connection import Ephemeral
from tests.servers.redis import own_redis_server, redis_cluster, redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["ephemeral", "own_redis_server", "redis_cluster", "redis_server", "url"]


@pytest.fixture(params=["redis", "cluster", "memory"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return "memory://"
    server = request.getfixturevalue("redis_server" if request.param == "redis" else "redis_cluster")
    address: str = server.url
    return address


@pytest.fixture
async def ephemeral(url: str) -> AsyncIterator[Ephemeral]:
    store = Ephemeral.open(url)
    yield store
    await store.close()
