"""A gateway that is killed, stopped or paused while terminals stamp."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.faults.site import PIN, Site, Worker, acknowledged, assert_each_once, open_site, workers
from tests.gateway.waiting import until
from tests.servers.databases import fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

TERMINALS = 5
HASHING = 19
"""The priority of a thread that computes a hash; there is none before the first sign-in."""

BEFORE_THE_END = 15
"""Stamps acknowledged before something happens."""


@asynccontextmanager
async def site_on(kind: str, directory: Path, redis_server: RedisServer) -> AsyncIterator[Site]:
    if kind == "sqlite":
        async with open_site(directory / "data") as site:
            yield site
        return
    async with (
        fresh_url("postgresql", directory) as url,
        open_site(directory / "data", database_url=url, redis_url=redis_server.url) as site,
    ):
        yield site


async def cut_off(site: Site, found: list[Worker], number: int) -> None:
    """Let all stamp, and send the process a signal in the midst of it."""
    stamping = [asyncio.create_task(worker.stamp_until_cut_off()) for worker in found]
    await acknowledged(found, BEFORE_THE_END)
    site.process.signal(number)
    await site.process.ended()
    await asyncio.wait_for(asyncio.gather(*stamping), 20)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_after_a_kill_every_acknowledged_stamp_is_there_exactly_once(
    kind: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async with site_on(kind, tmp_path, redis_server) as site:
        found = await workers(site, TERMINALS)
        await cut_off(site, found, signal.SIGKILL)
        for worker in found:
            assert_each_once(await site.stamps_of(worker.user_id), worker)

        await site.process.start()
        for worker in found:
            await worker.sign_in()
            if worker.unanswered is not None:
                # The stamp nobody answered is sent again, as terminals do: recorded before the kill or now, once.
                assert await worker.stamp(*worker.unanswered) in (200, 201)
            rows = await site.stamps_of(worker.user_id)
            assert_each_once(rows, worker)
            assert [row.stamp_id for row in rows] == worker.acknowledged
            status = (await worker.terminal.status()).body
            assert status["state"] == ("in" if len(rows) % 2 else "out")


async def test_a_gateway_that_is_stopped_finishes_what_it_accepted(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data") as site:
        found = await workers(site, TERMINALS)
        await cut_off(site, found, signal.SIGTERM)
        assert await site.process.ended() == 0
        for worker in found:
            # Nothing was recorded that was not answered, and nothing answered that was not recorded.
            assert [row.stamp_id for row in await site.stamps_of(worker.user_id)] == worker.acknowledged
        assert [line["event"] for line in site.process.logged()][-1] == "stopping"
        assert "Traceback" not in site.process.log()


async def test_a_request_under_way_when_the_signal_comes_is_answered(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data", pin_hash_memory_kib="32768", pin_hash_time="3") as site:
        await site.person("0101")
        terminal = await site.terminal()
        signing_in = asyncio.create_task(terminal.sign_in("0101", PIN))
        await until(lambda: HASHING in site.process.priorities())
        site.process.signal(signal.SIGTERM)
        assert (await signing_in).status == 200
        assert await site.process.ended() == 0
        with pytest.raises(aiohttp.ClientConnectorError):
            await terminal.device()
