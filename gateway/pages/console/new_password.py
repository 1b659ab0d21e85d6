"""A new password is typed twice: nobody sees what they type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.problems import FieldError

if TYPE_CHECKING:
    from gateway.pages.console.forms import Form


def mismatch(form: Form, field: str) -> list[FieldError]:
    """Return the fault of the second field, if the two differ."""
    again = f"{field}_again"
    return [] if form[field] == form[again] else [FieldError(again, "does not match the first one")]
