"""`stampgate serve` as one process: how it starts, says what is wrong, and ends."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from typing import TYPE_CHECKING

import aiohttp
import pytest

from gateway.cli import main
from gateway.listening import AddressInUse, bind
from gateway.server import serve
from gateway.settings import Settings
from tests.gateway.cheap_hash import CHEAP_HASH
from tests.gateway.serving_process import serving_process, stampgate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.redis import RedisServer


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def collector() -> Iterator[None]:
    """As it is in a process that has just begun, and afterwards as the other tests have it."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.set_threshold(*thresholds)
    gc.freeze()


def test_a_busy_port_is_said_in_one_line(busy_port: int, tmp_path: Path) -> None:
    done = stampgate("serve", "--port", str(busy_port), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    reason = "it is in use already; choose another with --port"
    assert done.stderr.splitlines() == [f"stampgate: cannot listen on 127.0.0.1 port {busy_port}: {reason}"]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_busy_metrics_port_is_said_in_one_line(
    busy_port: int, tmp_path: Path, redis_server: RedisServer, workers: int
) -> None:
    options = ["--port", "0", "--workers", str(workers), "--data-dir", str(tmp_path / "data")]
    # The second worker's port is the one above.
    metrics_port = busy_port - workers + 1
    done = stampgate(
        "serve", *options, "--metrics-port", str(metrics_port), settings={"STAMPGATE_REDIS_URL": redis_server.url}
    )
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    # The first of the two may be somebody else's on a busy machine.
    ports = range(metrics_port, busy_port + 1)
    assert any(line.startswith(f"stampgate: cannot serve metrics on 127.0.0.1 port {port}: ") for port in ports)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_cannot_be_listened_on(host: str) -> None:
    with pytest.raises(AddressInUse, match=f"cannot listen on {host}"):
        bind(host, 0)


def test_more_than_one_worker_with_the_in_process_store_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["serve", "--workers", "2", "--port", "0", "--data-dir", str(tmp_path / "data")])
    [line] = capsys.readouterr().err.splitlines()
    assert (code, line.startswith("stampgate: STAMPGATE_WORKERS must be 1 with")) == (2, True)
    assert not (tmp_path / "data").exists()


async def test_ctrl_c_ends_it_cleanly_also_with_idle_connections_open(tmp_path: Path) -> None:
    with serving_process(tmp_path / "data") as process:
        await process.start()
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{process.url}/health/live") as answer:
                assert answer.status == 200
            process.signal(signal.SIGINT)
            assert await process.ended(5) == 0
        assert [line["event"] for line in process.logged()][-2:] == ["serving", "stopping"]
        assert "Traceback" not in process.log()


async def test_it_serves_in_this_process_until_it_is_told_to_stop_and_metrics_elsewhere(
    tmp_path: Path, collector: None
) -> None:
    with bind("127.0.0.1", 0) as probe:
        metrics_port = probe.getsockname()[1]
    settings = Settings.load(data_dir=tmp_path / "data", metrics_port=metrics_port, **CHEAP_HASH)
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    served = asyncio.create_task(serve(settings, listening))
    async with aiohttp.ClientSession() as http, asyncio.timeout(10):
        async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
            assert answer.status == 404
        async with http.get(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
            assert answer.status == 200
            assert 'stampgate_requests_total{method="GET",route="unmatched",status="404"}' in await answer.text()
        while True:
            async with http.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                if answer.status == 200:
                    break
        # What lives as long as the process is out of the collector's sight.
        assert gc.get_freeze_count() > 1000
        assert gc.get_threshold()[2] >= 1000
        signal.raise_signal(signal.SIGTERM)
        await served
