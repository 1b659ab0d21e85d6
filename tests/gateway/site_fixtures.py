"""Fixtures of the tests of the administrative services."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.gateway.administered_site import NOON, MovedClock, open_site
from tests.gateway.emptied import emptied_site
from tests.servers.databases import KINDS, Kind, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.administration import Administration
    from storage.companies import Company


class Sites:
    """Those of a file, one for each database, opened when the first test asks for it."""

    def __init__(self, directory: Path, clock: MovedClock, closing: AsyncExitStack) -> None:
        self.clock = clock
        self._directory = directory
        self._closing = closing
        self._open: dict[Kind, Administration] = {}

    async def empty(self, kind: Kind) -> Administration:
        if kind not in self._open:
            directory = self._directory / kind
            directory.mkdir()
            url = await self._closing.enter_async_context(fresh_url(kind, directory))
            self._open[kind] = await self._closing.enter_async_context(open_site(url, directory, self.clock))
            return self._open[kind]
        return await emptied_site(self._open[kind])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_sites(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sites]:
    async with AsyncExitStack() as closing:
        yield Sites(tmp_path_factory.mktemp("sites"), MovedClock(), closing)


@pytest.fixture
def clock(shared_sites: Sites) -> MovedClock:
    shared_sites.clock.now = NOON
    return shared_sites.clock


@pytest_asyncio.fixture(params=KINDS, loop_scope="module")
async def site(request: pytest.FixtureRequest, shared_sites: Sites, clock: MovedClock) -> Administration:
    return await shared_sites.empty(request.param)


@pytest_asyncio.fixture(loop_scope="module")
async def sqlite_site(request: pytest.FixtureRequest, shared_sites: Sites, clock: MovedClock) -> Administration:
    """For services whose SQL has tests on both databases; `on_both` is for what the locks of the database decide."""
    return await shared_sites.empty(getattr(request, "param", "sqlite"))


on_both = pytest.mark.parametrize("site", KINDS, indirect=True)


@pytest_asyncio.fixture(loop_scope="module")
async def company(site: Administration) -> Company:
    return await site.companies.add("Müller GmbH", actor="cli")
