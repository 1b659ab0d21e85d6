from __future__ import annotations

import asyncio
import gc
import json
import logging
import timeit

import pytest
import structlog

from gateway.logs import REDACTED, describe
from tests.gateway.log_lines import logging_configured

PIN = "493817"


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        structlog.get_logger().info("refused", problem="busy", cause="full\nqueue")
        (event,) = lines.events()
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "refused", "level": "info", "problem": "busy", "cause": "full\nqueue"}


def test_plain_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys, form="text") as lines:
        structlog.get_logger().warning("slow request", route="/x", pin=PIN)
        text = lines.text()
    assert "slow request" in text
    assert "route=/x" in text
    assert PIN not in text


@pytest.mark.parametrize(
    "name",
    [
        "pin",
        "new_pin",
        "token",
        "session_token",
        "code",
        "Authorization",
        "personnel_number",
        "query",
        "raw-query",
        "PASSWORD",
    ],
)
def test_a_value_under_a_telling_name_is_blacked_out(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        structlog.get_logger().info("x", **{name: PIN}, deep=[{"a": {name: PIN}}])
        (event,) = lines.events()
    assert event[name] == REDACTED
    assert event["deep"] == [{"a": {name: REDACTED}}]


def test_other_values_pass_and_passwords_in_addresses_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        structlog.get_logger().info("x", pinned=1, status=401, url="redis://u:geheim@redis:6379/0", odd=object())
        (event,) = lines.events()
    assert event["pinned"] == 1
    assert event["status"] == 401
    assert event["url"] == f"redis://{REDACTED}@redis:6379/0"
    assert event["odd"] == "object"


def fail(pin: str) -> None:
    try:
        int(f"pin {pin}")
    except ValueError as error:
        raise RuntimeError(f"could not read {pin}") from error


def test_an_exception_is_logged_by_class_and_place_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        try:
            fail(PIN)
        except RuntimeError as error:
            structlog.get_logger().error("failed", exc_info=error)
            structlog.get_logger().exception("failed")
            logging.getLogger("aiohttp.server").exception("Error handling request")
        text = lines.text()
    assert text.count("in fail") == 6
    assert text.count("RuntimeError") == 3
    assert text.count("builtins.ValueError") == 3
    assert text.count(__file__) >= 6
    assert PIN not in text
    assert "could not read" not in text


def test_a_group_of_exceptions_names_its_members_and_a_circle_ends() -> None:
    group = ExceptionGroup(PIN, [ValueError(PIN), KeyError(PIN)])
    group.__context__ = circle = OSError(PIN)
    circle.__context__ = group
    assert describe(group) == "builtins.OSError\ncaused:\nbuiltins.ExceptionGroup(ValueError, KeyError)"


def test_foreign_libraries_are_heard_from_warning_on(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys, level="debug") as lines:
        logging.getLogger("aiosqlite").debug("executing INSERT %s", (PIN,))
        logging.getLogger("aiosqlite").info("executing INSERT %s", (PIN,))
        logging.getLogger("aiohttp.access").warning("GET /stamp?t=%s", PIN)
        logging.getLogger("aiosqlite").warning("closing %s", "slowly")
        (event,) = lines.events()
    assert event["event"] == "closing slowly"
    assert event["logger"] == "aiosqlite"
    assert event["level"] == "warning"


async def test_a_forgotten_task_does_not_show_its_exception(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        fail(PIN)

    with logging_configured(capsys) as lines:
        task = asyncio.ensure_future(work())
        await asyncio.wait([task])
        del task
        gc.collect()
        (event,) = lines.events()
    assert event["event"] == "Task exception was never retrieved"
    assert PIN not in json.dumps(event)


def test_a_line_that_cannot_be_made_says_so_and_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        logging.getLogger("odd").warning("%d", "no number")
        assert lines.text() == "a log line of odd could not be written: TypeError\n"


def test_a_level_that_is_off_writes_nothing_and_costs_next_to_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys, level="error") as lines:
        log = structlog.get_logger().bind()
        log.info("refused", problem="busy")
        assert lines.text() == ""
        # Not a timed test: a call that rendered its line would take hundreds of times as long.
        assert timeit.timeit(lambda: log.info("refused", problem="busy"), number=10_000) < 1
