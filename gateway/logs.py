"""One log for everything, to standard error: JSON for machines or plain text for people.

The gateway logs refusals, slow requests, failures and what operators need; never one line per request (aiohttp's
access log halves the throughput). What must never be in it: PINs, tokens, personnel numbers, query strings. Three
guards stand behind the rule: values under telling names are blacked out, exceptions are logged as classes and places
without their texts (those quote values), and foreign libraries are heard from WARNING on only (aiosqlite's debug lines
show SQL parameters).
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from types import TracebackType

LogFormat = Literal["json", "text"]

REDACTED: Final = "[redacted]"

TELLING_NAMES: Final = frozenset(
    {
        *("authorization", "body", "code", "cookie", "hash", "jwt", "number", "numbers", "passphrase", "password"),
        *("pepper", "pin", "pins", "query", "secret", "secrets", "seed", "token", "tokens"),
    }
)
"""Words of a key (parted by ``_``, ``-`` or ``.``) whose value is never shown."""

_WORDS: Final = re.compile(r"[^a-z]+")
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s]*@")
_FRAMES: Final = 30
"""Frames shown per exception; a recursion would fill the disk."""

EventDict = MutableMapping[str, Any]


class StandardError:
    """Writes one line per event to what is standard error at that moment."""

    def msg(self, line: str) -> None:
        """Write one line in one call, so that lines of several threads never mix."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = fatal = exception = log = msg


def redact(_: object, __: str, event: EventDict) -> EventDict:
    """Black out values under telling names, at any depth, and passwords inside URLs."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _redacted(key: object, value: object) -> object:
    if isinstance(key, str) and not TELLING_NAMES.isdisjoint(_WORDS.split(key.lower())):
        return REDACTED
    if isinstance(value, str):
        return _USERINFO.sub(f"{REDACTED}@", value) if "://" in value else value
    if isinstance(value, Mapping):
        return {name: _redacted(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(None, item) for item in value]
    return value


def exception_places(_: object, __: str, event: EventDict) -> EventDict:
    """Replace ``exc_info`` by the exception's classes and places. Its text is left out: it may quote what was sent."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()[1]
    elif isinstance(info, tuple):
        info = info[1]
    if isinstance(info, BaseException):
        event["exception"] = describe(info)
    return event


def describe(error: BaseException) -> str:
    """Return the chain of an exception without any value: class names and, per frame, file, line and function."""
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        name = f"{type(link).__module__}.{type(link).__qualname__}"
        if isinstance(link, BaseExceptionGroup):
            name += "(" + ", ".join(type(member).__qualname__ for member in link.exceptions) + ")"
        parts.append("\n".join([*_frames(link.__traceback__), name]))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused:\n".join(reversed(parts))


def _frames(trace: TracebackType | None) -> list[str]:
    summary = traceback.StackSummary.extract(traceback.walk_tb(trace), limit=-_FRAMES, lookup_lines=False)
    return [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in summary]


def first_line(_: object, __: str, event: EventDict) -> EventDict:
    """Keep the first line of a foreign message: asyncio's further ones show the failed task with its exception."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def configure(level: str = "info", format: LogFormat = "json") -> None:  # noqa: A002 the field's word
    """Set the log up, once per process: before the first line is logged, as loggers keep what they first find.

    ``level`` is debug, info, warning or error; a line below it costs one method call that does nothing. Foreign
    libraries log through the same renderer, from WARNING on.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exception_places,
        redact,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(default=lambda value: type(value).__name__)
        if format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=lambda *_: StandardError(),
        cache_logger_on_first_use=True,
    )
    handler = _StandardErrorHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[structlog.stdlib.add_logger_name, first_line, *shared],
            # Else the standard formatter adds its own traceback, with the exception's text.
            keep_exc_info=False,
            keep_stack_info=False,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    logging.getLogger("aiohttp.access").disabled = True
    server = logging.getLogger("aiohttp.server")
    server.filters[:] = [_ParserRefusals()]
    logging.captureWarnings(capture=True)


class _ParserRefusals(logging.Filter):
    """Tells what the HTTP parser itself refuses like any other refusal: a line at INFO without the request's text.

    aiohttp logs it at ERROR with a traceback, which anybody could fill the disk with.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace such a record; let others pass."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        structlog.get_logger().info("refused", route="unparsed", status=error.code, cause=type(error).__name__)
        return False


class _StandardErrorHandler(logging.Handler):
    """Hands each record of the standard library's logging to the same standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; an unprintable one is named, never raised into the code that logged it."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 a log line must not break what it reports
            line = f"a log line of {record.name} could not be written: {type(error).__name__}"
        sys.stderr.write(line + "\n")
