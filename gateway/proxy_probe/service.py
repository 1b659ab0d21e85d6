"""The gateway's side of a probe: whatever the target, it tells what arrived, and touches nothing.

Answered are only requests with a genuine token, and an answer repeats nothing that could be a secret: of Authorization
only a keyed fingerprint, of cookies and unknown fields nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from crypto.message_signatures import UnknownAuthority, normalise_authority
from gateway.http.answers import JsonAnswer, json_response
from gateway.http.bodies import read_body
from gateway.proxy_probe.models import Seen, SeenField
from gateway.proxy_probe.tokens import ASK, PROBE, SEEN

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from gateway.clock import Clock
    from gateway.http.client_address import ClientAddresses
    from gateway.proxy_probe.tokens import ProbeTokens

SHOWN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "forwarded",
        "signature",
        "signature-input",
        "te",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "x-stampgate-hop",
        "x-stampgate-twice",
    }
)
"""Fields whose values are told: those that proxies write, those that the doctor made up, and those of a signature."""

STATUSES: Final = {"401": 401, "409": 409, "429": 429, "503": 503}
"""Refusals that a proxy may be tempted to replace by a page of its own."""

REPLAY_NONCE: Final = "Replay-Nonce"
RETRY_AFTER: Final = "7"
"""Seconds; a proxy that writes its own will hardly say the same."""

MAX_WAIT_SECONDS: Final = 15.0
REMEMBERED: Final = 64
"""Dropped probes that are remembered: a second arrival of one was sent by the proxy, not by the doctor."""


class ProbeAnswers:
    """Answers probes. `authorities` are the names the gateway answers to, `scheme` that of its public address."""

    def __init__(
        self,
        *,
        tokens: ProbeTokens,
        addresses: ClientAddresses,
        authorities: AbstractSet[str],
        public_url: str,
        scheme: str,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._addresses = addresses
        self._authorities = authorities
        self._public_url = public_url
        self._scheme = scheme
        self._clock = clock
        self._dropped: OrderedDict[str, None] = OrderedDict()

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """Return the answer to a probe, `None` to whatever is none. Raises `Problem` for a body as for any other."""
        token = request.headers.get(PROBE, "")
        if not self._tokens.recognises(token, self._clock()):
            return None
        asked, _, value = request.headers.get(ASK, "").partition("=")
        status = STATUSES.get(value, 200) if asked == "status" else 200
        if asked == "drop" and self._is_first(token):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if asked == "wait" and value.isascii() and value.isdigit():
            await asyncio.sleep(min(float(value), MAX_WAIT_SECONDS))
        return self._told(await self._seen(request, token), status)

    def _is_first(self, token: str) -> bool:
        if token in self._dropped:
            return False
        self._dropped[token] = None
        if len(self._dropped) > REMEMBERED:
            self._dropped.popitem(last=False)
        return True

    async def _seen(self, request: web.Request, token: str) -> Seen:
        body = await read_body(request) if request.body_exists else b""
        lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]
        version = request.version
        return Seen(
            probe=self._tokens.fingerprint(token),
            method=request.method,
            target=request.raw_path,
            version=f"{version.major}.{version.minor}",
            host=tuple(value for name, value in lines if name.lower() == "host"),
            fields=tuple(SeenField(name=name.lower(), value=value) for name, value in lines if name.lower() in SHOWN),
            authorization=tuple(
                self._tokens.fingerprint(value) for name, value in lines if name.lower() == "authorization"
            ),
            body_bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
            peer=request.remote or "a Unix socket",
            peer_is_trusted=self._addresses.trusts_peer_of(request),
            forwarded_header=str(self._addresses.header),
            client=str(self._addresses.of(request)),
            public_url=self._public_url,
            authority_is_known=self._knows(request.headers.get(hdrs.HOST, "")),
            now=self._clock(),
            replay_nonce=self._tokens.mint(self._clock()),
        )

    def _knows(self, host: str) -> bool:
        try:
            return normalise_authority(host, self._scheme) in self._authorities
        except UnknownAuthority:
            return False

    def _told(self, seen: Seen, status: int) -> JsonAnswer:
        headers = {
            REPLAY_NONCE: seen.replay_nonce,
            SEEN: f"{seen.method} {seen.probe}",
            hdrs.CACHE_CONTROL: "no-store",
        }
        if status == 401:
            headers[hdrs.WWW_AUTHENTICATE] = 'Signature realm="stampgate"'
        if status in (429, 503):
            headers[hdrs.RETRY_AFTER] = RETRY_AFTER
        return json_response(seen, status, headers)
