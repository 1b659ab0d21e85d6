from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.databases import KINDS, Kind, fresh_database, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.database import Database


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    chosen: Kind = request.param
    return chosen


@pytest.fixture
async def database(kind: Kind, tmp_path: Path) -> AsyncIterator[Database]:
    async with fresh_database(kind, tmp_path) as made:
        yield made


@pytest.fixture
async def url(kind: Kind, tmp_path: Path) -> AsyncIterator[str]:
    async with fresh_url(kind, tmp_path) as made:
        yield made


@pytest.fixture
async def empty_url(kind: Kind, tmp_path: Path) -> AsyncIterator[str]:
    async with fresh_url(kind, tmp_path, migrated=False) as made:
        yield made
