"""Tests side by side (`--processes`), coverage of the product's lines and branches (`--coverage`), order and place.

Measured by probes in the product's own code, which cost next to nothing: what follows every line of every library makes
tests take twice as long. What runs in processes that tests start is not seen, so the figure is a lower bound.
"""

from __future__ import annotations

import gc
import sys
from typing import Any, Final

import pytest
import slipcover
from slipcover.slipcover import add_summaries

from tests import in_memory, side_by_side
from tests.gateway import forked
from tests.servers import compiled_statements

PRODUCT: Final = ("crypto", "storage", "gateway", "kiosk_client")
NOT_COUNTED: Final = (r"if TYPE_CHECKING:", r"raise AssertionError", r"\.\.\.$")
NEVER: Final = 2**31 - 1
"""Probes stay where they are: taking them out would change functions while tests run."""

LONG = (
    "tests/browser/",
    "tests/faults/test_kill.py",
    "tests/faults/test_revocation.py",
    "tests/gateway/cli/test_posters_and_slips.py",
    "tests/gateway/pages/console/test_any_form.py",
    "tests/gateway/phone_tier/test_oracle.py",
    "tests/gateway/test_any_input.py",
    "tests/gateway/test_contract.py",
    "tests/protocol/test_header_grammar.py",
    "tests/storage/ephemeral/test_pin_guard_model.py",
)
"""Where tests take many seconds each: begun first, so that no process is left with one at the end; and those with a
browser one after the other, so that each process starts one."""

SEEN = pytest.StashKey[dict[str, Any]]()
PROBES = pytest.StashKey[slipcover.Slipcover]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--processes", type=int, metavar="N", help="run the tests in so many processes")
    parser.addoption("--coverage", type=float, metavar="PERCENT", help="measure, and fail under so much of the product")


def pytest_configure(config: pytest.Config) -> None:
    compiled_statements.share()
    in_memory.put_temporary_files()
    if config.getoption("processes"):
        forked.begin()
    if config.getoption("coverage") is None:
        return
    loaded = [name for name in sys.modules if name.partition(".")[0] in PRODUCT]
    if loaded:
        raise pytest.UsageError(f"--coverage is for the whole suite: {loaded[0]} was loaded before it began")
    probes = slipcover.Slipcover(branch=True, source=list(PRODUCT), d_miss_threshold=NEVER, exclude_lines=[])
    slipcover.ImportManager(probes, slipcover.FileMatcher(sources=PRODUCT)).__enter__()
    config.stash[PROBES] = probes


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    config = session.config
    processes = config.getoption("processes")
    if not processes or config.getoption("collectonly") or session.testsfailed:
        return None
    probes = config.stash.get(PROBES, None)
    for seen in side_by_side.run(session, processes, lambda: probes and probes.get_coverage()):
        if seen is not None:
            _merge(config, seen)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if session.testsfailed:
        in_memory.keep()
    if PROBES not in config.stash:
        return
    _merge(config, config.stash[PROBES].get_coverage())
    _leave_out_what_does_not_count(config.stash[SEEN])
    if session.exitstatus == 0 and _percent(config) < config.getoption("coverage"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if SEEN not in config.stash:
        return
    slipcover.print_coverage(config.stash[SEEN], outfile=terminalreporter, skip_covered=True, missing_width=60)
    lines = config.stash[SEEN]["summary"]
    of_lines = 100 * lines["covered_lines"] / (lines["covered_lines"] + lines["missing_lines"])
    wanted = config.getoption("coverage")
    terminalreporter.line(
        f"Coverage: {of_lines:.1f} % of lines, {_percent(config):.1f} % of lines and branches; wanted: {wanted:.0f} %"
    )


def _merge(config: pytest.Config, seen: dict[str, Any]) -> None:
    if SEEN in config.stash:
        slipcover.merge_coverage(config.stash[SEEN], seen)
    else:
        config.stash[SEEN] = seen


def _leave_out_what_does_not_count(seen: dict[str, Any]) -> None:
    """Once and here: to find these lines every source is read again, which each process would have to do."""
    slipcover.Slipcover(exclude_lines=NOT_COUNTED)._filter_excluded_lines(seen["files"])
    add_summaries(seen)


def _percent(config: pytest.Config) -> float:
    return float(config.stash[SEEN]["summary"]["percent_covered"])
