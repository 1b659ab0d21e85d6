from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.administration.estate import Company, Estate, open_estate
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    async with open_estate(tmp_path / "data") as opened:
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
