"""Kinds of text that several requests share, each with its form, its sentence for people and its JSON schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import UUID

from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler


class Form:
    """Text of exactly one form: ``pattern`` (whole text, ASCII) and the sentence a person reads when it does not fit.

    Use it as ``Annotated[str, Form(r"[0-9]{1,12}", "must be 1 to 12 digits")]``. ``secret`` marks what the OpenAPI
    document shows as a password.
    """

    def __init__(self, pattern: str, sentence: str, *, secret: bool = False, lower: bool = False) -> None:
        self._match = re.compile(pattern, re.ASCII).fullmatch
        self._schema: dict[str, Any] = {"pattern": f"^{pattern}$", "description": f"{sentence.capitalize()}."}
        if secret:
            self._schema |= {"format": "password", "writeOnly": True}
        self._sentence = sentence
        self._lower = lower

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), **self._schema}

    def _check(self, value: str) -> str:
        if self._match(value) is None:
            raise PydanticCustomError("said", "{text}", {"text": self._sentence})
        return value.lower() if self._lower else value


PersonnelNumber = Annotated[str, Form(r"[0-9]{1,12}", "must be 1 to 12 digits", secret=False)]
"""Text, not a number: leading zeros count."""

Pin = Annotated[str, Form(r"[0-9]{6,12}", "must be 6 to 12 digits", secret=True)]
"""A PIN's form only; whether it may be chosen is the PIN rules' matter."""

Token = Annotated[str, Form(r"[A-Za-z0-9_-]{43}", "must be a complete token", secret=True)]
"""256 random bits as base64url without padding."""

UUID_PATTERN: Final = "-".join(f"[0-9A-Fa-f]{{{length}}}" for length in (8, 4, 4, 4, 12))

Id = Annotated[str, Form(UUID_PATTERN, "must be a UUID", lower=True)]
"""Any UUID, given back in its canonical lower-case form (RFC 9562 §4)."""


def is_id(text: str) -> bool:
    """Tell if a path segment is a UUID in canonical lower-case form."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
