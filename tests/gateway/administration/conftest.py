from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.gateway.administration.estate import Company, Estate, open_estate
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    async with open_estate(tmp_path / "data") as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_estate(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Estate]:
    """One for all tests of a file, on one loop, who leave the clock and what is there already as they are."""
    async with open_estate(tmp_path_factory.mktemp("estate") / "data") as opened:
        yield opened


@pytest.fixture
def ours(estate: Estate) -> Company:
    return estate.ours


@pytest.fixture(params=KINDS)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Company]:
    """A company over SQLite and over PostgreSQL."""
    if request.param == "sqlite":
        async with open_estate(tmp_path / "data") as opened:
            yield opened.ours
        return
    async with (
        fresh_url(request.param, tmp_path) as url,
        open_estate(tmp_path / "home", database_url=url) as opened,
    ):
        yield opened.ours
