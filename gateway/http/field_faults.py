"""Faults of input in words a person understands: which field, and what it must be; never what was sent.

A PIN typed into the wrong field must not come back in an answer or reach a log, so the validation library's own
messages (which may quote the input) are not used: each of its error types has its own sentence here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pydantic

BODY: Final = "body"
"""The name of the whole body where a fault has no field."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault: the field (dots between levels, for example ``client.name``) and what it must be."""

    field: str
    message: str


class FieldFault(ValueError):
    """Raised by a model's own validator; its text is meant for people and repeats no input."""


_SAFE_PART: Final = re.compile(r"[a-z][a-z0-9_]{0,31}|[0-9]{1,2}", re.ASCII)
_QUOTED: Final = re.compile(r"'([^']*)'")


def safe_field(*parts: str | int) -> str:
    """Return a field's path; a part that cannot be one of our names (it came from the client) becomes ``*``."""
    return ".".join(str(part) if _SAFE_PART.fullmatch(str(part)) else "*" for part in parts) or BODY


def field_errors(error: pydantic.ValidationError) -> list[FieldError]:
    """Return every fault a model found, each once, in the model's order."""
    found: dict[FieldError, None] = {}
    for fault in error.errors(include_url=False, include_input=False):
        location = tuple(part for part in fault["loc"] if part != "[key]")
        found[FieldError(safe_field(*location), _message(fault["type"], fault.get("ctx", {})))] = None
    return list(found)


def _message(kind: str, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        cause = context.get("error")
        return str(cause) if isinstance(cause, FieldFault) else _UNSAID
    said = _MESSAGES.get(kind)
    if said is None:
        # Families such as datetime_parsing and datetime_type differ only in what the parser tripped over.
        said = next((text for family, text in _FAMILIES if kind.startswith(family)), _UNSAID)
    return said if isinstance(said, str) else said(context)


def _one_of(context: Mapping[str, Any]) -> str:
    return "must be one of: " + ", ".join(_QUOTED.findall(str(context.get("expected", ""))))


def _at_least(context: Mapping[str, Any]) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} characters"


UNKNOWN_FIELD: Final = "is not a known field"
_UNSAID: Final = "is not valid"

_MESSAGES: Final[Mapping[str, str | Callable[[Mapping[str, Any]], str]]] = {
    "missing": "is required",
    "extra_forbidden": UNKNOWN_FIELD,
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "string_sub_type": "must be text",
    "string_too_short": _at_least,
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_pattern_mismatch": "has the wrong form",
    "too_short": lambda context: f"must have at least {context['min_length']} entries",
    "too_long": lambda context: f"must have at most {context['max_length']} entries",
    "enum": _one_of,
    "literal_error": _one_of,
    "none_required": "must be null",
    "greater_than": lambda context: f"must be greater than {context['gt']}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than": lambda context: f"must be less than {context['lt']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "finite_number": "must be a finite number",
    "int_parsing_size": "is too large",
    "json_invalid": "must be valid JSON",
    "said": lambda context: str(context["text"]),
}

_FAMILIES: Final = (
    ("bool_", "must be true or false"),
    ("int_", "must be a whole number"),
    ("float_", "must be a number"),
    ("uuid_", "must be a UUID"),
    ("datetime_", "must be a time such as 2026-01-31T08:00:00Z"),
    ("timezone_", "must be a time with its zone, such as 2026-01-31T08:00:00Z"),
    ("date_", "must be a date such as 2026-01-31"),
    ("model_", "must be an object"),
    ("dict_", "must be an object"),
    ("mapping_", "must be an object"),
    ("list_", "must be a list"),
    ("tuple_", "must be a list"),
    ("set_", "must be a list"),
    ("string_", "must be text"),
)
