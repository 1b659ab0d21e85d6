"""Bodies of PATCH: what is not mentioned stays as it is (RFC 7396 §1), which is something else than null."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gateway.http.models import Body


class Changes(Body):
    """Base of what changes some fields of something."""

    def given(self) -> dict[str, Any]:
        """Return the fields that were sent, null included, in the model's order."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


def omitted() -> Any:
    """Return the default of a field that may be left out but not be null: nothing that a schema would show."""
    return Field(default_factory=lambda: None)
