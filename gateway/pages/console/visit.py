"""One request to the console: who asks, in which language, what was sent, and the answers a page can give."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypedDict
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.accounts.protected import actor
from gateway.http.middlewares import REQUEST_ID
from gateway.pages.catalogues import LANGUAGES, choose_language
from gateway.pages.console import cookies
from gateway.pages.console.dates import Dates
from gateway.pages.console.forms import Form
from gateway.pages.console.said import name_with, sentence
from gateway.pages.console.texts import fault_text, problem_text, translated
from gateway.stamping.local_day import zone_named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.accounts.gate import SignedIn
    from gateway.http.problems import FieldError, Problem
    from gateway.pages.console.shell import Shell
    from storage.companies import Company

IN_A_FORM: Final = frozenset(
    {
        *("bad-request", "conflict", "login-failed", "login-throttled", "too-many-requests", "busy"),
        *("invitation-not-valid", "reset-not-valid", "registration-closed", "words-mismatch", "link-not-valid"),
    }
)
"""Refusals that whoever filled in a form can mend there: the form comes again with what was typed."""

FORM: Final = "form"
"""The name of faults that belong to no single field."""


class By(TypedDict):
    """Who does something, and in which request."""

    actor: str
    request_id: str


class Faults(dict[str, "Sequence[str]"]):
    """Sentences by the name of their field; none for every other field."""

    def __missing__(self, name: str) -> Sequence[str]:
        return ()


class Visit:
    """What a handler of the console works with. `me` and `company` are there behind the gate only.

    `back` is the path of the page on which a post's form stands.
    """

    def __init__(self, shell: Shell, request: web.Request) -> None:
        self.shell = shell
        self.request = request
        self.form = Form()
        self.back = request.path
        self._signed_in: SignedIn | None = None
        self._company: Company | None = None
        asked = request.query.get("lang")
        self._chosen = asked if asked in LANGUAGES else None
        remembered = asked if self._chosen else request.cookies.get(cookies.LANGUAGE)
        self.language = choose_language(remembered, request.headers.get("Accept-Language", ""))
        self.gettext = shell.catalogues[self.language].gettext

    @property
    def me(self) -> SignedIn:
        """Who is signed in."""
        if self._signed_in is None:
            raise AssertionError("only behind the gate")
        return self._signed_in

    @property
    def is_signed_in(self) -> bool:
        """Whether somebody is."""
        return self._signed_in is not None

    @property
    def company(self) -> Company:
        """The company of whoever is signed in."""
        if self._company is None:
            raise AssertionError("only behind the gate")
        return self._company

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return zone_named(self.company.timezone)

    @property
    def dates(self) -> Dates:
        """Writes times for this page."""
        zone = ZoneInfo("UTC") if self._company is None else self.zone
        return Dates(zone, self.language, self.shell.clock(), self.gettext)

    @property
    def actor(self) -> str:
        """How the audit trail names whoever is signed in."""
        return actor(self.me.user_id)

    @property
    def request_id(self) -> str:
        """The id of this request."""
        return self.request[REQUEST_ID]

    @property
    def by(self) -> By:
        """Who does something and in which request, as every service wants to know."""
        return By(actor=self.actor, request_id=self.request_id)

    def enter(self, signed_in: SignedIn, company: Company) -> None:
        """Note who has passed the gate."""
        self._signed_in, self._company = signed_in, company

    def require(self, permission: str) -> None:
        """Refuse what whoever is signed in may not do, or not without the password. Raises as `AccountGate.require`."""
        self.shell.gate.require(self.me, permission)

    def may(self, permission: str) -> bool:
        """Tell whether something is to be offered."""
        return self.me.may(permission)

    def show(
        self, template: str, *, status: int = 200, faults: Mapping[str, Sequence[str]] | None = None, **values: Any
    ) -> web.Response:
        """Answer with a page. `faults`: sentences by the name of their field."""
        dates = self.dates
        said = sentence(self.request.cookies.get(cookies.SAID), self.gettext)
        text = self.shell.templates.get_template(f"console/{template}.html").render(
            {
                "_": self.gettext,
                "lang": self.language,
                "style": self.shell.style.address,
                "script": self.shell.script.address,
                "icon": self.shell.icon,
                "other_languages": self._language_links(),
                "me": self._signed_in,
                "company": self._company,
                "may": self.me.may if self.is_signed_in else partial(bool, False),
                "path": self.request.path,
                "said": said,
                "dates": dates,
                "when": dates.when,
                "form": self.form,
                "faults": Faults(faults or {}),
                **values,
            }
        )
        response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
        response.headers.update({**self.shell.page_headers, "Content-Language": self.language})
        if said is not None:
            cookies.drop_cookie(response, cookies.SAID)
        if self._chosen is not None:
            cookies.set_cookie(response, cookies.LANGUAGE, self._chosen, seconds=cookies.LANGUAGE_SECONDS)
        return response

    def again(self, template: str, problem: Problem, *, typed_in: str | None = None, **values: Any) -> web.Response:
        """Answer with the form again, with every fault and what was typed. Raises `problem` if no form can mend it.

        `typed_in`: the field with the password of now, where the form has one.
        """
        if problem.name not in IN_A_FORM:
            raise problem
        faults = self.faults_of(problem) if typed_in is None else self.password_faults(problem, typed_in)
        response = self.show(template, status=problem.status, faults=faults, **values)
        if problem.retry_after is not None:
            response.headers["Retry-After"] = str(problem.retry_after)
        return response

    def faults_of(self, problem: Problem) -> dict[str, list[str]]:
        """The faults of a refusal by field; without a field, its own sentence."""
        found = self.field_faults(problem.errors)
        if not found:
            found[FORM] = [problem_text(problem.name, problem.detail, problem.retry_after, self.gettext)]
        return found

    def password_faults(self, problem: Problem, field: str) -> dict[str, list[str]]:
        """The faults of a refusal where somebody signed in entered the password again in `field`."""
        if problem.name == "login-failed":
            return {field: [self.gettext("The password is wrong.")]}
        return self.faults_of(problem)

    def field_faults(self, errors: Sequence[FieldError]) -> dict[str, list[str]]:
        """Sentences by field; entries of a list belong to its field."""
        found: dict[str, list[str]] = {}
        for error in errors:
            name = error.field.partition(".")[0]
            said = fault_text(error.message, self.gettext)
            if said not in found.setdefault(name, []):
                found[name].append(said)
        return found

    def translate(self, text: str) -> str:
        """What a service says, in the language of the page."""
        return translated(text, self.gettext)

    def go(self, address: str, said: str | None = None, *counts: int) -> web.Response:
        """Lead on to another page, which begins with a sentence of `said.SENTENCES`."""
        response = web.Response(status=303, headers={"Location": address, "Cache-Control": "no-store"})
        if said is not None:
            cookies.set_cookie(response, cookies.SAID, name_with(said, *counts), seconds=60)
        return response

    def _language_links(self) -> list[tuple[str, str]]:
        """(language, address of this page in it); for the answer to a post, of the page on which its form stands."""
        query = {name: value for name, value in self.request.query.items() if name != "lang"}
        base = self.request.rel_url.with_path(self.back).with_query(query)
        return [(language, str(base.update_query(lang=language))) for language in sorted(LANGUAGES)]
