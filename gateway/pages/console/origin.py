"""From which page a request comes: posts of other sites are refused, and plain HTTP is told apart.

1. A browser says in `Sec-Fetch-Site` whether the page that asks is ours (Fetch Metadata, W3C). Only `same-origin`, and
   `none` for what a person did with the browser itself, may change anything: a sibling host is another site here.
2. Browsers without it send `Origin` with every post: it must be the host that was asked.
3. A post with neither is refused: no browser of today sends one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from aiohttp import hdrs
from multidict import istr

from gateway.http.problems import Problem

if TYPE_CHECKING:
    from aiohttp import web

SEC_FETCH_SITE: Final = istr("Sec-Fetch-Site")
OURS: Final = frozenset({"same-origin", "none"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

ELSEWHERE: Final = "This came from another page than ours, so nothing was done. Open the console anew and try again."


def require_same_origin(request: web.Request) -> None:
    """Refuse a request that another site's page makes. Raises Problem `not-allowed`."""
    sites = request.headers.getall(SEC_FETCH_SITE, [])
    if sites:
        if len(sites) == 1 and sites[0] in OURS:
            return
        raise Problem("not-allowed", ELSEWHERE, cause="a post from another site")
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if len(origins) != 1 or _authority(origins[0]) != request.host.lower():
        raise Problem("not-allowed", ELSEWHERE, cause="a post of unknown origin")


def is_arriving(request: web.Request) -> bool:
    """Tell whether somebody follows a link from elsewhere, which is when the browser holds our cookies back."""
    return request.headers.get(SEC_FETCH_SITE) == "cross-site"


def needs_https(request: web.Request, public_url: str) -> bool:
    """Tell whether the browser will refuse our cookies at this address, so that signing in would lead nowhere.

    Browsers send `Sec-Fetch-Site` to addresses they trust only: https and this machine. For the others the address has
    to do. A mistake here only shows or hides a sentence; whether the cookies come back is asked at the sign-in.
    """
    if SEC_FETCH_SITE in request.headers:
        return False
    if (urlsplit(f"//{request.host}").hostname or "") in LOOPBACK:
        return False
    return public_url.lower() != f"https://{request.host}".lower()


def _authority(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
