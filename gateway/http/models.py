"""What all request and answer models build on. The same models make the OpenAPI document.

Apart from `bodies`, which reads them from requests: a service knows its models, and nothing of a server.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema, field_validator

from gateway.http.field_faults import FieldFault

# C0 controls, DEL and C1 controls. NUL above all: PostgreSQL refuses it in text, SQLite cuts at it. And what turns the
# direction of text, with which a list can be made to show something else.
_CONTROL_CHARACTERS: Final = frozenset(
    map(chr, (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)))
)


class Body(BaseModel):
    """Base of request models: strict types, frozen, unknown fields refused, no control characters in any text."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, str_max_length=1024
    )

    @field_validator("*", mode="after")
    @classmethod
    def _no_control_characters(cls, value: object) -> object:
        _refuse_control_characters(value)
        return value

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        """Show nothing: bodies carry PINs and tokens, and a repr ends up in logs."""
        return []


class Answer(BaseModel):
    """Base of response models: frozen; optional fields that are ``None`` are left out of the JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@lru_cache(1024)  # all stamps of one transaction bear one instant, and each answer shows it twice
def rfc3339(at: float) -> str:
    """Return Unix seconds as RFC 3339 UTC with milliseconds, for example ``2026-01-31T08:00:00.000Z``."""
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


Rfc3339 = Annotated[
    float,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T08:00:00.000Z"]}),
]
"""An instant in an answer: Unix seconds in Python, RFC 3339 text in JSON."""


def _refuse_control_characters(value: object) -> None:
    if isinstance(value, str):
        if not _CONTROL_CHARACTERS.isdisjoint(value):
            raise FieldFault("must not contain control characters")
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_control_characters(key)
            _refuse_control_characters(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            _refuse_control_characters(item)
