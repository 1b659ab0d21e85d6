"""Tests in several processes: read once, then forked, so that what all of them need is loaded once.

The tests are cut into lots, a few of one file each. Whoever is done takes the next lot, so that nobody waits while
there is one left. What a test came to is told to the first process, which counts and reports it.
"""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection as TwoWays

    Connection = TwoWays[Any, Any]
    Place = tuple[str, tuple[str, int | None, str]]

LOT: Final = 12
"""So many tests are taken at once: enough that a file's fixtures serve several, few enough that all end together."""

STOPPED: Final = 2**30
"""As the number of lots taken: somebody failed and no further test is wanted."""

_forking = multiprocessing.get_context("fork")


def run(session: pytest.Session, processes: int, at_the_end: Callable[[], Any]) -> list[Any]:
    """Run the tests of `session` in so many processes, report them here, and return what `at_the_end` gave in each.

    Raises:
        pytest.Session.Failed, pytest.Session.Interrupted: as in an ordinary run.
    """
    lots = _lots(session.items)
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.showfspath = False  # tests of many files come in turn
    taken = _forking.Value("i", 0)
    runs: dict[Any, _Run] = {}
    for _ in range(min(processes, len(lots))):
        receiving, sending = _forking.Pipe(duplex=False)
        process = _forking.Process(target=_run_lots, args=(session, lots, taken, sending, at_the_end))
        process.start()
        sending.close()
        runs[receiving] = _Run(session, process)
    try:
        under_way = dict(runs)
        while under_way:
            connection: Any
            for connection in wait(list(under_way)):
                try:
                    kind, told = connection.recv()
                except EOFError:
                    under_way.pop(connection).ended()
                else:
                    runs[connection].hear(kind, told)
                if session.shouldfail or session.shouldstop:
                    taken.value = STOPPED
    finally:
        for run_ in runs.values():
            run_.stop()
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)
    return [run_.result for run_ in runs.values()]


def _lots(items: Sequence[pytest.Item]) -> list[Sequence[pytest.Item]]:
    of_files = (list(found) for _, found in itertools.groupby(items, key=lambda item: item.path))
    return [found[at : at + LOT] for found in of_files for at in range(0, len(found), LOT)]


class _Run:
    """One of the processes, as the first one sees it."""

    def __init__(self, session: pytest.Session, process: Any) -> None:
        self._config, self._process = session.config, process
        self._at: Place = "tests", ("tests", None, "before the first one")
        self._came_to_its_end = False
        self.result: Any = None

    def hear(self, kind: str, told: Any) -> None:
        if kind == "begun":
            self._at = told
        elif kind == "report":
            report = self._config.hook.pytest_report_from_serializable(config=self._config, data=told)
            self._config.hook.pytest_runtest_logreport(report=report)
        else:
            self._came_to_its_end, self.result = True, told

    def ended(self) -> None:
        """Report the test under way as failed if the process did not come to its end."""
        self._process.join()
        if not self._came_to_its_end:
            why = f"the process that ran this test ended with {self._process.exitcode}"
            report = pytest.TestReport(*self._at, {}, "failed", why, "call")
            self._config.hook.pytest_runtest_logreport(report=report)

    def stop(self) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join()


class _Teller:
    """Tells the first process what is begun and what tests came to."""

    def __init__(self, config: pytest.Config, sending: Connection) -> None:
        self._config = config
        self._sending = sending

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._sending.send(("begun", (nodeid, location)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._sending.send(("report", data))


def _run_lots(
    session: pytest.Session,
    lots: list[Sequence[pytest.Item]],
    taken: Any,
    sending: Connection,
    at_the_end: Callable[[], Any],
) -> None:
    plugins = session.config.pluginmanager
    plugins.unregister(name="terminalreporter")
    capture: Any = plugins.get_plugin("capturemanager")
    capture.stop_global_capturing()  # into files that it shares with the first process
    capture.start_global_capturing()
    plugins.register(_Teller(session.config, sending))
    try:
        for item, following in itertools.pairwise(itertools.chain(_taken(lots, taken), [None])):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail or session.shouldstop:
                break
    except KeyboardInterrupt:  # the first process says so
        sys.exit(130)
    sending.send(("end", at_the_end()))
    sending.close()


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
