"""JSON answers, the only kind but for pages: from a model or from bytes, out in one piece.

aiohttp prepares an answer in a dozen steps that look for cookies, compression, chunks, ranges and hooks, none of which
these have. On the connections that terminals and phones keep open they are skipped: every stamp pays for them else.
Anything less plain (HTTP/1.0, HEAD, a cookie, a connection about to close) goes aiohttp's own way.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.http import SERVER_SOFTWARE

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from pydantic import BaseModel

JSON: Final = "application/json"


class JsonAnswer(web.Response):
    """JSON that is bytes already."""

    def __init__(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(body=body, status=status, headers=headers)
        self.headers[hdrs.CONTENT_TYPE] = JSON

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send everything at once if the connection is an ordinary one, else begin as any other answer."""
        body = self.body
        if (
            self.prepared
            or not isinstance(body, bytes)
            or request.version != HttpVersion11
            or not request.keep_alive
            or request.method == hdrs.METH_HEAD
            or hdrs.CONNECTION in self.headers
            or self._cookies is not None
            or self.chunked
            or self.compression
        ):
            return await super().prepare(request)
        headers = self.headers
        headers[hdrs.CONTENT_LENGTH] = str(len(body))
        headers[hdrs.DATE] = http_date(int(time.time()))
        headers[hdrs.SERVER] = SERVER_SOFTWARE
        writer = request.writer
        await writer.write_headers(f"HTTP/1.1 {self.status} {self.reason}", headers)
        await writer.write_eof(body)
        self._keep_alive = True
        self._eof_sent = True  # what makes aiohttp's own write_eof() return at once
        return writer


def json_response(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> JsonAnswer:
    """Return an answer model as JSON; fields that are ``None`` are left out."""
    return JsonAnswer(answer.__pydantic_serializer__.to_json(answer, exclude_none=True), status, headers)


@lru_cache(2)
def http_date(second: int) -> str:
    """Return an instant as the Date field wants it (RFC 9110 §5.6.7); all answers of a second share one."""
    return formatdate(second, usegmt=True)
