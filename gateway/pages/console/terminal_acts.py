"""What is done to a terminal, each on a page of its own that says what will happen before it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.devices.lifecycle import Act, is_allowed
from gateway.devices.models import ReasonBody
from gateway.http.problems import Problem
from gateway.pages.console.forms import read_model
from gateway.pages.console.marks import N_
from gateway.pages.console.terminals import LIST, show_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from gateway.pages.console.shell import Shell, VisitHandler
    from gateway.pages.console.terminals import Terminals
    from gateway.pages.console.visit import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One act: its heading and button, what will happen, and the sentence afterwards; none where a code is shown."""

    title: str
    button: str
    consequence: str
    said: str | None
    is_final: bool = False


CODE: Final = "code"

CHOICES: Final[Mapping[str, Choice]] = {
    CODE: Choice(
        title=N_("New enrolment code"),
        button=N_("Make a new code"),
        consequence=N_("The terminal gets a new enrolment code, good for 30 minutes. The old one dies at once."),
        said=None,
    ),
    Act.DENY: Choice(
        title=N_("Deny this enrolment"),
        button=N_("Deny"),
        consequence=N_("The terminal that waits is refused. It needs a new code and makes a new key."),
        said="terminal-denied",
    ),
    Act.SUSPEND: Choice(
        title=N_("Suspend this terminal"),
        button=N_("Suspend"),
        consequence=N_("Within a second nobody can stamp there any more, until you resume it. Its key stays."),
        said="terminal-suspended",
    ),
    Act.RESUME: Choice(
        title=N_("Resume this terminal"),
        button=N_("Resume"),
        consequence=N_("People can stamp there again at once."),
        said="terminal-resumed",
    ),
    Act.REPLACE: Choice(
        title=N_("Replace this terminal"),
        button=N_("Replace"),
        consequence=N_(
            "Name, location and history stay. The present device is shut out for ever, and a new one enrols with a"
            " new code."
        ),
        said=None,
        is_final=True,
    ),
    Act.REVOKE: Choice(
        title=N_("Revoke this terminal"),
        button=N_("Revoke"),
        consequence=N_(
            "This ends the terminal for good: its key is blocked for ever and it cannot come back. Its stamps stay."
        ),
        said="terminal-revoked",
        is_final=True,
    ),
}


class TerminalActs:
    """The pages of `CHOICES`."""

    def __init__(self, shell: Shell, terminals: Terminals) -> None:
        self._devices = shell.site.devices
        self._terminals = terminals

    def page(self, name: str) -> VisitHandler:
        """Return the handler that asks before an act."""

        async def ask(visit: Visit) -> web.Response:
            device = await self._terminals.own(visit)
            if not is_allowed(Act.ENROL if name == CODE else Act(name), device.state):
                return visit.go(f"{LIST}/{device.id}")
            return visit.show("terminal_act", device=device, choice=CHOICES[name])

        return ask

    def act(self, name: str) -> VisitHandler:
        """Return the handler that does it."""

        async def do(visit: Visit) -> web.Response:
            device, choice = await self._terminals.own(visit), CHOICES[name]
            try:
                reason = read_model(ReasonBody, {"reason": visit.form["reason"].strip()}).reason
                if name == CODE:
                    return show_code(visit, await self._devices.new_code(device.id, **visit.by))
                if name == Act.REPLACE:
                    return show_code(visit, await self._devices.replace(device.id, reason=reason, **visit.by))
                walk = {
                    Act.DENY: self._devices.deny,
                    Act.SUSPEND: self._devices.suspend,
                    Act.RESUME: self._devices.resume,
                    Act.REVOKE: self._devices.revoke,
                }[Act(name)]
                await walk(device.id, reason=reason, **visit.by)
            except Problem as problem:
                return visit.again("terminal_act", problem, device=device, choice=choice)
            return visit.go(f"{LIST}/{device.id}", choice.said)

        return do
