"""Which tests coverage is measured in, and which come first.

Measuring makes a test take two or three times as long, and much of the suite walks again what other tests have walked:
the same test over a second server or with another argument, thousands of requests with random content, whole processes,
a browser. Those run unmeasured, and all the quicker; the figure is a lower bound.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import coverage
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

WALKED_ELSEWHERE = (
    "tests/browser/",
    "tests/faults/",
    "tests/gateway/accounts/test_oracle.py",
    "tests/gateway/accounts/test_sources.py",
    "tests/gateway/administration/test_history.py::test_a_file_of_any_length_is_made_in_little_memory",
    "tests/gateway/administration/test_other_companies.py",
    "tests/gateway/administration/test_who_may.py",
    "tests/gateway/cli/test_posters_and_slips.py",
    "tests/gateway/cli/test_process.py",
    "tests/gateway/pages/console/test_any_form.py",
    "tests/gateway/phone_tier/test_limits.py",
    "tests/gateway/pin_login/",
    "tests/gateway/stamping/test_concurrency.py",
    "tests/gateway/test_any_input.py",
    "tests/gateway/test_contract.py",
    "tests/gateway/test_workers.py",
    "tests/gateway/tls/test_serving.py",
    "tests/protocol/test_header_grammar.py",
    "tests/storage/ephemeral/test_pin_guard_model.py",
)
SECOND_SERVERS = {"postgresql", "redis", "cluster"}
"""What a test is parametrised with to be repeated there. What is particular to them is in `storage` and its tests."""
LONG = (
    "tests/faults/test_kill.py",
    "tests/faults/test_revocation.py",
    "tests/gateway/cli/test_posters_and_slips.py",
    "tests/gateway/pages/console/test_any_form.py",
    "tests/gateway/test_any_input.py",
    "tests/gateway/test_contract.py",
    "tests/protocol/test_header_grammar.py",
    "tests/storage/ephemeral/test_pin_guard_model.py",
)
"""Files with tests that take many seconds each: begun first, so that no process is left with one at the end."""
SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
UNMEASURED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Leave measuring to the one measurement that can be paused, in the processes of pytest-xdist.

    Such a process begins two others before it: coverage's own, as in every process that is started while something is
    measured, and one that pytest-cov begins before it knows where it is. Whenever the last one is paused, the one
    before it would go on.
    """
    if not hasattr(config, "workerinput"):
        return
    plugin = config.pluginmanager.getplugin("_cov")
    if plugin is not None and plugin.cov_controller is not None:
        plugin.cov_controller.cov.stop()
    own = getattr(coverage.process_startup, "coverage", None)
    if own is not None:
        own.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    walked: set[str] = set()
    for item in items:
        if not is_measured(item, walked):
            item.stash[UNMEASURED] = True


def is_measured(item: pytest.Item, walked: set[str]) -> bool:
    """Whether coverage is to see this test; `walked` are the functions it has seen with other arguments."""
    if item.nodeid.startswith(WALKED_ELSEWHERE):
        return False
    call = getattr(item, "callspec", None)
    if call is None or (item.nodeid.startswith("tests/storage/") and "/ephemeral/" not in item.nodeid):
        return True
    if any(value in SECOND_SERVERS for value in call.params.values() if isinstance(value, str)):
        return False
    function = item.nodeid.partition("[")[0]
    if function in walked:
        return False
    walked.add(function)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Measure nothing while a test runs, and in no process that it starts, if others walk the same."""
    plugin = item.config.pluginmanager.getplugin("_cov")
    if plugin is None or plugin.cov_controller is None or UNMEASURED not in item.stash:
        return (yield)
    settings = os.environ.pop(SUBPROCESSES, None)
    plugin.cov_controller.pause()
    try:
        return (yield)
    finally:
        plugin.cov_controller.resume()
        if settings is not None:
            os.environ[SUBPROCESSES] = settings
