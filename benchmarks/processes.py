"""Processes under test: each pinned to its core, given a free port, ended by its id."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Self

from benchmarks import machine
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

START_SECONDS = 30.0
STOP_SECONDS = 20.0


class DidNotStart(Exception):
    """A process under test ended, or said nothing."""


class Measured:
    """One process under test: a module that is told its port by `--port`."""

    def __init__(self, module: str, *arguments: str, core: int, log: Path, environment: Mapping[str, str]) -> None:
        self._log = log
        self.port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("STAMPGATE_")}
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments, "--port", str(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env={**inherited, **environment},
                preexec_fn=lambda: os.sched_setaffinity(0, {core}),
            )
        self.pid = self._process.pid
        self._wait_until_it_listens()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def counters(self) -> dict[str, int]:
        """Return what the benchmark's route tells."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/benchmark/counters", timeout=10) as answer:
            counted: dict[str, int] = json.load(answer)
        return counted

    def cpu_seconds(self) -> float:
        """Processor time used so far."""
        return machine.cpu_seconds(self.pid)

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        self._process.kill()
        raise DidNotStart(self._log.read_text("utf-8", "replace"))
