"""The phone page `/stamp`: what somebody sees who scans the poster.

The server renders only texts: it learns the link's token not from this page but from the script's requests to the phone
API, because the poster carries it in the fragment. Older posters carry `?t=`; it is never read or logged here, and the
script moves either form out of the address bar at once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from gateway.http.routes import Route
from gateway.pages.assets import load_asset, make_document
from gateway.pages.catalogues import LANGUAGES, choose_language, load_catalogues

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

TEMPLATES = Path(__file__).parent / "templates"

PAGE_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}
"""Nothing inline, nothing foreign, never in a frame, and the address (which may hold a token) goes nowhere."""

STYLE = "stamp.css"
SCRIPT = "stamp.js"
ICON = "stamp.svg"


@cache
def environment() -> jinja2.Environment:
    """Return the one template environment: everything escaped, and a name that is missing is an error."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class PhonePage:
    """The page in every language, rendered once: it is the same for everybody who speaks that language."""

    def __init__(self) -> None:
        self.style = load_asset(STYLE)
        self.script = load_asset(SCRIPT)
        self.icon = load_asset(ICON)
        template = environment().get_template("stamp.html")
        self._documents = {
            language: make_document(
                template.render(
                    _=catalogue.gettext,
                    lang=language,
                    style=self.style.address,
                    script=self.script.address,
                    icon=self.icon.address,
                ).encode(),
                "text/html",
            )
            for language, catalogue in load_catalogues().items()
        }

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the page in the reader's language."""
        language = choose_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        return self._documents[language].answer(request, {**PAGE_HEADERS, "Content-Language": language})


@cache
def _page() -> PhonePage:
    return PhonePage()


def routes() -> list[Route]:
    """Return the page and its assets. Templates and catalogues are loaded here, so a damaged one stops the start."""
    page = _page()
    languages = ", ".join(LANGUAGES)
    return [
        Route(
            method="GET",
            path="/stamp",
            handler=page.show,
            summary=f"The phone page ({languages})",
            tag="pages",
            access="public",
            answers={200: None},
            produces="text/html",
        ),
        *(
            Route(
                method="GET",
                path=f"/static/{asset.name}",
                handler=asset.send,
                summary=f"Part of the phone page: {asset.name}",
                tag="pages",
                access="public",
                answers={200: None},
                produces=asset.content_type,
            )
            for asset in (page.style, page.script, page.icon)
        ),
    ]
