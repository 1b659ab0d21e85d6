"""The terminal page `/kiosk`: any browser becomes a wall terminal.

The server renders a shell; its scripts hold the key, speak the kiosk protocol and fill in nearly every text, because a
terminal learns its company's language only when it is enrolled, and may be offline when it starts. The enrolment code
travels in the fragment (`#enrol=`), which never reaches the server; the script takes it out of the address bar at once.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Final

from aiohttp import web

from crypto.enrolment_words import word_list
from gateway.http.routes import Handler, Route
from gateway.pages.assets import ASK_EACH_TIME, DIGEST_CHARACTERS, load_asset, load_modules, make_asset
from gateway.pages.catalogues import LANGUAGES, choose_language, load_catalogues
from gateway.pages.phone import PAGE_HEADERS, environment
from gateway.product import product_version

PATH: Final = "/kiosk"
WORKER_PATH: Final = "/kiosk-sw.js"
MANIFEST_PATH: Final = "/kiosk.webmanifest"

STYLE = "kiosk.css"
SCRIPT = "kiosk.js"
ICON = "kiosk.svg"
PICTURES = ("kiosk-192.png", "kiosk-512.png")
WORDS = "bip39-english.txt"
WORKER = "kiosk-sw.js"


class KioskPage:
    """The shell in every language, its parts, and the two files that make it installable; all rendered once."""

    def __init__(self) -> None:
        modules = load_modules(SCRIPT)
        style, icon = load_asset(STYLE), load_asset(ICON)
        pictures = [load_asset(name) for name in PICTURES]
        words = make_asset(WORDS, "\n".join(word_list()).encode("ascii"), "text/plain")
        self.parts = (style, *modules.values(), icon, *pictures, words)
        template = environment().get_template("kiosk.html")
        self._documents = {
            language: template.render(
                _=catalogue.gettext,
                lang=language,
                style=style.address,
                script=modules[SCRIPT].address,
                icon=icon.address,
                touch_icon=pictures[0].address,
                words=words.address,
                version=product_version(),
            )
            for language, catalogue in load_catalogues().items()
        }
        self._manifest = json.dumps(
            {
                "id": PATH,
                "name": "Stampgate Terminal",
                "short_name": "Terminal",
                "start_url": PATH,
                "scope": PATH,
                "display": "fullscreen",
                "orientation": "any",
                "background_color": "#121716",
                "theme_color": "#121716",
                "icons": [
                    {"src": icon.address, "type": "image/svg+xml", "sizes": "any"},
                    *(
                        {"src": picture.address, "type": "image/png", "sizes": f"{size}x{size}", "purpose": purpose}
                        for picture, size in zip(pictures, (192, 512), strict=True)
                        for purpose in ("any", "maskable")
                    ),
                ],
            },
            separators=(",", ":"),
        )
        # The page is part of the shell's version, or a worker would go on with an older one's.
        parts = [part.address for part in self.parts]
        digest = hashlib.sha256("".join([*parts, *self._documents.values()]).encode()).hexdigest()
        shell = json.dumps({"version": digest[:DIGEST_CHARACTERS], "parts": parts})
        self._worker = f"const SHELL = {shell};\n" + load_asset(WORKER).body.decode()

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the page in the reader's language."""
        language = choose_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        return web.Response(
            text=self._documents[language],
            content_type="text/html",
            charset="utf-8",
            headers={**PAGE_HEADERS, "Content-Language": language},
        )

    async def worker(self, _: web.Request) -> web.Response:
        """Answer with the service worker; browsers ask anew each time and install what differs by a byte."""
        return self._asked_each_time(self._worker, "text/javascript")

    async def manifest(self, _: web.Request) -> web.Response:
        """Answer with what makes the page installable."""
        return self._asked_each_time(self._manifest, "application/manifest+json")

    def _asked_each_time(self, text: str, content_type: str) -> web.Response:
        return web.Response(
            text=text,
            content_type=content_type,
            charset="utf-8",
            headers={"Cache-Control": ASK_EACH_TIME, "X-Content-Type-Options": "nosniff"},
        )


@cache
def _page() -> KioskPage:
    return KioskPage()


def routes() -> list[Route]:
    """Return the page, its parts, its worker and its manifest. A damaged file stops the start."""
    page = _page()
    languages = ", ".join(LANGUAGES)
    return [
        _public(PATH, page.show, f"The terminal page ({languages})", "text/html"),
        _public(WORKER_PATH, page.worker, "Keeps the terminal page up while the network is away", "text/javascript"),
        _public(MANIFEST_PATH, page.manifest, "Makes the terminal page installable", "application/manifest+json"),
        *(
            _public(f"/static/{part.name}", part.send, f"Part of the terminal page: {part.name}", part.content_type)
            for part in page.parts
        ),
    ]


def _public(path: str, handler: Handler, summary: str, produces: str) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        tag="pages",
        access="public",
        answers={200: None},
        produces=produces,
    )
