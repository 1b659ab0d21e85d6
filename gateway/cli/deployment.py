"""A public address as `doctor proxy` sees it: HTTP/1.1 by hand, so that exactly the bytes meant go out.

Client libraries tidy up targets and fields before they send them, and answers before they show them.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Sequence

    Fields = Sequence[tuple[str, str]]

ANSWER_SECONDS: Final = 30.0
"""How long an answer may take in all."""

MAX_ANSWER_BYTES: Final = 1 << 20


class NoAnswer(Exception):
    """Nothing usable came back; one line that says what happened."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, its fields in their order with names in lower case."""

    status: int
    version: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    tls: str | None

    def all(self, name: str) -> list[str]:
        """Return the values of a field, one for each line."""
        return [value for held, value in self.fields if held == name]

    def one(self, name: str) -> str:
        """Return the values of a field as one, empty when it is missing."""
        return ", ".join(self.all(name))


class Deployment:
    """What answers at a public address.

    `connect` is where to connect to instead of the address's own host and port (a name that only the outside resolves);
    `ca` a file of certificates to trust besides the system's.
    """

    def __init__(self, url: str, *, connect: tuple[str, int] | None = None, ca: str | None = None) -> None:
        parts = urlsplit(url)
        self.url = url
        self.is_https = parts.scheme == "https"
        self.host = parts.netloc
        self._name = parts.hostname or ""
        self._at = connect or (self._name, parts.port or (443 if self.is_https else 80))
        self._tls: ssl.SSLContext | None = None
        if self.is_https:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
            if ca is not None:
                self._tls.load_verify_locations(ca)
        self.local_address = ""
        """This machine's end of the latest connection."""

    async def send(self, method: str, target: str, fields: Fields, body: bytes = b"") -> Reply:
        """Send one request on a connection of its own and return the answer. Raises `NoAnswer`."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in fields)]
        data = "\r\n".join([*head, "", ""]).encode("latin-1") + body
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                reader, writer = await asyncio.open_connection(
                    *self._at, ssl=self._tls, server_hostname=self._name if self._tls else None, limit=MAX_ANSWER_BYTES
                )
                try:
                    self.local_address = str(writer.get_extra_info("sockname")[0])
                    tls = writer.get_extra_info("ssl_object")
                    writer.write(data)
                    await writer.drain()
                    return await _read(reader, method, tls.version() if tls else None)
                finally:
                    writer.transport.abort()
                    with suppress(OSError):
                        await writer.wait_closed()
        except ssl.SSLError as error:
            raise NoAnswer(f"TLS: {getattr(error, 'verify_message', '') or error.reason or error}") from None
        except TimeoutError:
            raise NoAnswer(f"no answer within {ANSWER_SECONDS:.0f} s") from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, IndexError):
            raise NoAnswer("the connection was closed without a whole answer") from None
        except OSError as error:
            raise NoAnswer(error.strerror or str(error)) from None


async def _read(reader: asyncio.StreamReader, method: str, tls: str | None) -> Reply:
    while True:
        start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")[:-4].split("\r\n")
        version, status = start.split(" ")[:2]
        if not status.startswith("1"):  # 100 Continue and the like announce the answer
            break
    fields = tuple((name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    held = dict(fields)
    if method == "HEAD" or status in ("204", "304"):
        body = b""
    elif "chunked" in held.get("transfer-encoding", "").lower():
        body = await _read_chunks(reader)
    elif "content-length" in held:
        body = await reader.readexactly(min(int(held["content-length"]), MAX_ANSWER_BYTES))
    else:
        body = await reader.read(MAX_ANSWER_BYTES)
    return Reply(int(status), version, fields, body, tls)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) <= MAX_ANSWER_BYTES:
        size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            break
    return body
