"""Every address of the console, with the permission it needs. Nothing is public unless it is in `_public`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.pages.console.account import ACCOUNT, Account
from gateway.pages.console.addresses import CONFIRM, HOME, SIGN_IN
from gateway.pages.console.audit import Audit
from gateway.pages.console.entrance import Entrance
from gateway.pages.console.locks import Locks
from gateway.pages.console.people import PeoplePages
from gateway.pages.console.people_import import PeopleImport
from gateway.pages.console.phone_stamping import PhoneStamping
from gateway.pages.console.pins import Pins
from gateway.pages.console.settings import SettingsPages
from gateway.pages.console.shell import Shell
from gateway.pages.console.stamps import StampPages
from gateway.pages.console.terminal_acts import CHOICES, TerminalActs
from gateway.pages.console.terminals import Terminals
from gateway.pages.console.today import Today
from gateway.people.routes import CSV_LIMIT

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.http.routes import Handler
    from gateway.pages.assets import Asset
    from gateway.pages.console.shell import VisitHandler
    from gateway.pages.console.visit import Visit

TAG: Final = "console"


def routes(gateway: Gateway) -> list[Route]:
    """Return the pages and their parts. Templates and catalogues are loaded here, so a damaged one stops the start."""
    shell = Shell(gateway)
    return [
        *_public(shell),
        *_account(shell),
        *_terminals(shell),
        *_people(shell),
        *_company(shell),
        *_stamps(shell),
        *_elsewhere(shell),
    ]


def _public(shell: Shell) -> list[Route]:
    entrance, account = Entrance(shell), Account(shell)

    async def home(_: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"Location": HOME})

    pages: list[tuple[str, str, VisitHandler, str]] = [
        ("GET", SIGN_IN, entrance.sign_in_page, "Sign in"),
        ("POST", SIGN_IN, entrance.sign_in, "Sign in"),
        ("GET", "/console/sign-up", entrance.sign_up_page, "Found a company"),
        ("POST", "/console/sign-up", entrance.sign_up, "Found a company"),
        ("GET", "/register", entrance.join_page, "Accept an invitation"),
        ("POST", "/register", entrance.join, "Accept an invitation"),
        ("GET", "/console/forgotten-password", account.forgotten_page, "Forgotten password"),
        ("POST", "/console/forgotten-password", account.forgotten, "Forgotten password"),
        ("GET", "/password-reset", account.reset_page, "Set a new password"),
        ("POST", "/password-reset", account.reset, "Set a new password"),
    ]
    return [
        _open("GET", "/", home, "To the console"),
        *(_open(method, path, shell.public(handler), summary) for method, path, handler, summary in pages),
        *(_part(asset) for asset in (shell.style, shell.script)),
    ]


def _account(shell: Shell) -> list[Route]:
    entrance, account = Entrance(shell), Account(shell)
    add = _Adding(shell)
    add("GET", HOME, Today(shell).page, "own", "Who is in, and what needs somebody")
    add("POST", "/console/sign-out", entrance.sign_out, "own", "Sign out", page=HOME)
    add("GET", CONFIRM, account.confirm_page, "own", "Enter the password again")
    add("POST", CONFIRM, account.confirm, "own", "Enter the password again")
    add("GET", ACCOUNT, account.page, "own", "One's own sessions and password")
    add("POST", f"{ACCOUNT}/password", account.change_password, "own", "Change one's password", page=ACCOUNT)
    add(
        "POST",
        f"{ACCOUNT}/pin",
        Pins(shell, PeoplePages(shell)).set_own,
        "pin.own",
        "A new PIN of one's own",
        page=ACCOUNT,
    )
    add("POST", f"{ACCOUNT}/sessions/end-others", account.end_others, "own", "End all other sessions", page=ACCOUNT)
    add("POST", f"{ACCOUNT}/sessions/{{id}}/end", account.end_session, "own", "End a session", page=ACCOUNT)
    return add.routes


def _terminals(shell: Shell) -> list[Route]:
    terminals = Terminals(shell)
    acts = TerminalActs(shell, terminals)
    every, one = "/console/terminals", "/console/terminals/{id}"
    add = _Adding(shell)
    add("GET", every, terminals.list_, "device.read", "Terminals")
    add("GET", f"{every}/new", terminals.new_page, "device.change", "A new terminal")
    add("POST", f"{every}/new", terminals.add, "device.change", "A new terminal")
    add("GET", one, terminals.page, "device.read", "One terminal")
    add("GET", f"{one}/edit", terminals.edit_page, "device.change", "Change a terminal")
    add("POST", f"{one}/edit", terminals.edit, "device.change", "Change a terminal")
    add("POST", f"{one}/approve", terminals.approve, "device.approve", "Approve a terminal", page=one)
    for name in CHOICES:
        add("GET", f"{one}/{name}", acts.page(name), "device.change", f"Before: {name} a terminal")
        add("POST", f"{one}/{name}", acts.act(name), "device.change", f"{name.capitalize()} a terminal")
    return add.routes


def _people(shell: Shell) -> list[Route]:
    people, importing = PeoplePages(shell), PeopleImport(shell)
    pins = Pins(shell, people)
    every, one = "/console/people", "/console/people/{id}"
    add = _Adding(shell)
    add("GET", every, people.list_, "people.read", "People")
    add("GET", f"{every}/new", people.new_page, "people.change", "A new person")
    add("POST", f"{every}/new", people.add, "people.change", "A new person")
    add("GET", f"{every}/import", importing.page, "people.import", "Import people")
    add(
        "POST",
        f"{every}/import",
        importing.preview,
        "people.import",
        "What an import would do",
        limit=CSV_LIMIT,
    )
    add(
        "POST",
        f"{every}/import/run",
        importing.run,
        "people.import",
        "Import people",
        page=f"{every}/import",
        limit=CSV_LIMIT,
    )
    add("GET", f"{every}/slips", pins.many_page, "pin.set", "PINs for everybody without one")
    add("POST", f"{every}/slips", pins.many, "pin.set", "PINs for everybody without one")
    add("POST", f"{every}/slips/fetch", pins.fetch, "pin.set", "The slips of those PINs", page=f"{every}/slips")
    add("GET", one, people.page, "people.read", "One person")
    add("GET", f"{one}/edit", people.edit_page, "people.change", "Change a person")
    add("POST", f"{one}/edit", people.edit, "people.change", "Change a person")
    add("GET", f"{one}/pin", pins.page, "people.read", "Before: set a PIN")
    add("POST", f"{one}/pin", pins.set_, "pin.set", "Set a PIN")
    add("GET", f"{one}/activity", people.activity_page, "people.change", "Before: let in no longer, or again")
    page = f"{one}/activity"
    add("POST", f"{one}/deactivate", people.deactivate, "people.change", "Let in no longer", page=page)
    add("POST", f"{one}/activate", people.activate, "people.change", "Let in again", page=page)
    return add.routes


def _company(shell: Shell) -> list[Route]:
    phone, settings = PhoneStamping(shell), SettingsPages(shell)
    base = "/console/phone"
    add = _Adding(shell)
    add("GET", base, phone.page, "link.read", "Phone stamping")
    add("POST", f"{base}/switch", phone.switch, "company.change", "Switch phone stamping", page=base)
    add("GET", f"{base}/rotate", phone.rotate_page, "link.read", "Before: a new poster")
    add("POST", f"{base}/rotate", phone.rotate, "link.rotate", "A new poster")
    add("POST", f"{base}/poster", phone.download, "poster.make", "The poster as a file", page=base)
    add("GET", f"{base}/end", phone.end_page, "link.disable", "Before: end the poster")
    add("POST", f"{base}/end", phone.end, "link.disable", "End the poster")
    add("GET", "/console/settings", settings.page, "company.read", "Settings")
    add("POST", "/console/settings", settings.change, "company.change", "Change settings")
    add("GET", "/console/settings/invite", settings.invite_page, "company.read", "Invite somebody")
    add("POST", "/console/settings/invite", settings.invite, "invitation.create", "Invite somebody")
    withdrawal = "/console/settings/invitations/{id}/withdraw"
    add("GET", withdrawal, settings.withdraw_page, "invitation.withdraw", "Before: withdraw an invitation")
    add("POST", withdrawal, settings.withdraw, "invitation.withdraw", "Withdraw an invitation")
    return add.routes


def _stamps(shell: Shell) -> list[Route]:
    stamps, locks, audit = StampPages(shell), Locks(shell), Audit(shell)
    add = _Adding(shell)
    add("GET", "/console/stamps", stamps.list_, "own", "Stamps")
    add("GET", "/console/stamps/export", stamps.export, "own", "Stamps as a file")
    add("GET", "/console/stamps/correct", stamps.correct_page, "stamps.correct", "Correct a stamp")
    add("POST", "/console/stamps/correct", stamps.correct, "stamps.correct", "Correct a stamp", page="/console/stamps")
    add("GET", "/console/locks", locks.list_, "lockouts.read", "Locks")
    add("GET", "/console/locks/all", locks.unlock_all_page, "lockouts.clear", "Before: unlock all")
    add("POST", "/console/locks/all", locks.unlock_all, "lockouts.clear", "Unlock all")
    add("POST", "/console/locks/{id}/unlock", locks.unlock, "lockouts.clear", "Unlock", page="/console/locks")
    add("GET", "/console/audit", audit.list_, "audit.read", "Audit trail")
    add("GET", "/console/audit/{id}", audit.page, "audit.read", "One event")
    return add.routes


def _elsewhere(shell: Shell) -> list[Route]:
    """Routes that match only what no other does: a mistyped address gets a page, too."""

    async def nothing(visit: Visit) -> web.StreamResponse:
        raise Problem("not-found")

    add = _Adding(shell)
    add("GET", "/console/{one}", nothing, "own", "There is nothing here")
    add("GET", "/console/{one}/{two}", nothing, "own", "There is nothing here")
    add("GET", "/console/{one}/{two}/{three}", nothing, "own", "There is nothing here")
    return add.routes


class _Adding:
    """Collects routes behind the gate.

    Somebody who loads the address of a post whose form stands on another page is led to that page.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.routes: list[Route] = []

    def __call__(
        self,
        method: str,
        path: str,
        handler: VisitHandler,
        permission: str,
        summary: str,
        *,
        page: str | None = None,
        limit: int | None = None,
    ) -> None:
        self._add(method, path, handler, permission, summary, page, limit)
        if page is not None and not any((one.method, one.path) == ("GET", path) for one in self.routes):

            async def lead(visit: Visit) -> web.StreamResponse:
                return visit.go(page.format_map(visit.request.match_info))

            self._add("GET", path, lead, permission, f"To the form of: {summary}", page, None)

    def _add(
        self,
        method: str,
        path: str,
        handler: VisitHandler,
        permission: str,
        summary: str,
        page: str | None,
        limit: int | None,
    ) -> None:
        self.routes.append(
            Route(
                method=method,
                path=path,
                handler=self._shell.protected(handler, permission, page=page, limit=limit),
                summary=summary,
                tag=TAG,
                access="console",
                answers={200: None},
                produces="text/html",
                permission=permission,
            )
        )


def _open(method: str, path: str, handler: Handler, summary: str) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        tag=TAG,
        access="public",
        answers={200: None},
        produces="text/html",
    )


def _part(asset: Asset) -> Route:
    return Route(
        method="GET",
        path=f"/static/{asset.name}",
        handler=asset.send,
        summary=f"Part of the console: {asset.name}",
        tag=TAG,
        access="public",
        answers={200: None},
        produces=asset.content_type,
    )
