"""Two gateway processes on one PostgreSQL and one Redis, the second one's way to the database in our hands."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tests.faults.site import Site, open_site
from tests.gateway.serving_process import ServingProcess, serving_process
from tests.gateway.terminal import Terminal
from tests.gateway.waiting import until
from tests.servers.databases import fresh_url
from tests.servers.link import Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.redis import RedisServer


@dataclass
class TwoGateways:
    """One site with a second process; `link` is the second one's way to the database."""

    site: Site
    other: ServingProcess
    link: Link

    @property
    def urls(self) -> tuple[str, str]:
        return self.site.process.url, self.other.url

    async def terminals(self, count: int) -> list[tuple[Terminal, Terminal]]:
        """Approved terminals, as each speaks to either gateway."""
        pairs = []
        for here in await self.site.approved_terminals(count):
            there = Terminal(self.site.http, self.other.url, time.time)
            there.key, there.device_id = here.key, here.device_id
            pairs.append((here, there))
        return pairs

    async def let_in(self, *terminals: Terminal) -> None:
        """Wait until they are answered."""
        for terminal in terminals:
            await until(lambda one=terminal: _is_let_in(one))  # type: ignore[misc]

    async def revoke(self, terminal: Terminal) -> None:
        await self.site.administration.devices.revoke(terminal.device_id, actor="cli")


async def _is_let_in(terminal: Terminal) -> bool:
    return (await terminal.device()).status == 200


@asynccontextmanager
async def two_gateways(directory: Path, redis_server: RedisServer) -> AsyncIterator[TwoGateways]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh_url("postgresql", directory))
        parsed = make_url(url)
        link = Link(parsed.port or 5432)
        await link.mend()
        stack.push_async_callback(link.cut)
        site = await stack.enter_async_context(
            open_site(directory / "data", database_url=url, redis_url=redis_server.url)
        )
        through = parsed.set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False)
        settings = {**site.settings, "STAMPGATE_DATABASE_URL": through}
        other = stack.enter_context(serving_process(directory / "data", settings=settings))
        await other.start()
        yield TwoGateways(site, other, link)
