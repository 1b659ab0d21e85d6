"""Fixtures of the tests of the administrative services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.administered_site import MovedClock, open_site
from tests.servers.databases import KINDS, Kind, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.administration import Administration
    from storage.companies import Company


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(params=KINDS)
async def site(request: pytest.FixtureRequest, tmp_path: Path, clock: MovedClock) -> AsyncIterator[Administration]:
    async with fresh_url(request.param, tmp_path) as url, open_site(url, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
async def sqlite_site(
    request: pytest.FixtureRequest, tmp_path: Path, clock: MovedClock
) -> AsyncIterator[Administration]:
    """For services whose SQL has tests on both databases; `on_both` is for what the locks of the database decide."""
    kind: Kind = getattr(request, "param", "sqlite")
    async with fresh_url(kind, tmp_path) as url, open_site(url, tmp_path, clock) as opened:
        yield opened


on_both = pytest.mark.parametrize("site", KINDS, indirect=True)


@pytest.fixture
async def company(site: Administration) -> Company:
    return await site.companies.add("Müller GmbH", actor="cli")
