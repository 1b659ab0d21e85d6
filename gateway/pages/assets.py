"""Style sheets and scripts of the pages, held in memory and addressed by their content.

A page names its assets with a short digest (`/static/stamp.css?v=1f0c…`), so a browser may keep them for a year and
still never runs an old script on a new page.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
DIGEST_CHARACTERS = 16
"""64 bits of SHA-256: enough to tell versions of one file apart; nobody gains by making two collide."""

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
            charset="utf-8",
            headers={
                "Cache-Control": KEEP_FOR_EVER if current else ASK_EACH_TIME,
                "X-Content-Type-Options": "nosniff",
            },
        )


def load_asset(name: str) -> Asset:
    """Read the asset `name` (a bare file name such as `stamp.css`) from beside the pages."""
    path = STATIC / name
    body = path.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:DIGEST_CHARACTERS]
    return Asset(name=name, body=body, content_type=CONTENT_TYPES[path.suffix], digest=digest)
