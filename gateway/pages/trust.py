"""The page `/trust`: how a tablet learns to trust the certificate of a trial, and the root certificate itself.

Public, and the one page that is also served over plain HTTP: whoever needs it has no trusted connection yet. It holds
nothing secret; what protects against a false root is the fingerprint, which people compare with the one that
`stampgate tls trial` printed.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.pages.assets import load_asset
from gateway.pages.catalogues import LANGUAGES, choose_language, load_catalogues
from gateway.pages.phone import PAGE_HEADERS, environment
from gateway.tls.certificates import Certificate, CertificateFault, read_certificate
from gateway.tls.trial import ROOT, TrialFiles

if TYPE_CHECKING:
    from pathlib import Path

PATH: Final = "/trust"
ROOT_PATH: Final = f"/trust/{ROOT}"
ROOT_TYPE: Final = "application/x-x509-ca-cert"
"""What makes tablets offer to install it."""

STYLE = "trust.css"
ICON = "stamp.svg"


class TrustPage:
    """The page in every language, and the root certificate as it is on the disk now."""

    def __init__(self, data_dir: Path, public_url: str) -> None:
        self._root = TrialFiles.of(data_dir).root
        self._public_url = public_url
        self.parts = (load_asset(STYLE), load_asset(ICON))

    async def show(self, request: web.Request) -> web.Response:
        """Answer with the page in the reader's language; without a trial it says so."""
        language = choose_language(request.query.get("lang"), request.headers.get("Accept-Language", ""))
        root = await asyncio.to_thread(self._read)
        style, icon = self.parts
        text = (
            environment()
            .get_template("trust.html")
            .render(
                _=load_catalogues()[language].gettext,
                lang=language,
                languages={"de": "Deutsch", "en": "English"},
                style=style.address,
                icon=icon.address,
                fingerprint=root.fingerprint if root is not None else None,
                download=ROOT_PATH,
                kiosk=f"{self._public_url}/kiosk",
            )
        )
        headers = {**PAGE_HEADERS, "Content-Language": language}
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def root(self, _: web.Request) -> web.Response:
        """Answer with the root certificate. Raises Problem `not-found`."""
        if await asyncio.to_thread(self._read) is None:
            raise Problem("not-found", "There is no trial certificate here. IT makes one with: stampgate tls trial")
        content = await asyncio.to_thread(self._root.read_bytes)
        headers = {
            "Cache-Control": "no-store",
            "Content-Disposition": f'attachment; filename="{ROOT}"',
        }
        return web.Response(body=content, content_type=ROOT_TYPE, headers=headers)

    def _read(self) -> Certificate | None:
        try:
            return read_certificate(self._root)
        except CertificateFault:
            return None


def routes(data_dir: Path, public_url: str, *, alone: bool = False) -> list[Route]:
    """Return the page, its parts and the certificate; `alone` with what other pages bring along elsewhere."""
    page = TrustPage(data_dir, public_url)
    summary = f"How to trust the certificate of a trial ({', '.join(LANGUAGES)})"
    served = [
        (PATH, page.show, summary, "text/html", ()),
        (ROOT_PATH, page.root, "The root certificate of a trial", ROOT_TYPE, ("not-found",)),
        *(
            (f"/static/{part.name}", part.send, f"Part of the page: {part.name}", part.content_type, ())
            for part in (page.parts if alone else page.parts[:1])
        ),
    ]
    return [
        Route(
            method="GET",
            path=path,
            handler=handler,
            summary=text,
            tag="pages",
            access="public",
            answers={200: None},
            problems=problems,
            produces=produces,
        )
        for path, handler, text, produces, problems in served
    ]
