"""Routes of locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway.accounts.protected import actor, protected
from gateway.http.answers import json_response
from gateway.http.middlewares import REQUEST_ID
from gateway.http.path_ids import path_id
from gateway.lockouts.models import ClearedAnswer, LockoutsAnswer, lockout_answer

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.http.routes import Route
    from gateway.lockouts.service import Lockouts

TAG: Final = "locks"
UNKNOWN: Final = "There is no such lock, or it is over."


class LockoutRoutes:
    """The handlers."""

    def __init__(self, *, gate: AccountGate, lockouts: Lockouts) -> None:
        self._gate = gate
        self._lockouts = lockouts

    def routes(self) -> list[Route]:
        """Return the routes of locks."""
        gate, every = self._gate, "/api/lockouts"
        return [
            protected(
                gate,
                "lockouts.read",
                self.list_,
                method="GET",
                path=every,
                summary="Who is locked out, why, and until when",
                tag=TAG,
                answers={200: LockoutsAnswer},
            ),
            protected(
                gate,
                "lockouts.clear",
                self.clear_all,
                method="DELETE",
                path=every,
                summary="End every lock that ends by itself; those of a year need a new PIN",
                tag=TAG,
                answers={200: ClearedAnswer},
            ),
            protected(
                gate,
                "lockouts.clear",
                self.clear,
                method="DELETE",
                path=f"{every}/{{id}}",
                summary="End one lock",
                tag=TAG,
                problems=("not-found", "conflict"),
            ),
        ]

    async def list_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List the locks."""
        found = await self._lockouts.list_(signed_in.company_id)
        return json_response(LockoutsAnswer(items=tuple(map(lockout_answer, found))))

    async def clear_all(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """End every lock that ends by itself."""
        cleared = await self._lockouts.clear_all(
            signed_in.company_id, actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return json_response(ClearedAnswer(cleared=len(cleared)))

    async def clear(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """End one lock."""
        await self._lockouts.clear(
            [path_id(request, UNKNOWN)],
            company_id=signed_in.company_id,
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return web.Response(status=204)
