"""`stampgate` and `stampgate-kiosk` in processes of their own that need not import anything: forked from one that has.

It is the real program from `main` on, in a real process with signals, environment, terminal and outputs of its own.
That the installed command and `python -m` start from nothing is shown where processes are run in the ordinary way.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import multiprocessing
import os
import signal
import sys
import termios
from multiprocessing import forkserver, reduction
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PR_SET_PDEATHSIG: Final = 1
_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["tests.gateway.preloaded"])
_server: Any = forkserver._forkserver

Program = Literal["stampgate", "stampgate-kiosk"]


def begin() -> None:
    """Begin to import now, beside all else, once for all processes that are forked from this one.

    Each of these would start a server of its own: that it is not the parent of this one keeps it from using it.
    """
    _server.ensure_running()
    os.register_at_fork(after_in_child=lambda: setattr(_server, "ensure_running", lambda: None))


class Forked:
    """One run of a program with `arguments`; what it says goes to files or to open descriptors.

    At `terminal`, an open descriptor, it reads and writes there, and leads a session that this terminal controls, or
    does not: then nobody tells it when the terminal goes away. `stdout` may lead elsewhere all the same.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        stdout: Path | int | None = None,
        stderr: Path | None = None,
        terminal: int | None = None,
        controlled: bool = True,
        program: Program = "stampgate",
    ) -> None:
        streams = [
            _Descriptor.of(terminal),
            _Descriptor.of(terminal if stdout is None else stdout),
            _Descriptor.of((stdout if terminal is None else terminal) if stderr is None else stderr),
        ]
        self._process = _forking.Process(
            target=_run, args=(program, list(arguments), dict(environment), streams, controlled)
        )
        self._process.start()
        for stream in streams:
            stream.close()

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


def run_apart(function: Callable[..., object], *arguments: Any) -> None:
    """Run a function of a module in a process of its own, to its end, which must be a good one."""
    process = _forking.Process(target=function, args=arguments)
    process.start()
    process.join(60)
    assert process.exitcode == 0, process.exitcode


class _Descriptor:
    """Where a stream of the new process leads: handed over open, so that it is open from the beginning."""

    def __init__(self, number: int, *, ours: bool) -> None:
        self.number, self._ours = number, ours

    @classmethod
    def of(cls, place: Path | int | None) -> _Descriptor:
        if isinstance(place, int):
            return cls(place, ours=False)
        if place is None:
            return cls(os.open(os.devnull, os.O_RDONLY), ours=True)
        return cls(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), ours=True)

    def close(self) -> None:
        if self._ours:
            os.close(self.number)

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self.number),)


def _received(there: Any) -> int:
    number: int = there.detach()
    return number


def _run(
    program: Program, arguments: list[str], environment: dict[str, str], streams: list[int], controlled: bool
) -> None:
    if sys.platform == "linux":  # even a test run that is killed leaves no gateway behind
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests themselves run in the background
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, opened in enumerate(streams):
        os.dup2(opened, descriptor)
        os.close(opened)
    if os.isatty(0):
        os.setsid()
        if controlled:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)), encoding=encoding)  # type: ignore[misc]
    sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), encoding=encoding, line_buffering=os.isatty(1))
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w"), encoding=encoding, write_through=True)
    sys.argv = [program, *arguments]
    if program == "stampgate-kiosk":
        from kiosk_client import cli

        cli.main()
    from gateway.cli import main

    code = main(arguments)
    sys.stdout.flush()
    sys.exit(code)
