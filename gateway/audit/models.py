"""How audit events look on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AwareDatetime, Field

from gateway.audit_events import AuditName
from gateway.http.fields import UUID_PATTERN, Form
from gateway.http.models import Answer, Rfc3339
from gateway.http.paging import PageQuery

if TYPE_CHECKING:
    from storage.audit import AuditEvent


Subject = Annotated[
    str, Form(rf"(?:company|device|invitation|user):{UUID_PATTERN}", "must be user:<id> or device:<id>", lower=True)
]
"""What an event is about, as the events themselves say."""


class AuditQuery(PageQuery):
    """Which events: all, or those of one name, about one subject, of some time; `from` is included, `to` is not."""

    name: AuditName | None = None
    subject: Subject | None = None
    from_: AwareDatetime | None = Field(None, alias="from")
    to: AwareDatetime | None = None


class AuditEventAnswer(Answer):
    """One event. `actor` and `subject` read user:<id>, device:<id>, cli, phone or gateway."""

    id: str
    at: Rfc3339
    name: str
    actor: str
    subject: str | None = None
    detail: dict[str, Any] = Field(description="What there is to tell; never a PIN, a token or a personnel number.")
    request_id: str | None = None


class AuditAnswer(Answer):
    """Events, newest first."""

    items: tuple[AuditEventAnswer, ...]
    next_cursor: str | None = None


def audit_event_answer(event: AuditEvent) -> AuditEventAnswer:
    """Return the answer model of an event."""
    return AuditEventAnswer(
        id=event.id,
        at=event.at,
        name=event.name,
        actor=event.actor,
        subject=event.subject,
        detail=dict(event.detail),
        request_id=event.request_id,
    )
