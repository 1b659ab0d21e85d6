"""Refusals: the one exception that every rule raises by name.

Everything below the gateway raises its own errors, which `problem_answers` maps and nothing else. The text for people
is in the answer, the ``cause`` only in the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.field_faults import FieldError
from gateway.http.problem_types import PROBLEMS, ProblemType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["PROBLEMS", "FieldError", "Problem", "ProblemType"]

RESERVED_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "instance", "request_id", "errors"})
"""Members RFC 9457 §3.1 or we have given a meaning; an extension must not take their place."""


class Problem(Exception):
    """A refusal on its way to the client.

    Args:
        name: A name of ``PROBLEMS``.
        detail: Text for people, instead of the table's; it must not repeat what was sent.
        errors: Every fault of the input.
        retry_after: Seconds; a 429 or 503 without it gets the table's.
        headers: Further header fields of the answer, for example Replay-Nonce.
        cause: What the log says about it; no secret, personnel number or other input.
        members: Further JSON members of the answer, for example ``server_time``.

    Raises:
        KeyError: ``name`` is not in the table.
        TypeError: A further member has the name of a standard one (so the stamping status is ``current_status``).
    """

    def __init__(
        self,
        name: str,
        detail: str | None = None,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
        headers: Mapping[str, str] | None = None,
        cause: str = "",
        **members: object,
    ) -> None:
        super().__init__(name)
        if not RESERVED_MEMBERS.isdisjoint(members):
            raise TypeError(f"a problem's further members must not be any of {sorted(RESERVED_MEMBERS)}")
        self.type: ProblemType = PROBLEMS[name]
        self.detail = detail or self.type.detail
        self.errors = tuple(errors)
        self.retry_after = self.type.retry_after if retry_after is None else max(1, retry_after)
        self.headers: dict[str, str] = dict(headers or {})
        self.cause = cause
        self.members = members

    @property
    def name(self) -> str:
        """The last segment of ``type``, also the metric label."""
        return self.type.name

    @property
    def status(self) -> int:
        """The HTTP status code."""
        return self.type.status
