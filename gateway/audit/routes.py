"""Route of the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.accounts.protected import protected
from gateway.audit.models import AuditAnswer, AuditQuery, audit_event_answer
from gateway.http.answers import json_response
from gateway.http.bodies import parse_query

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.audit.service import AuditTrail
    from gateway.http.routes import Route

TAG: Final = "audit"


class AuditRoutes:
    """The handler."""

    def __init__(self, *, gate: AccountGate, audit: AuditTrail) -> None:
        self._gate = gate
        self._audit = audit

    def routes(self) -> list[Route]:
        """Return the route of the audit trail."""
        return [
            protected(
                self._gate,
                "audit.read",
                self.list_,
                method="GET",
                path="/api/audit",
                summary="What happened, newest first",
                tag=TAG,
                query=AuditQuery,
                answers={200: AuditAnswer},
            )
        ]

    async def list_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List events."""
        query = parse_query(AuditQuery, request)
        page = await self._audit.list_(
            signed_in.company_id,
            name=query.name,
            subject=query.subject,
            since=None if query.from_ is None else query.from_.timestamp(),
            until=None if query.to is None else query.to.timestamp(),
            cursor=query.cursor,
            limit=query.limit,
        )
        answer = AuditAnswer(items=tuple(map(audit_event_answer, page.events)), next_cursor=page.next_cursor)
        return json_response(answer)
