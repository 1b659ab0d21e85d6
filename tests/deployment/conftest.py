from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from gateway.cli import proxy_answers
from tests.gateway.cli.command_line import Ran, Shell
from tests.gateway.cli.conftest import initialised, ready, shell
from tests.gateway.house import House, open_house
from tests.servers.ports import free_port
from tests.servers.proxies import public_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass
class Published:
    """A gateway whose public address is a proxy's, and the command line beside it."""

    house: House
    port: int
    """Where the proxy has to listen."""
    shell: Shell
    directory: Path


@pytest.fixture
async def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Published]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(proxy_answers, "SLOW_SECONDS", 2)
    port = free_port()
    options = {"public_url": public_url(port), "trusted_proxies": "127.0.0.1/32"}
    async with open_house(tmp_path / "data", **options) as house:
        yield Published(house, port, Shell(tmp_path), tmp_path)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def free() -> int:
    """A port on which nobody listens."""
    return free_port()


__all__ = ["Published", "Ran", "initialised", "published", "ready", "shell"]
