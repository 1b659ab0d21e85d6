"""``GET /problems/{name}``: what a problem's ``type`` leads to, for people (HTML) and programs (JSON)."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from gateway.http.answers import json_response
from gateway.http.models import Answer
from gateway.http.preferences import accepts_pages
from gateway.http.problem_types import PROBLEMS, ProblemType
from gateway.http.problems import Problem
from gateway.http.routes import Route

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE_POLICY: Final = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class ProblemPage(Answer):
    """One kind of refusal: what it means, and what a client does about it."""

    name: str
    title: str
    status: int
    meaning: str
    client: str


class ProblemList(Answer):
    """Every kind of refusal."""

    items: tuple[ProblemPage, ...]


def routes() -> tuple[Route, ...]:
    """Return the routes of the problem pages."""
    return (
        Route(
            method="GET",
            path="/problems",
            handler=_all,
            summary="Every problem this gateway answers with.",
            tag="Operations",
            access="public",
            answers={200: ProblemList},
        ),
        Route(
            method="GET",
            path="/problems/{name}",
            handler=_one,
            summary="What a problem means and what to do about it.",
            tag="Operations",
            access="public",
            answers={200: ProblemPage},
            problems=("not-found",),
        ),
    )


async def _all(request: web.Request) -> web.StreamResponse:
    if accepts_pages(request.headers.get(hdrs.ACCEPT, "")):
        return _html("Problems", [_section(kind, link=True) for kind in PROBLEMS.values()])
    return json_response(ProblemList(items=tuple(map(_page, PROBLEMS.values()))))


async def _one(request: web.Request) -> web.StreamResponse:
    kind = PROBLEMS.get(request.match_info["name"])
    if kind is None:
        raise Problem("not-found", cause="no such problem")
    if accepts_pages(request.headers.get(hdrs.ACCEPT, "")):
        return _html(kind.title, [_section(kind, link=False)])
    return json_response(_page(kind))


def _page(kind: ProblemType) -> ProblemPage:
    return ProblemPage(name=kind.name, title=kind.title, status=kind.status, meaning=kind.detail, client=kind.client)


def _section(kind: ProblemType, *, link: bool) -> str:
    name = f'<a href="/problems/{kind.name}">{kind.name}</a>' if link else f"<code>{kind.name}</code>"
    return (
        f"<h2>{escape(kind.title)}</h2><p>{name}, status {kind.status}</p>"
        f"<p>{escape(kind.detail)}</p><p><strong>What to do:</strong> {escape(kind.client)}</p>"
    )


def _html(title: str, sections: Iterable[str]) -> web.Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} – Stampgate</title></head><body><main><h1>{escape(title)}</h1>"
        f"{''.join(sections)}</main></body></html>"
    )
    headers = {"Content-Security-Policy": PAGE_POLICY, hdrs.VARY: hdrs.ACCEPT}
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)
