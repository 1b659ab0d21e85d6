"""`stampgate serve` as a process of its own, which can be stopped, paused and killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.gateway.cheap_hash import CHEAP_HASH_ENVIRONMENT
from tests.gateway.forked import Forked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

STAMPGATE = [sys.executable, "-c", "import sys; from gateway.cli import main; sys.exit(main())"]
START_SECONDS = 30.0
SERVING = re.compile(r"^(?=.*\bserving\b).*https?://127\.0\.0\.1:(\d+)", re.MULTILINE)
"""The line of a process that serves, as JSON or as text."""


def environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The tests' own environment without settings of the product, but for `settings`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STAMPGATE_")}
    return {**kept, **CHEAP_HASH_ENVIRONMENT, **(settings or {})}


def stampgate(*arguments: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one command of the real program to its end."""
    with tempfile.TemporaryDirectory(prefix="stampgate-run-") as directory:
        out, err = Path(directory) / "out", Path(directory) / "err"
        code = Forked(arguments, environment=environment(settings), stdout=out, stderr=err).wait(60)
        return subprocess.CompletedProcess([*STAMPGATE, *arguments], code, out.read_text(), err.read_text())


def from_nothing(
    *arguments: str, settings: Mapping[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end in an interpreter that has imported nothing, as a shell does."""
    return subprocess.run(
        [*STAMPGATE, *arguments],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


class ServingProcess:
    """One `stampgate serve`. Started again it listens on the port it had."""

    def __init__(self, data_dir: Path, *options: str, settings: Mapping[str, str] | None = None) -> None:
        self._data_dir = data_dir
        self._options = options
        self._settings = settings
        self._directory = tempfile.TemporaryDirectory(prefix="stampgate-serve-", ignore_cleanup_errors=True)
        self._log = Path(self._directory.name) / "log"
        self._process: Forked | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text()

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    async def start(self, ready: int = 1) -> None:
        """Return when `ready` processes serve."""
        command = ["serve", "--data-dir", str(self._data_dir), "--port", str(self.port), "--metrics-port", "0"]
        self._log.write_bytes(b"")
        self._process = Forked([*command, *self._options], environment=environment(self._settings), stdout=self._log)
        await self.until(lambda: len(self.served()) >= ready)
        self.port = self.served()[0]

    def priorities(self) -> set[int]:
        """The nice values of its threads (Linux)."""
        threads = [int(task.name) for task in Path(f"/proc/{self.pid}/task").iterdir()]
        return {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads}

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    async def ended(self, seconds: float = 20.0) -> int:
        """Return the exit code once it has ended."""
        assert self._process is not None
        process = self._process
        await self.until(lambda: process.poll() is not None, seconds, alive=False)
        code = process.poll()
        assert code is not None
        return code

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.signal(signal.SIGKILL)
        await self.ended()

    async def until(self, holds: Any, seconds: float = START_SECONDS, *, alive: bool = True) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.log()
            assert not alive or self._process is None or self._process.poll() is None, self.log()
            await asyncio.sleep(0.01)

    def discard(self) -> None:
        """End it, if it has not ended."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        self._directory.cleanup()

    def served(self) -> list[int]:
        """The port of each process that has said that it serves."""
        return [int(port) for port in SERVING.findall(self.log())]


@contextlib.contextmanager
def serving_process(
    data_dir: Path, *options: str, settings: Mapping[str, str] | None = None
) -> Iterator[ServingProcess]:
    """Give a process that is not started yet."""
    process = ServingProcess(data_dir, *options, settings=settings)
    try:
        yield process
    finally:
        process.discard()
