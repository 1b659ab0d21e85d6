"""Routes of terminals, for IT."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

from gateway.accounts.protected import actor, protected
from gateway.devices.models import (
    ApprovalBody,
    OneTerminalAnswer,
    ReasonBody,
    RegisteredTerminal,
    TerminalAnswer,
    TerminalBody,
    TerminalChanges,
    TerminalsAnswer,
    registered_terminal,
    terminal_answer,
)
from gateway.http.answers import json_response
from gateway.http.bodies import read_json, read_json_if_any
from gateway.http.middlewares import REQUEST_ID
from gateway.http.path_ids import path_id

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.gate import AccountGate, SignedIn, SignedInHandler
    from gateway.devices.service import Devices
    from gateway.http.routes import Route
    from storage.devices import Device

Act = Callable[..., Awaitable["Device"]]
"""What is done to a terminal, and why; see `Devices.suspend`."""

TAG: Final = "terminals"
UNKNOWN: Final = "There is no such terminal."


class DeviceRoutes:
    """The handlers. A terminal never changes its company, so whose it is can be asked before anything is done."""

    def __init__(self, *, gate: AccountGate, devices: Devices) -> None:
        self._gate = gate
        self._devices = devices

    def routes(self) -> list[Route]:
        """Return the routes of terminals."""
        every, one, devices = "/api/devices", "/api/devices/{id}", self._devices
        registered: dict[str, Any] = {"answers": {201: RegisteredTerminal}}
        there: dict[str, Any] = {"problems": ("not-found",)}
        return [
            self._route(
                "device.read", "GET", every, self.list_, "All terminals, oldest first", answers={200: TerminalsAnswer}
            ),
            self._route(
                "device.change",
                "POST",
                every,
                self.register,
                "Register a terminal; its enrolment code is shown this once",
                body=TerminalBody,
                **registered,
            ),
            self._route("device.read", "GET", one, self.read, "One terminal", answers={200: TerminalAnswer}, **there),
            self._route(
                "device.change",
                "PATCH",
                one,
                self.change,
                "Change label, location or networks",
                body=TerminalChanges,
                answers={200: TerminalAnswer},
                **there,
            ),
            self._route(
                "device.change",
                "POST",
                f"{one}/enrolment-code",
                self.new_code,
                "Make a new enrolment code; the old one dies",
                problems=("not-found", "device-state-not-valid"),
                **registered,
            ),
            self._route(
                "device.approve",
                "POST",
                f"{one}/approve",
                self.approve,
                "Let a terminal in, by two words or the thumbprint on its screen; three wrong tries deny it",
                body=ApprovalBody,
                answers={200: OneTerminalAnswer},
                problems=("not-found", "device-state-not-valid", "words-mismatch"),
            ),
            self._act("deny", "Refuse a terminal that waits for approval", devices.deny),
            self._act("suspend", "Shut a terminal out until it is resumed", devices.suspend),
            self._act("resume", "Let a suspended terminal in again", devices.resume),
            self._act("revoke", "End a terminal for good; its key is blocked for ever", devices.revoke),
            self._route(
                "device.change",
                "POST",
                f"{one}/replace",
                self.replace,
                "Let new hardware take the terminal's place: same name and history, a new code",
                body=ReasonBody,
                problems=("not-found", "device-state-not-valid"),
                **registered,
            ),
        ]

    def _route(
        self, permission: str, method: str, path: str, handler: SignedInHandler, summary: str, **fields: Any
    ) -> Route:
        return protected(self._gate, permission, handler, method=method, path=path, summary=summary, tag=TAG, **fields)

    def _act(self, name: str, summary: str, act: Act) -> Route:
        """Return the route of an act that needs nothing but a reason, and not even that."""

        async def handle(request: web.Request, signed_in: SignedIn) -> web.Response:
            device_id = await self._own(request, signed_in)
            body = await read_json_if_any(request, ReasonBody)
            device = await act(
                device_id, actor=actor(signed_in.user_id), reason=body.reason, request_id=request[REQUEST_ID]
            )
            return json_response(OneTerminalAnswer(device=terminal_answer(device)))

        return self._route(
            "device.change",
            "POST",
            f"/api/devices/{{id}}/{name}",
            handle,
            summary,
            body=ReasonBody,
            answers={200: OneTerminalAnswer},
            problems=("not-found", "device-state-not-valid"),
        )

    async def list_(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """List the terminals."""
        found = await self._devices.list_(signed_in.company_id)
        return json_response(TerminalsAnswer(items=tuple(map(terminal_answer, found))))

    async def register(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Register a terminal."""
        body = await read_json(request, TerminalBody)
        registered = await self._devices.register(
            signed_in.company_id,
            body.label,
            body.location,
            body.allowed_networks,
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return json_response(registered_terminal(registered), 201)

    async def read(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Show a terminal."""
        device = await self._devices.get(path_id(request, UNKNOWN), signed_in.company_id)
        return json_response(terminal_answer(device))

    async def change(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Change what IT says about a terminal."""
        device_id = await self._own(request, signed_in)
        changes = (await read_json(request, TerminalChanges)).given()
        device = await self._devices.update(
            device_id, changes, actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return json_response(terminal_answer(device))

    async def new_code(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Make a new code."""
        device_id = await self._own(request, signed_in)
        registered = await self._devices.new_code(
            device_id, actor=actor(signed_in.user_id), request_id=request[REQUEST_ID]
        )
        return json_response(registered_terminal(registered), 201)

    async def approve(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Let a terminal in."""
        device_id = await self._own(request, signed_in)
        body = await read_json(request, ApprovalBody)
        device = await self._devices.approve(
            device_id,
            words=None if body.words is None else {int(place): word for place, word in body.words.items()},
            thumbprint=body.thumbprint,
            actor=actor(signed_in.user_id),
            request_id=request[REQUEST_ID],
        )
        return json_response(OneTerminalAnswer(device=terminal_answer(device)))

    async def replace(self, request: web.Request, signed_in: SignedIn) -> web.Response:
        """Let new hardware take the terminal's place."""
        device_id = await self._own(request, signed_in)
        body = await read_json_if_any(request, ReasonBody)
        registered = await self._devices.replace(
            device_id, actor=actor(signed_in.user_id), reason=body.reason, request_id=request[REQUEST_ID]
        )
        return json_response(registered_terminal(registered), 201)

    async def _own(self, request: web.Request, signed_in: SignedIn) -> str:
        """Return the id in the path. Raises Problem `not-found` unless it is a terminal of one's company."""
        return (await self._devices.get(path_id(request, UNKNOWN), signed_in.company_id)).id
