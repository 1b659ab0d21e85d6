"""`stampgate serve --workers 2`: one address, several processes, and none left behind."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import aiohttp
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from gateway.in_service import in_service
from gateway.settings import Settings
from tests.gateway.serving_process import ServingProcess, serving_process, stampgate
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.redis import RedisServer


@pytest.fixture
async def supervised(tmp_path: Path, redis_server: RedisServer) -> AsyncIterator[ServingProcess]:
    settings = {"STAMPGATE_REDIS_URL": redis_server.url}
    with serving_process(tmp_path / "data", "--workers", "2", settings=settings) as process:
        await process.start(ready=2)
        yield process


def workers(process: ServingProcess) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children())


async def answered(process: ServingProcess) -> int:
    """The status of a request on a fresh connection, whichever worker takes it."""
    async with aiohttp.ClientSession() as http, http.get(f"{process.url}/health/ready") as answer:
        return answer.status


async def test_two_workers_serve_a_killed_one_is_replaced_and_ctrl_c_ends_them_all(supervised: ServingProcess) -> None:
    killed, other = workers(supervised)
    assert {await answered(supervised) for _ in range(10)} == {200}
    os.kill(killed.pid, signal.SIGKILL)
    # The other goes on answering meanwhile: they share one queue of connections.
    for _ in range(10):
        assert await answered(supervised) == 200
    await supervised.until(lambda: len(supervised.served()) == 3)
    pids = {worker.pid for worker in workers(supervised)}
    assert len(pids) == 2
    assert other.pid in pids
    assert killed.pid not in pids

    children = workers(supervised)
    # A terminal sends Ctrl-C to the whole group.
    for process in (*children, psutil.Process(supervised.pid)):
        process.send_signal(signal.SIGINT)
    assert await supervised.ended() == 0
    assert not any(child.is_running() for child in children)
    assert "Traceback" not in supervised.log()


async def test_workers_end_with_a_parent_that_was_killed(supervised: ServingProcess) -> None:
    children = workers(supervised)
    await supervised.kill()
    await until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    with pytest.raises(aiohttp.ClientConnectorError):
        await answered(supervised)


def test_beside_a_gateway_with_memory_they_are_refused_before_any_starts(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    with in_service(Settings(data_dir=tmp_path), "http://localhost:8081"):
        done = stampgate(
            *("serve", "--workers", "2", "--port", "0", "--metrics-port", "0", "--data-dir", str(tmp_path)),
            settings={"STAMPGATE_REDIS_URL": redis_server.url},
        )
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"stampgate: {tmp_path} is served already, at http://localhost:8081: end that gateway first")
    assert not (tmp_path / "stampgate.db").exists()
