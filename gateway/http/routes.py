"""A route as a value: what serves it, who may call it, what goes in and out. The OpenAPI document reads the same."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import HttpVersion11, hdrs, web

from gateway.http.plain_handler import PlainHandler
from gateway.http.problem_types import PROBLEMS

if TYPE_CHECKING:
    from pydantic import BaseModel

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

Access = Literal["public", "enrolment", "signed", "signed-session", "phone-session", "account", "console"]
"""Who may call a route: anybody · a terminal with its new key · an enrolled terminal · a terminal with an employee
signed in · a phone with an employee signed in · somebody with an e-mail login · the same by the console's cookie.
Nothing is public unless it says so."""

ROUTES: Final[web.AppKey[list[Route]]] = web.AppKey("ROUTES", list)
"""All routes registered with an application, for the OpenAPI document."""

_PATH: Final = re.compile(r"/|(?:/(?:[A-Za-z0-9._~-]+|\{[a-z_]+\}))+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    ``answers`` maps each success status to its model, or to ``None`` for an answer that is not JSON (of the media type
    ``produces``, or one of several with ", " between) or has no content (204). ``problems`` names the route's own
    refusals; those that its access, body or query bring along are added by the OpenAPI document. ``permission`` is what
    somebody with an e-mail login needs. ``takes_file`` is the media type of a body that is no JSON, ``downloads`` that
    of an answer that can be had as a file instead of JSON.
    """

    method: str
    path: str
    handler: Handler | PlainHandler
    summary: str
    tag: str
    access: Access
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answers: Mapping[int, type[BaseModel] | None] = field(default_factory=lambda: {204: None})
    problems: tuple[str, ...] = ()
    produces: str = "application/json"
    permission: str | None = None
    takes_file: str | None = None
    downloads: str | None = None

    def __post_init__(self) -> None:
        """Refuse what would only be found in production.

        Raises:
            ValueError: The path is not in the protocol's canonical form, or a problem is not in the table.
        """
        if _PATH.fullmatch(self.path) is None:
            raise ValueError(f"{self.path} is no canonical path")
        if unknown := [name for name in self.problems if name not in PROBLEMS]:
            raise ValueError(f"{self.method} {self.path} names unknown problems: {', '.join(unknown)}")

    @property
    def path_parameters(self) -> tuple[str, ...]:
        """The names in braces."""
        return tuple(re.findall(r"\{([a-z_]+)\}", self.path))


def register(app: web.Application, routes: Iterable[Route]) -> None:
    """Add routes to an application; each public GET answers HEAD too (RFC 9110 §9.1)."""
    registered = app.setdefault(ROUTES, [])
    for route in routes:
        methods = ("GET", "HEAD") if route.method == "GET" and route.access == "public" else (route.method,)
        handler = route.handler.handle if isinstance(route.handler, PlainHandler) else route.handler
        for method in methods:
            app.router.add_route(method, route.path, handler, expect_handler=_continue)
        registered.append(route)


async def _continue(request: web.Request) -> None:
    """Answer ``Expect: 100-continue``; ignore other expectations (RFC 9110 §10.1.1 lets us), aiohttp's own handler
    would answer them in plain text that repeats the field."""
    if request.version >= HttpVersion11 and request.headers.get(hdrs.EXPECT, "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # Nothing of the answer itself is sent yet.
        request.writer.output_size = 0
