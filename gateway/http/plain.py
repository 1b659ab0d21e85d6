"""Requests that are there as a whole and answers that go out in one piece, as values without a server behind them.

Every stamp is such a request. A handler over these values is reached two ways: through aiohttp's application
(`PlainHandler.handle`) and by the short way of `connections`, which makes nothing else for a request. The rules are the
handler's own and those of `middlewares`, so both ways have the same ones.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.http.answers import JSON, JsonAnswer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

NO_CONTENT: Final = 204


class PlainRequest:
    """A request with its whole `body` and the `id` it was given; the other names are those of `web.Request`."""

    __slots__ = ("_headers", "_peer", "_protocol", "body", "id", "method", "raw_headers", "raw_path")

    def __init__(
        self,
        method: str,
        raw_path: str,
        headers: CIMultiDictProxy[str] | None,
        raw_headers: Sequence[tuple[bytes, bytes]],
        body: bytes,
        request_id: str,
        protocol: web.RequestHandler,
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self._headers = headers
        self.raw_headers = raw_headers
        self.body = body
        self.id = request_id
        self._protocol = protocol
        # Now, while the connection is there: whoever hangs up at once has an address all the same.
        self._peer = protocol.peername

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields by name. Made when first asked for: most handlers look at the raw ones alone."""
        if self._headers is None:
            decoded = [(name.decode(), value.decode("utf-8", "surrogateescape")) for name, value in self.raw_headers]
            self._headers = CIMultiDictProxy(CIMultiDict(decoded))
        return self._headers

    @property
    def remote(self) -> str | None:
        """The address of the connection's other end; empty or `None` for one without."""
        peer = self._peer
        return str(peer[0]) if isinstance(peer, tuple) else peer

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection, or `None` when it is gone."""
        return self._protocol.transport


class PlainAnswer:
    """An answer: a body that is bytes already (JSON unless `media` says otherwise) and further header fields."""

    __slots__ = ("body", "fields", "media", "status")

    def __init__(
        self, status: int, body: bytes = b"", fields: Mapping[str, str] | None = None, media: str = JSON
    ) -> None:
        self.status = status
        self.body = body
        self.fields = {} if fields is None else dict(fields)
        self.media = media

    def response(self) -> web.Response:
        """Return it as aiohttp's."""
        if self.status == NO_CONTENT:
            return web.Response(status=NO_CONTENT, headers=self.fields)
        if self.media == JSON:
            return JsonAnswer(self.body, self.status, self.fields)
        return web.Response(status=self.status, body=self.body, headers=self.fields, content_type=self.media)

    def on_the_wire(self, always: str) -> bytes:
        """Return it as the bytes of HTTP/1.1; `always` are whole header lines that every answer has.

        Raises `ValueError` for a field that would begin another line.
        """
        lines = f"{_STATUS_LINES[self.status]}{always}"
        for name, value in self.fields.items():
            if not value.isprintable():
                raise ValueError(f"{name} is not one line")
            lines += f"{name}: {value}\r\n"
        if self.status == NO_CONTENT:
            return f"{lines}\r\n".encode()
        body = self.body
        return b"%b%b" % (f"{lines}Content-Type: {self.media}\r\nContent-Length: {len(body)}\r\n\r\n".encode(), body)


_STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def json_answer(answer: BaseModel, status: int = 200) -> PlainAnswer:
    """Return an answer model as JSON; fields that are ``None`` are left out."""
    return PlainAnswer(status, answer.__pydantic_serializer__.to_json(answer, exclude_none=True))
