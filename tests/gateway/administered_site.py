"""The services over SQL as the product builds them, on a fresh database of either kind, with a clock that is moved."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.administration import Administration, open_administration
from gateway.settings import Settings
from storage import audit, trust_changes
from tests.gateway.cheap_hash import CHEAP_HASH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.audit import AuditEvent
    from storage.trust_changes import TrustChange

NOON = 1_780_000_000.0


class MovedClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


@asynccontextmanager
async def open_site(database_url: str, directory: Path, clock: MovedClock) -> AsyncIterator[Administration]:
    settings = Settings.load(
        data_dir=directory / "data",
        database_url=database_url,
        public_url="https://stamp.example.com",
        hash_threads=1,
        **CHEAP_HASH,
    )
    async with open_administration(settings, clock=clock) as site:
        yield site


async def events(site: Administration) -> list[AuditEvent]:
    """All audit events, oldest first."""
    async with site.database.read() as connection:
        return (await audit.list_(connection, None, limit=10_000))[::-1]


async def event_names(site: Administration) -> list[str]:
    return [event.name for event in await events(site)]


async def changes(site: Administration) -> list[TrustChange]:
    """All trust changes in their order."""
    async with site.database.read() as connection:
        return await trust_changes.after(connection, 0)
