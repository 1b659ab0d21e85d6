"""Style sheets and scripts of the pages, held in memory and addressed by their content.

A page names its assets with a short digest (`/static/stamp.css?v=1f0c…`), so a browser may keep them for a year and
still never runs an old script on a new page.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
DIGEST_CHARACTERS = 16
"""64 bits of SHA-256: enough to tell versions of one file apart; nobody gains by making two collide."""

_IMPORT = re.compile(rb'(?<= from "\./)([a-z-]+\.js)(?=";)')

KEEP_FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. `digest` names this version of it."""

    name: str
    body: bytes
    content_type: str
    digest: str

    @property
    def address(self) -> str:
        """The path and query that a page writes into its `<link>` or `<script>`."""
        return f"/static/{self.name}?v={self.digest}"

    async def send(self, request: web.Request) -> web.Response:
        """Answer with the file. Only its own version may be kept: any other `v` could be kept for the wrong content."""
        current = request.query.get("v") == self.digest
        return web.Response(
            body=self.body,
            content_type=self.content_type,
            charset=None if self.content_type == "image/png" else "utf-8",
            headers={
                "Cache-Control": KEEP_FOR_EVER if current else ASK_EACH_TIME,
                "X-Content-Type-Options": "nosniff",
            },
        )


def make_asset(name: str, body: bytes, content_type: str) -> Asset:
    """Return `body` as the asset `name`."""
    return Asset(name, body, content_type, hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS])


def load_asset(name: str) -> Asset:
    """Read the asset `name` (a bare file name such as `stamp.css`) from beside the pages."""
    path = STATIC / name
    return make_asset(name, path.read_bytes(), CONTENT_TYPES[path.suffix])


def load_modules(name: str) -> dict[str, Asset]:
    """Read the ES module `name` and all it imports, by name.

    Each import names its module with the module's digest, so the digest of a module covers everything below it, and a
    page never runs modules of two versions together. Raises `RecursionError` when modules import each other in a ring.
    """
    found: dict[str, Asset] = {}

    def load(one: str) -> Asset:
        if one not in found:
            body = (STATIC / one).read_bytes()
            whole = _IMPORT.sub(lambda match: b"%s?v=%s" % (match[1], load(match[1].decode()).digest.encode()), body)
            found[one] = make_asset(one, whole, CONTENT_TYPES[".js"])
        return found[one]

    load(name)
    return found
