"""Style sheets and scripts of the pages, held in memory and addressed by their content.

A page names its assets with a short digest (`/static/stamp.css?v=1f0c…`), so a browser may keep them for a year and
still never runs an old script on a new page. What is the same for everybody is packed once, when the gateway starts: a
third of the bytes on a slow phone. Nothing else is ever packed, because the length of a packed answer tells about
secrets in it to whoever can put a guess beside them (BREACH).
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.http.preferences import accepts_gzip

if TYPE_CHECKING:
    from collections.abc import Mapping

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".png": "image/png"}
DIGEST_CHARACTERS = 16
"""64 bits of SHA-256: enough to tell versions of one file apart; nobody gains by making two collide."""

_IMPORT = re.compile(rb'(?<= from "\./)([a-z-]+\.js)(?=";)')

KEEP_FOR_EVER = "public, max-age=31536000, immutable"
ASK_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True)
class Document:
    """A text that is the same for everybody, as it is and packed with gzip."""

    body: bytes
    packed: bytes
    content_type: str

    def answer(self, request: web.Request, headers: Mapping[str, str]) -> web.Response:
        """Return the answer in the form that the browser takes. `headers` say what else there is to say."""
        fields = {**headers, hdrs.VARY: ", ".join(filter(None, (headers.get(hdrs.VARY), hdrs.ACCEPT_ENCODING)))}
        body = self.body
        if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
            body, fields[hdrs.CONTENT_ENCODING] = self.packed, "gzip"
        return web.Response(body=body, content_type=self.content_type, charset="utf-8", headers=fields)


def make_document(body: bytes, content_type: str) -> Document:
    """Pack `body` once."""
    return Document(body, gzip.compress(body, 9, mtime=0), content_type)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent. `digest` names this version of it."""

    name: str
    body: bytes
    content_type: str
    digest: str
    document: Document | None
    """The same to be sent packed; none of a picture, which is packed already."""

    @property
    def address(self) -> str:
        """The path and query that a page writes into its `<link>` or `<script>`."""
        return f"/static/{self.name}?v={self.digest}"

    async def send(self, request: web.Request) -> web.Response:
        """Answer with the file. Only its own version may be kept: any other `v` could be kept for the wrong content."""
        current = request.query.get("v") == self.digest
        headers = {
            "Cache-Control": KEEP_FOR_EVER if current else ASK_EACH_TIME,
            "X-Content-Type-Options": "nosniff",
        }
        if self.document is not None:
            return self.document.answer(request, headers)
        return web.Response(body=self.body, content_type=self.content_type, headers=headers)


def make_asset(name: str, body: bytes, content_type: str) -> Asset:
    """Return `body` as the asset `name`."""
    document = None if content_type == "image/png" else make_document(body, content_type)
    return Asset(name, body, content_type, hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS], document)


@cache
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
