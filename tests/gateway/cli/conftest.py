from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway.cli.command_line import Shell
from tests.gateway.kept import copy_to
from tests.servers.databases import KINDS, fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A directory in which nothing has been done yet."""
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a data directory as the first commands made it."""
    shell = Shell(tmp_path_factory.mktemp("initialised"))
    shell.ok("init")
    shell.ok("company", "add", "Müller GmbH")
    return {file.name: file.read_bytes() for file in shell.data_dir.iterdir()}


@pytest.fixture
def ready(shell: Shell, initialised: dict[str, bytes]) -> Shell:
    """An initialised gateway with one company."""
    copy_to(shell.data_dir, initialised)
    return shell


@pytest.fixture(params=KINDS)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of either kind."""
    async with fresh_url(request.param, tmp_path, migrated=False) as url:
        yield url
