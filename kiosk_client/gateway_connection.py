"""One HTTP exchange with the gateway, exactly as asked for.

A signed request must arrive as it was signed and at most once. So everything a friendly HTTP library does by itself is
off: redirects, cookies, a content type without a body, the second try on a stale connection, proxies from the
environment.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from kiosk_client.errors import CertificateRefused, GatewayUnreachable, KeyStoreFault, TlsMissing, UnexpectedAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiosk_client.gateway_address import GatewayAddress

CONNECT_SECONDS = 3.0
"""Somebody stands at the door; a gateway that is there answers within milliseconds."""

ANSWER_BYTES = 256 * 1024
"""No answer of the protocol comes near it."""

KEEP_ALIVE_SECONDS = 15.0
"""Shorter than any server's or proxy's: a PIN is not sent into a connection that is just being closed."""


NO_TLS = ("wrong version number", "record layer failure")
"""How OpenSSL, before 3.2 and since, calls an answer that is no TLS, such as plain HTTP."""


def client_version() -> str:
    """The installed version, or ``0`` when run from a bare source tree."""
    try:
        return version("stampgate")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, the fields the protocol uses, the body; ``sent`` and ``received`` by the local clock."""

    status: int
    body: bytes
    content_type: str
    replay_nonce: str | None
    date: float | None
    retry_after: float | None
    location: str | None


class _ConnectionLost(Exception):
    """A connection broke after the request went out. No ``aiohttp`` error, so its retry loop lets it pass."""


async def _no_silent_retry(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """``aiohttp`` sends GET, HEAD, PUT and DELETE again when a kept connection breaks: a nonce would be used twice."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as lost:
        raise _ConnectionLost(type(lost).__name__) from lost


def _tls(ca_file: str | None) -> ssl.SSLContext:
    if ca_file is None:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise KeyStoreFault(f"The CA file {Path(ca_file)} cannot be read as PEM certificates") from None


def _date(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; the form with a date is not used by the protocol (RFC 9110 §10.2.3)."""
    return float(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 9 else None


class GatewayConnection:
    """A few kept connections to one gateway."""

    def __init__(self, address: GatewayAddress, *, ca_file: str | None = None) -> None:
        self.address = address
        self._ca_file = ca_file
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections; the next exchange opens a new one."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=4,
                keepalive_timeout=KEEP_ALIVE_SECONDS,
                ssl=_tls(self._ca_file) if self.address.encrypted else True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Content-Type",),
                headers={"User-Agent": f"stampgate-kiosk/{client_version()}", "Accept": "application/json"},
                middlewares=(_no_silent_retry,),
                trust_env=False,
            )
        return self._session

    async def exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> Reply:
        """Send once and read the answer within ``timeout`` seconds.

        Raises ``GatewayUnreachable`` (its ``maybe_processed`` says whether the request may have arrived),
        ``CertificateRefused``, ``TlsMissing``, ``UnexpectedAnswer`` for what is not HTTP or too long.
        """
        try:
            async with self._open().request(
                method,
                self.address.url(target),
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS),
            ) as response:
                content = bytearray()
                async for chunk in response.content.iter_any():
                    content += chunk
                    if len(content) > ANSWER_BYTES:
                        raise UnexpectedAnswer("an answer too long to be the gateway's", maybe_processed=True)
                field = response.headers.get
                return Reply(
                    status=response.status,
                    body=bytes(content),
                    content_type=response.content_type,
                    replay_nonce=field("Replay-Nonce"),
                    date=_date(field("Date")),
                    retry_after=_seconds(field("Retry-After")),
                    location=field("Location"),
                )
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as fault:
            if any(text in str(fault) for text in NO_TLS):
                raise TlsMissing(self.address.origin) from None
            raise CertificateRefused(_certificate_cause(fault)) from None
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise GatewayUnreachable(self.address.origin) from None
        except (_ConnectionLost, TimeoutError, aiohttp.ClientPayloadError, aiohttp.ClientOSError) as lost:
            raise GatewayUnreachable(self.address.origin, maybe_processed=True) from lost
        except aiohttp.ClientError as fault:
            raise UnexpectedAnswer(type(fault).__name__, maybe_processed=True) from None


def _certificate_cause(fault: aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError) -> str:
    inner: BaseException | None
    inner = fault.certificate_error if isinstance(fault, aiohttp.ClientConnectorCertificateError) else fault.os_error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    return getattr(inner, "reason", None) or type(inner).__name__
