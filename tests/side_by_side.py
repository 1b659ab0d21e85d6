"""Tests in several processes: read once, then forked, so that what all of them need is loaded once.

The tests are cut into lots, a few of one file each. Whoever is done takes the next lot, so that nobody waits while
there is one left. What a test came to is told to the first process, which counts and reports it. What is marked `alone`
comes last, in the first process, when the others have ended.
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

ALONE: Final = "alone"
"""Marks what measures time: nothing else runs beside it."""

LOT: Final = 12
"""So many tests are taken at once: enough that a file's fixtures serve several, few enough that all end together."""

STOPPED: Final = 2**30
"""As the number of lots taken: somebody failed and no further test is wanted."""

_forking = multiprocessing.get_context("fork")


def run(session: pytest.Session, processes: int, in_each: Callable[[], Any]) -> list[Any]:
    """Run the tests of `session` in so many processes, report them here, and return what `in_each` gave at their ends.

    Raises:
        pytest.Session.Failed, pytest.Session.Interrupted: as in an ordinary run.
    """
    alone = [item for item in session.items if item.get_closest_marker(ALONE)]
    lots = _lots([item for item in session.items if not item.get_closest_marker(ALONE)])
    ends = _run_side_by_side(session, lots, processes, in_each)
    for item, following in itertools.zip_longest(alone, alone[1:]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        _stop_if_told(session)
    return ends


def _lots(items: Sequence[pytest.Item]) -> list[Sequence[pytest.Item]]:
    of_files = (list(found) for _, found in itertools.groupby(items, key=lambda item: item.path))
    return [found[at : at + LOT] for found in of_files for at in range(0, len(found), LOT)]


def _run_side_by_side(
    session: pytest.Session, lots: list[Sequence[pytest.Item]], processes: int, in_each: Callable[[], Any]
) -> list[Any]:
    reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.showfspath = False  # tests of many files come in turn
    taken = _forking.Value("i", 0)
    runs: dict[Any, _Run] = {}
    for _ in range(min(processes, len(lots))):
        receiving, sending = _forking.Pipe(duplex=False)
        process = _forking.Process(target=_run_lots, args=(session, lots, taken, sending, in_each))
        process.start()
        sending.close()
        runs[receiving] = _Run(process)
    ends: list[Any] = []
    try:
        under_way = dict(runs)
        while under_way:
            connection: Any
            for connection in wait(list(under_way)):
                try:
                    kind, told = connection.recv()
                except EOFError:
                    under_way.pop(connection).ended(session)
                    continue
                if kind == "end":
                    ends.append(told)
                elif kind == "begun":
                    runs[connection].current = told
                else:
                    hook = session.config.hook
                    report = hook.pytest_report_from_serializable(config=session.config, data=told)
                    hook.pytest_runtest_logreport(report=report)
                    if session.shouldfail or session.shouldstop:
                        taken.value = STOPPED
    finally:
        for connection, run_ in runs.items():
            connection.close()
            run_.stop()
    _stop_if_told(session)
    return ends


def _stop_if_told(session: pytest.Session) -> None:
    if session.shouldfail:
        raise session.Failed(session.shouldfail)
    if session.shouldstop:
        raise session.Interrupted(session.shouldstop)


class _Run:
    """One of the processes, as the first one sees it."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.current: Place | None = None
        """The test it is at."""

    def ended(self, session: pytest.Session) -> None:
        """Report the test under way as failed if the process did not come to its end."""
        self.process.join()
        if self.process.exitcode == 0:
            return
        nodeid, location = self.current or ("tests", ("tests", None, "before the first test"))
        session.config.hook.pytest_runtest_logreport(
            report=pytest.TestReport(
                nodeid,
                location,
                {},
                "failed",
                f"the process that ran this test ended with {self.process.exitcode}",
                "call",
            )
        )

    def stop(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
        self.process.join()


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
    in_each: Callable[[], Any],
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
    sending.send(("end", in_each()))
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
