"""HTTP by hand: exactly these bytes go over the socket, as no client library would send them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crypto.message_signatures import IncomingRequest

ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class RawReply:
    """What came back. `body` is the parsed JSON, or `None` when it is no JSON."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def problem(self) -> str:
        return str(self.body["type"]).rpartition("/")[2] if isinstance(self.body, dict) and "type" in self.body else ""


async def send(port: int, data: bytes) -> RawReply:
    """Send `data` on a fresh connection to loopback and read the one answer to it."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            await writer.drain()
            return await read_reply(reader)
        finally:
            writer.close()


async def read_reply(reader: asyncio.StreamReader) -> RawReply:
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = None
    return RawReply(int(status_line.split()[1]), headers, body)


def on_the_wire(request: IncomingRequest, framing: Sequence[tuple[bytes, bytes]] | None = None) -> bytes:
    """Return the bytes of a request; `framing` replaces the Content-Length that its body needs."""
    if framing is None:
        framing = [(b"Content-Length", str(len(request.body)).encode())] if request.body else []
    lines = [b"%s: %s" % field for field in (*request.headers, *framing)]
    head = f"{request.method} {request.target} HTTP/1.1".encode("latin-1")
    return b"\r\n".join([head, *lines, b"", b""]) + request.body
