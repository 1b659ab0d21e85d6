"""A complete phone tier in memory, by the HTTP interface's own rules, with handles for what goes wrong in real life."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Callable

TRANSITIONS = {
    "out": {"clock_in": "in"},
    "in": {"break_start": "break", "clock_out": "out"},
    "break": {"break_end": "in", "clock_out": "out"},
}
SESSION_SECONDS = 120

STATUS_OF = {
    "link-not-valid": 404,
    "login-failed": 401,
    "login-throttled": 429,
    "session-expired": 401,
    "action-not-valid": 409,
    "stamp-id-reused": 409,
    "bad-request": 400,
    "state-unavailable": 503,
    "busy": 503,
}


class Refused(Exception):
    """A problem document on its way out."""

    def __init__(self, name: str, *, retry_after: int | None = None, **members: object) -> None:
        super().__init__(name)
        self.name, self.retry_after, self.members = name, retry_after, members


@dataclass
class Person:
    """Somebody with a PIN. `forgotten`: the open span's clock-out was forgotten."""

    name: str
    pin: str
    state: str = "out"
    since: datetime = datetime(2026, 3, 2, 6, 58, 7, tzinfo=UTC)
    worked_seconds: float = 0.0
    failed_attempts: int = 0
    forgotten: bool = False

    def status(self) -> dict[str, Any]:
        actions = list(TRANSITIONS[self.state])
        return {
            "state": self.state,
            "since": _instant(self.since),
            "worked_today_seconds": self.worked_seconds,
            "actions": ["clock_in", *actions] if self.forgotten else actions,
        }


@dataclass
class FakePhoneApi:
    """The phone tier of one company. What tests turn: `now`, `interruptions`, `sessions`; what they read: the rest."""

    token: str
    company: str = "Müller & Söhne GmbH"
    timezone: str = "Europe/Berlin"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    people: dict[str, Person] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    stamps: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, list[Refused]] = field(default_factory=dict)
    """By path's last part: refuse the next requests so, without doing what they ask for."""
    lost: dict[str, int] = field(default_factory=dict)
    """By path's last part: how many of the next requests are carried out but answered by a broken proxy."""

    def app(self) -> web.Application:
        app = web.Application()
        for name, handler in {
            "company": self._company,
            "auth": self._auth,
            "action": self._action,
            "logout": self._logout,
        }.items():
            app.router.add_post(f"/{name}", self._answering(name, handler))
        return app

    def _answering(
        self, name: str, handler: Callable[[dict[str, Any], str], tuple[int, dict[str, Any] | None]]
    ) -> Callable[[web.Request], Any]:
        async def answer(request: web.Request) -> web.Response:
            body = await request.json() if request.can_read_body else {}
            self.requests.append((name, body))
            try:
                if self.refusals.get(name):
                    raise self.refusals[name].pop(0)
                status, content = handler(body, request.headers.get("Authorization", "").removeprefix("Bearer "))
            except Refused as refused:
                return _problem(refused)
            if self.lost.get(name, 0):
                self.lost[name] -= 1
                return web.Response(status=502, text="<h1>Bad Gateway</h1>", content_type="text/html")
            return web.Response(status=204) if content is None else web.json_response(content, status=status)

        return answer

    def _company(self, body: dict[str, Any], _: str) -> tuple[int, dict[str, Any]]:
        self._check_link(body)
        return 200, {"company": {"name": self.company, "timezone": self.timezone, "locale": "de"}}

    def _auth(self, body: dict[str, Any], _: str) -> tuple[int, dict[str, Any]]:
        self._check_link(body)
        person = self.people.get(body["personnel_number"])
        if person is None or person.pin != body["pin"]:
            raise Refused("login-failed")
        token = token_urlsafe(32)
        self.sessions[token] = body["personnel_number"]
        return 200, {
            "session_token": token,
            "expires_in": SESSION_SECONDS,
            "employee": {"display_name": person.name},
            "failed_attempts": person.failed_attempts,
            "status": person.status(),
        }

    def _action(self, body: dict[str, Any], bearer: str) -> tuple[int, dict[str, Any]]:
        number = self.sessions.get(bearer)
        if number is None:
            raise Refused("session-expired")
        person = self.people[number]
        earlier = next((s for s in self.stamps if (s["number"], s["stamp_id"]) == (number, body["stamp_id"])), None)
        if earlier and earlier["action"] != body["action"]:
            raise Refused("stamp-id-reused")
        if earlier is None:
            status = person.status()
            if body["action"] not in status["actions"]:
                raise Refused("action-not-valid", current_status=status)
            person.state = TRANSITIONS[person.state].get(body["action"], "in")
            person.since, person.forgotten = self.now(), False
            earlier = {"number": number, "at": _instant(self.now()), "id": str(uuid4()), "tier": "phone", **body}
            self.stamps.append(earlier)
        stamp = {name: value for name, value in earlier.items() if name != "number"}
        return 201, {"stamp": stamp, "status": person.status()}

    def _logout(self, _: dict[str, Any], bearer: str) -> tuple[int, None]:
        if self.sessions.pop(bearer, None) is None:
            raise Refused("session-expired")
        return 204, None

    def _check_link(self, body: dict[str, Any]) -> None:
        if body["token"] != self.token:
            raise Refused("link-not-valid")

    def asked(self, name: str) -> list[dict[str, Any]]:
        """The bodies of all requests to `name`, oldest first."""
        return [body for path, body in self.requests if path == name]


def _problem(refused: Refused) -> web.Response:
    status = STATUS_OF[refused.name]
    return web.json_response(
        {
            "type": f"https://docs.example/problems/{refused.name}",
            "title": refused.name,
            "status": status,
            "detail": "A sentence that the page does not show.",
            "request_id": str(uuid4()),
            **refused.members,
        },
        status=status,
        headers={"Retry-After": str(refused.retry_after)} if refused.retry_after else {},
        content_type="application/problem+json",
    )


def _instant(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
