"""Routes of people."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.accounts.protected import actor, protected
from gateway.http.answers import json_response
from gateway.http.bodies import parse_query, read_json, read_json_if_any
from gateway.http.files import read_file
from gateway.http.middlewares import REQUEST_ID
from gateway.http.paging import cut
from gateway.http.path_ids import path_id
from gateway.people.models import (
    ImportAnswer,
    ImportQuery,
    SetPinAnswer,
    SetPinBody,
    UserAnswer,
    UserBody,
    UserChanges,
    UsersAnswer,
    UsersQuery,
    import_answer,
    user_answer,
)

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.gate import AccountGate, SignedIn
    from gateway.accounts.own_account import OwnAccount
    from gateway.http.routes import Route
    from gateway.people.service import People

TAG: Final = "people"
CSV: Final = "text/csv"
CSV_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of an import: the 50,000 people it may have, at 160 bytes each."""

UNKNOWN: Final = "There is no such person."


class PeopleRoutes:
    """The handlers. Whatever needs more than the permission of the route is asked for by the service."""

    def __init__(self, *, gate: AccountGate, people: People, own_account: OwnAccount) -> None:
        self._gate = gate
        self._people = people
        self._own_account = own_account

    def routes(self) -> list[Route]:
        """Return the routes of people."""
        gate, every = self._gate, "/api/users"
        one = f"{every}/{{id}}"
        return [
            protected(
                gate,
                "people.read",
                self.list_,
                method="GET",
                path=every,
                summary="People by name, all or those searched for",
                tag=TAG,
                query=UsersQuery,
                answers={200: UsersAnswer},
            ),
            protected(
                gate,
                "people.change",
                self.add,
                method="POST",
                path=every,
                summary="Add a person, without PIN or password; a role other than employee: the owner",
                tag=TAG,
                body=UserBody,
                answers={201: UserAnswer},
                problems=("conflict",),
            ),
            protected(
                gate,
                "people.import",
                self.import_,
                method="POST",
                path=f"{every}/import",
                summary="Add and change people as a CSV file says: all of them, or nobody",
                tag=TAG,
                query=ImportQuery,
                takes_file=CSV,
                answers={200: ImportAnswer},
                problems=("conflict",),
            ),
            protected(
                gate,
                "people.read",
                self.read,
                method="GET",
                path=one,
                summary="One person",
                tag=TAG,
                answers={200: UserAnswer},
                problems=("not-found",),
            ),
            protected(
                gate,
                "people.change",
                self.change,
                method="PATCH",
                path=one,
                summary="Change a person; the role, and the login of anybody who is no employee: the owner",
                tag=TAG,
                body=UserChanges,
                answers={200: UserAnswer},
                problems=("not-found", "conflict"),
            ),
            protected(
                gate,
                "own",
                self.set_pin,
                method="POST",
                path=f"{one}/kiosk-pin",
                summary="Set a PIN: HR that of others, everybody their own",
                tag=TAG,
                body=SetPinBody,
                answers={200: SetPinAnswer},
                problems=("not-found", "conflict", "login-failed", "login-throttled", "busy"),
            ),
        ]

    async def list_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List people."""
        query = parse_query(UsersQuery, request)
        found = await self._people.list_(
            signed_in.company_id, search=query.q, active=query.active, after=query.cursor, limit=query.limit + 1
        )
        page, last = cut(found, query.limit)
        answer = UsersAnswer(items=tuple(map(user_answer, page)), next_cursor=None if last is None else last.id)
        return json_response(answer)

    async def add(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Add a person."""
        body = await read_json(request, UserBody)
        user = await self._people.add(
            signed_in.company_id,
            full_name=body.full_name,
            personnel_number=body.personnel_number,
            email=body.email,
            role=body.role.value,
            active=body.active,
            require=partial(self._gate.require, signed_in),
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return json_response(user_answer(user), 201)

    async def import_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Import a file, or look at what importing it would do."""
        query = parse_query(ImportQuery, request)
        imported = await self._people.import_csv(
            signed_in.company_id,
            await read_file(request, CSV, CSV_LIMIT),
            actor=actor(signed_in.user_id),
            dry_run=query.dry_run,
            request_id=request[REQUEST_ID],
        )
        return json_response(import_answer(imported))

    async def read(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Show a person."""
        return json_response(user_answer(await self._people.get(path_id(request, UNKNOWN), signed_in.company_id)))

    async def change(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Change a person."""
        user_id = path_id(request, UNKNOWN)
        changes = (await read_json(request, UserChanges)).given()
        user = await self._people.change(
            user_id,
            changes,
            company_id=signed_in.company_id,
            require=partial(self._gate.require, signed_in),
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return json_response(user_answer(user))

    async def set_pin(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Set a PIN. Who may do so only for oneself learns nothing about anybody else, not even that they exist."""
        by_oneself = request.match_info["id"] == signed_in.user_id
        if not by_oneself:
            self._gate.require(signed_in, "pin.set")
        user_id = path_id(request, UNKNOWN)
        body = await read_json_if_any(request, SetPinBody)
        if by_oneself and body.current_password is not None:
            await self._own_account.confirm(signed_in, body.current_password, request_id=request[REQUEST_ID])
        elif by_oneself:
            self._gate.require(signed_in, "pin.own")
        pin = await self._people.set_pin(
            user_id,
            body.pin,
            company_id=signed_in.company_id,
            by_oneself=by_oneself,
            require=partial(self._gate.require, signed_in),
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return json_response(SetPinAnswer(pin=pin))
