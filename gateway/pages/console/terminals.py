"""Terminals: the list, one of them, a new one with its code, and what IT says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crypto.enrolment_words import is_word
from gateway.devices.approval import NO_WORD
from gateway.devices.attention import ends_soon, is_silent
from gateway.devices.lifecycle import Act, is_allowed
from gateway.devices.models import ApprovalBody, TerminalBody, TerminalChanges
from gateway.http.path_ids import path_id
from gateway.http.problems import FieldError, Problem
from gateway.pages.console.forms import read_model
from gateway.pages.console.qr import inline_qr

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.devices.models import Registered
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.devices import Device

LIST = "/console/terminals"
UNKNOWN = "There is no such terminal."


class Terminals:
    """The pages of terminals."""

    def __init__(self, shell: Shell) -> None:
        self._devices = shell.site.devices

    async def list_(self, visit: Visit) -> web.Response:
        """List the terminals."""
        devices, now = await self._devices.list_(visit.company.id), visit.dates.now
        silent = {device.id for device in devices if is_silent(device, now)}
        ending = {device.id for device in devices if ends_soon(device, now)}
        return visit.show("terminals", devices=devices, silent=silent, ending=ending, age=_age(visit))

    async def page(self, visit: Visit) -> web.Response:
        """Show one terminal."""
        return visit.show("terminal", **self.values(visit, await self.own(visit)))

    async def new_page(self, visit: Visit) -> web.Response:
        """Ask for label, location and networks."""
        return visit.show("terminal_form", device=None)

    async def add(self, visit: Visit) -> web.Response:
        """Register a terminal, and show its code this once."""
        try:
            body = read_model(TerminalBody, _typed(visit))
            registered = await self._devices.register(
                visit.company.id, body.label, body.location, body.allowed_networks, **visit.by
            )
        except Problem as problem:
            return visit.again("terminal_form", problem, device=None)
        return show_code(visit, registered)

    async def edit_page(self, visit: Visit) -> web.Response:
        """Ask for other words about a terminal."""
        return visit.show("terminal_form", device=await self.own(visit))

    async def edit(self, visit: Visit) -> web.Response:
        """Change what IT says about a terminal."""
        device = await self.own(visit)
        try:
            changes = read_model(TerminalChanges, _typed(visit)).given()
            await self._devices.update(device.id, changes, **visit.by)
        except Problem as problem:
            return visit.again("terminal_form", problem, device=device)
        return visit.go(f"{LIST}/{device.id}", "terminal-changed")

    async def approve(self, visit: Visit) -> web.Response:
        """Let a terminal in by the two words asked for."""
        device = await self.own(visit)
        asked = device.words_asked or ()
        try:
            typed = {place: visit.form[f"word_{place}"].strip() for place in asked}
            faults = [
                FieldError(f"word_{place}", NO_WORD if word else "must not be empty")
                for place, word in typed.items()
                if not is_word(word)
            ]
            body = read_model(ApprovalBody, {"words": {str(place): word for place, word in typed.items()}}, *faults)
            words = {int(place): word for place, word in (body.words or {}).items()}
            await self._devices.approve(device.id, words=words, **visit.by)
        except Problem as problem:
            device = await self.own(visit)  # the third wrong try denies it
            return visit.again("terminal", problem, **self.values(visit, device))
        return visit.go(f"{LIST}/{device.id}", "terminal-approved")

    async def own(self, visit: Visit) -> Device:
        """Return the terminal of the path. Raises Problem `not-found` unless it is one of this company."""
        return await self._devices.get(path_id(visit.request, UNKNOWN), visit.company.id)

    @staticmethod
    def values(visit: Visit, device: Device) -> dict[str, Any]:
        """What the page of a terminal shows."""
        now = visit.dates.now
        return {
            "device": device,
            "acts": [act.value for act in Act if is_allowed(act, device.state)],
            "is_silent": is_silent(device, now),
            "ends_soon": ends_soon(device, now),
            "age": _age(visit)(device),
            "code_is_good": (device.code_expires_at or 0.0) > now,
        }


def show_code(visit: Visit, registered: Registered) -> web.Response:
    """Show an enrolment code: the answer to a post, because it is known at this moment only."""
    return visit.show(
        "enrolment_code",
        device=registered.device,
        code=registered.enrolment_code,
        address=registered.enrolment_url,
        expires_at=registered.expires_at,
        qr=inline_qr(registered.enrolment_url),
        page=f"{LIST}/{registered.device.id}",
    )


def _typed(visit: Visit) -> dict[str, Any]:
    form = visit.form
    return {
        "label": form["label"].strip(),
        "location": form["location"].strip(),
        "allowed_networks": form.lines("allowed_networks"),
    }


def _age(visit: Visit) -> Any:
    """Return what writes the age of a terminal's key."""
    dates = visit.dates

    def age(device: Device) -> str:
        made = device.key_created_at
        return "–" if made is None else dates.days(max(0.0, dates.now - made))

    return age
