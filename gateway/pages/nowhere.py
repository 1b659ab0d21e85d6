"""What a browser is shown at an address where there is nothing: the ways on. Programs get a problem document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway.pages.assets import load_asset
from gateway.pages.catalogues import choose_language, load_catalogues
from gateway.pages.phone import ICON, PAGE_HEADERS, environment
from gateway.pages.trust import STYLE

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_FOUND: Final = 404


class NowherePage:
    """The page in every language, rendered once."""

    def __init__(self) -> None:
        template = environment().get_template("nowhere.html")
        style, icon = load_asset(STYLE).address, load_asset(ICON).address
        self._documents: Mapping[str, str] = {
            language: template.render(_=catalogue.gettext, lang=language, style=style, icon=icon)
            for language, catalogue in load_catalogues().items()
        }

    def __call__(self, request: web.Request) -> web.Response:
        """Answer with the page in the reader's language."""
        language = choose_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        return web.Response(
            status=NOT_FOUND,
            text=self._documents[language],
            content_type="text/html",
            charset="utf-8",
            headers={**PAGE_HEADERS, "Content-Language": language, "Vary": "Accept, Accept-Language"},
        )
