from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.gateway.emptied import emptied
from tests.gateway.house import open_house

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.house import House


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared_house: House) -> House:
    return await emptied(shared_house)


@pytest.fixture
async def own_house(tmp_path: Path) -> AsyncIterator[House]:
    """For tests that change the company itself."""
    async with open_house(tmp_path / "data") as opened:
        yield opened
