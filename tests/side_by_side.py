"""Tests in several processes: read once, then forked, so that what all of them need is loaded once.

The tests are cut into lots, a few of one file each, and whoever is done takes the next lot. What a test came to is told
to the first process, which counts and reports it, and which reports as failed what nobody told it of.
"""

from __future__ import annotations

import atexit
import itertools
import multiprocessing
import sys
import time
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest._io import TerminalWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection as TwoWays

    Connection = TwoWays[Any, Any]

LOT: Final = 12
"""So many tests are taken at once: enough that a file's fixtures serve several, few enough that all end together."""

STOPPED: Final = 2**30
"""As the number of lots taken: somebody failed and no further test is wanted."""

LOOK_SECONDS: Final = 5.0
"""How often is looked whether a process is still there: its pipe may be held open by one that it left behind."""

END_SECONDS: Final = 60.0
"""A process that told its end and has not ended by then is waiting for something it left behind."""

_forking = multiprocessing.get_context("fork")


def run(session: pytest.Session, processes: int, at_the_end: Callable[[], Any]) -> list[Any]:
    """Run the tests of `session` in so many processes, report them here, and return what `at_the_end` gave in each.

    Raises:
        pytest.Session.Failed, pytest.Session.Interrupted: as in an ordinary run.
    """
    lots = _lots(session.items)
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.showfspath = False  # tests of many files come in turn
    factory: Any = session.config._tmp_path_factory  # type: ignore[attr-defined]
    factory.getbasetemp()  # which this process removes one day, with all that the others make in it
    taken = _forking.Value("i", 0)
    runs: list[_Run] = []
    for _ in range(min(processes, len(lots))):
        receiving, sending = _forking.Pipe(duplex=False)
        others = [receiving, *(other.connection for other in runs)]
        process = _forking.Process(target=_run_lots, args=(session, lots, taken, sending, others, at_the_end))
        process.start()
        sending.close()
        runs.append(_Run(session, process, receiving))
    try:
        while under_way := {run_.connection: run_ for run_ in runs if not run_.over}:
            ready: Any = wait(list(under_way), LOOK_SECONDS)
            for run_ in [under_way[connection] for connection in ready] or under_way.values():
                run_.look()
            if session.shouldfail or session.shouldstop:
                taken.value = STOPPED
        for run_ in runs:
            run_.end()
    finally:
        for run_ in runs:
            run_.stop()
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    told = set().union(*(run_.told for run_ in runs))
    for item in session.items:
        if item.nodeid not in told:
            _report_failed(session, item, "the process that was to run this test ended before it did")
    return [run_.result for run_ in runs]


def _lots(items: Sequence[pytest.Item]) -> list[Sequence[pytest.Item]]:
    of_files = (list(found) for _, found in itertools.groupby(items, key=lambda item: item.path))
    return [found[at : at + LOT] for found in of_files for at in range(0, len(found), LOT)]


def _report_failed(session: pytest.Session, item: pytest.Item, why: str) -> None:
    report = pytest.TestReport(item.nodeid, item.location, {}, "failed", why, "call")
    session.config.hook.pytest_runtest_logreport(report=report)


class _Run:
    """One of the processes, as the first one sees it."""

    def __init__(self, session: pytest.Session, process: Any, connection: Connection) -> None:
        self.connection = connection
        self._session, self._process = session, process
        self.over = False
        """There is nothing more to come from it."""
        self.told: set[str] = set()
        """The tests it has told the outcome of."""
        self.result: Any = None

    def look(self) -> None:
        """Take in what has come, and notice when nothing will any more."""
        gone = self._process.exitcode is not None  # before looking into the pipe: what it sent last is in there
        while not self.over and self.connection.poll():
            try:
                kind, told = self.connection.recv()
            except (EOFError, OSError):  # OSError: it ended in the middle of a word
                self.over = True
            else:
                self._hear(kind, told)
        self.over = self.over or gone

    def _hear(self, kind: str, told: Any) -> None:
        if kind == "end":
            self.over, self.result = True, told
            return
        hook = self._session.config.hook
        report = hook.pytest_report_from_serializable(config=self._session.config, data=told)
        hook.pytest_runtest_logreport(report=report)
        if report.when == "teardown":
            self.told.add(report.nodeid)

    def end(self) -> None:
        """Wait for the end, and fail if it is no good one."""
        deadline = time.monotonic() + END_SECONDS
        while self._process.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.02)  # not `join`, which waits for all that has its pipes
        if self._process.exitcode != 0:
            code = self._process.exitcode
            what = "does not end: a test left a process or thread behind" if code is None else f"ended with {code}"
            reporter: Any = self._session.config.pluginmanager.get_plugin("terminalreporter")
            reporter.write_line(f"\nA test process {what}.")
            self._session.testsfailed += 1

    def stop(self) -> None:
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(LOOK_SECONDS)
            self._process.kill()
        self._process.join()


class _Teller:
    """Tells the first process what tests came to, in the place of whoever tells a terminal."""

    def __init__(self, config: pytest.Config, sending: Connection) -> None:
        self._config = config
        self._sending = sending

    @property
    def _tw(self) -> TerminalWriter:
        """Where a test that takes too long says what its threads are at: part of its report."""
        return TerminalWriter(sys.stderr)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._sending.send(("report", data))


def _run_lots(
    session: pytest.Session,
    lots: list[Sequence[pytest.Item]],
    taken: Any,
    sending: Connection,
    others: list[Connection],
    at_the_end: Callable[[], Any],
) -> None:
    atexit._clear()  # what the first process has to clean up
    for other in others:
        other.close()  # or nobody noticed if the first process were killed
    config: Any = session.config
    plugins = config.pluginmanager
    plugins.unregister(name="terminalreporter")
    capture = plugins.get_plugin("capturemanager")
    capture.stop_global_capturing()  # into files that it shares with the first process
    capture.start_global_capturing()
    plugins.register(_Teller(config, sending), "terminalreporter")
    config._tmp_path_factory._basetemp = config._tmp_path_factory.mktemp("process")
    try:
        for item, following in itertools.pairwise(itertools.chain(_taken(lots, taken), [None])):
            config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail or session.shouldstop:
                break
        result = at_the_end()
        config._ensure_unconfigure()  # fails when an object complained at its end
        sending.send(("end", result))
    except (KeyboardInterrupt, BrokenPipeError):  # the first process says so, or is not there any more
        sys.exit(130)
    finally:
        atexit._run_exitfuncs()  # servers of this process; Python itself does it for the first process only


def _taken(lots: list[Sequence[pytest.Item]], taken: Any) -> Iterator[pytest.Item]:
    while True:
        with taken.get_lock():
            at = taken.value
            taken.value += 1
        if at >= len(lots):
            return
        for item in lots[at]:
            if taken.value >= STOPPED:
                return
            yield item
