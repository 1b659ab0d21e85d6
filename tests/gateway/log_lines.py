"""What the log said: each test gets its own configuration and the lines it wrote to standard error."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from gateway import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


class LogLines:
    """Reads what was logged since the last look."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def text(self) -> str:
        return self._capture.readouterr().err

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@contextmanager
def logging_configured(
    capture: pytest.CaptureFixture[str], level: str = "info", form: logs.LogFormat = "json"
) -> Iterator[LogLines]:
    root = logging.getLogger()
    handlers, threshold, access = root.handlers[:], root.level, logging.getLogger("aiohttp.access").disabled
    logs.configure(level, form)
    try:
        yield LogLines(capture)
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
        logging.getLogger("aiohttp.access").disabled = access
        root.handlers[:] = handlers
        root.setLevel(threshold)
