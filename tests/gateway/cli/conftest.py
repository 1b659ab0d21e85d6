from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.cli.command_line import Shell
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A directory in which nothing has been done yet."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def ready(shell: Shell) -> Shell:
    """An initialised gateway with one company."""
    shell.ok("init")
    shell.ok("company", "add", "Müller GmbH")
    return shell


@pytest.fixture(params=KINDS)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of either kind."""
    async with fresh_url(request.param, tmp_path, migrated=False) as url:
        yield url
