"""Routes of stamps for HR, and for everybody about their own: who is in, the history, exports and corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from gateway.accounts.protected import actor, protected
from gateway.http.answers import json_response
from gateway.http.bodies import parse_query, read_json
from gateway.http.middlewares import REQUEST_ID
from gateway.http.paging import cut
from gateway.http.problems import FieldError, Problem
from gateway.stamping.actions import State
from gateway.stamping.corrections import Wish
from gateway.stamping.export import csv_file
from gateway.stamping.history_models import (
    CorrectionAnswer,
    CorrectionBody,
    PresenceAnswer,
    PresenceQuery,
    StampsAnswer,
    StampsQuery,
    correction_answer,
    history_stamp,
    place_of,
    presence_item,
    read_place,
)
from storage.stamp_history import Wanted

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.http.routes import Route
    from gateway.stamping.corrections import Corrections
    from gateway.stamping.history import StampHistory

TAG: Final = "stamps"
CSV: Final = "text/csv"
HERE: Final = (State.IN, State.BREAK)


class StampRoutes:
    """The handlers."""

    def __init__(self, *, gate: AccountGate, history: StampHistory, corrections: Corrections) -> None:
        self._gate = gate
        self._history = history
        self._corrections = corrections

    def routes(self) -> list[Route]:
        """Return the routes of stamps."""
        gate = self._gate
        return [
            protected(
                gate,
                "presence.read",
                self.presence,
                method="GET",
                path="/api/presence",
                summary="Who is in now, or on break",
                tag=TAG,
                query=PresenceQuery,
                answers={200: PresenceAnswer},
            ),
            protected(
                gate,
                "own",
                self.list_,
                method="GET",
                path="/api/stamps",
                summary="Stamps and corrections, newest first, or as a file oldest first; everybody their own, HR all",
                tag=TAG,
                query=StampsQuery,
                answers={200: StampsAnswer},
                downloads=CSV,
                problems=("not-found",),
            ),
            protected(
                gate,
                "stamps.correct",
                self.correct,
                method="POST",
                path="/api/stamps",
                summary="Correct a stamp, or add one that is missing; the original stays",
                tag=TAG,
                body=CorrectionBody,
                answers={201: CorrectionAnswer},
                problems=("not-found", "conflict"),
            ),
        ]

    async def presence(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List who is in."""
        query = parse_query(PresenceQuery, request)
        states = HERE if query.state is None else (query.state,)
        found = await self._history.who_is(signed_in.company_id, states, query.cursor, query.limit + 1)
        page, last = cut(found, query.limit)
        answer = PresenceAnswer(
            items=tuple(map(presence_item, page)), next_cursor=None if last is None else last.person.user_id
        )
        return json_response(answer)

    async def list_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List stamps, or give them as a file."""
        query = parse_query(StampsQuery, request)
        user_id = query.user
        if user_id is None and not signed_in.may("stamps.read"):
            user_id = signed_in.user_id
        is_own = user_id == signed_in.user_id
        if not is_own:
            self._gate.require(signed_in, "stamps.read")
        wanted = Wanted(
            company_id=signed_in.company_id,
            user_id=user_id,
            start=None if query.from_ is None else query.from_.timestamp(),
            end=None if query.to is None else query.to.timestamp(),
        )
        if query.format == "csv":
            if not is_own:
                self._gate.require(signed_in, "stamps.export")
            return await self._export(request, signed_in, wanted, query)
        found = await self._history.page(wanted, read_place(query.cursor), query.limit + 1)
        page, last = cut(found, query.limit)
        answer = StampsAnswer(
            items=tuple(map(history_stamp, page)), next_cursor=None if last is None else place_of(last)
        )
        return json_response(answer)

    async def correct(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Make a correction."""
        body = await read_json(request, CorrectionBody)
        wish = Wish(
            user_id=body.user_id,
            action=body.action,
            at=body.at.timestamp(),
            replaces=body.replaces,
            reason=body.reason,
        )
        corrected = await self._corrections.correct(
            signed_in.company_id, wish, made_by=signed_in.user_id, request_id=request[REQUEST_ID]
        )
        return json_response(correction_answer(corrected), 201)

    async def _export(
        self, request: web.Request, signed_in: SignedIn, wanted: Wanted, query: StampsQuery
    ) -> web.Response:
        if query.cursor is not None:
            raise Problem("bad-request", errors=[FieldError("cursor", "is not for files, which have no pages")])
        company, stamps = await self._history.export(
            wanted, actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        # Written as it is read, once the middleware has seen the answer: nothing of it is ever whole in memory.
        return web.Response(
            body=csv_file(stamps, company.locale, company.timezone),
            headers={
                hdrs.CONTENT_TYPE: f"{CSV}; charset=utf-8",
                hdrs.CONTENT_DISPOSITION: 'attachment; filename="stamps.csv"',
            },
        )
