"""`stampgate` in a process of its own that need not import anything: forked from one that has.

It is the real program from `main` on, in a real process with signals, environment and outputs of its own. That the
installed command and `python -m` start from nothing is shown where processes are run in the ordinary way.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import multiprocessing
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PR_SET_PDEATHSIG: Final = 1
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.gateway.preloaded"])


class Forked:
    """One run of `stampgate` with `arguments`; what it says goes to files."""

    def __init__(
        self, arguments: Sequence[str], *, environment: Mapping[str, str], stdout: Path, stderr: Path | None = None
    ) -> None:
        self._process = _forking.Process(
            target=_run, args=(list(arguments), dict(environment), str(stdout), str(stderr or stdout))
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, seconds: float) -> int:
        """Return the exit code. Raises `TimeoutError`, having killed it."""
        self._process.join(seconds)
        code = self.poll()
        if code is None:
            self.kill()
            raise TimeoutError(f"it has not ended in {seconds:.0f} s")
        return code

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
        self._process.kill()
        self._process.join()


def _run(arguments: list[str], environment: dict[str, str], stdout: str, stderr: str) -> None:
    if sys.platform == "linux":  # even a test run that is killed leaves no gateway behind
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in ((0, os.devnull), (1, stdout), (2, stderr)):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin = io.TextIOWrapper(io.FileIO(0), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), encoding="utf-8")
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding="utf-8", write_through=True)
    sys.argv = ["stampgate", *arguments]
    from gateway.cli import main

    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)
