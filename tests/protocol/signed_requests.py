"""Requests as terminals and attackers make them: honest by default, every part of them open to change.

The signature is made over whatever the request then says, so that a refusal is due to the rule under test and not to a
signature that merely no longer fits.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from os import urandom
from typing import TYPE_CHECKING

from crypto.device_keys import DeviceKey
from crypto.message_signatures import KIOSK_TAG, IncomingRequest, VerifiedRequest, Verifier, signature_base
from crypto.nonces import Nonces

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_800_000_000.25
AUTHORITY = "gateway.example"
TARGET = "/api/time/kiosk/action"
BODY = b'{"stamp_id":"0190b0e0-6f5a-7000-8000-000000000000","action":"clock_in"}'
AUTHORIZATION = "Bearer c2Vzc2lvbi10b2tlbi1vZi1zb21lYm9keS1hdC13b3Jr"

KEY = DeviceKey.from_seed(bytes(range(32)))
OTHER_KEY = DeviceKey.from_seed(bytes(range(1, 33)))
NONCES = Nonces({7: bytes(32), 8: bytes(range(32))}, 8, urandom)
VERIFIER = Verifier(frozenset({AUTHORITY, "127.0.0.1:8080"}), NONCES)

COMPONENTS = ("@method", "@authority", "@path", "@query", "content-digest", "content-type", "authorization")


def digest_field(body: bytes, algorithm: str = "sha-256") -> str:
    return f"{algorithm}=:{b64encode(sha256(body).digest()).decode()}:"


@dataclass
class Forge:
    """One request of a terminal that follows the protocol in all that is not changed."""

    key: DeviceKey = KEY
    method: str = "POST"
    target: str = TARGET
    host: str = AUTHORITY
    body: bytes = BODY
    content_type: str | None = "application/json"
    authorization: str | None = AUTHORIZATION
    digest: str | None = None
    components: Sequence[str] = COMPONENTS
    component_list: str | None = None
    values: dict[str, str] = field(default_factory=dict)
    label: str = "sig"
    created: object = int(NOW)
    nonce: str | None = None
    keyid: str | None = None
    tag: str = KIOSK_TAG
    parameters: str | None = None
    further: Sequence[tuple[bytes, bytes]] = ()

    def signature_fields(self) -> tuple[str, str]:
        """Return Signature-Input and Signature."""
        path, _, query = self.target.partition("?")
        values = {
            "@method": self.method,
            "@authority": self.host,
            "@path": path,
            "@query": f"?{query}",
            "content-digest": self.digest or digest_field(self.body),
            "content-type": self.content_type or "",
            "authorization": self.authorization or "",
        } | self.values
        keyid = self.key.keyid if self.keyid is None else self.keyid
        nonce = NONCES.mint(keyid, NOW) if self.nonce is None else self.nonce
        components = self.component_list or "(" + " ".join(f'"{name}"' for name in self.components) + ")"
        parameters = self.parameters or ';created={created};nonce="{nonce}";keyid="{keyid}";tag="{tag}"'
        spelled = parameters.format(created=self.created, nonce=nonce, keyid=keyid, tag=self.tag)
        base = signature_base([(name, values[name]) for name in self.components], components + spelled)
        signature = b64encode(self.key.sign(base)).decode()
        return f"{self.label}={components}{spelled}", f"{self.label}=:{signature}:"

    def request(self) -> IncomingRequest:
        signature_input, signature = self.signature_fields()
        headers = [
            (b"Host", self.host.encode()),
            (b"User-Agent", b"a terminal"),
            (b"Content-Digest", (self.digest or digest_field(self.body)).encode()),
            (b"Signature-Input", signature_input.encode("latin-1")),
            (b"Signature", signature.encode("latin-1")),
        ]
        if self.content_type is not None:
            headers.append((b"Content-Type", self.content_type.encode()))
        if self.authorization is not None:
            headers.append((b"Authorization", self.authorization.encode("latin-1")))
        return IncomingRequest(self.method, self.target, [*headers, *self.further], self.body)


def bare(**changes: object) -> Forge:
    """Return a GET without body and session."""
    defaults: dict[str, object] = {
        "method": "GET",
        "target": "/api/time/kiosk/device",
        "body": b"",
        "content_type": None,
        "authorization": None,
        "components": COMPONENTS[:5],
    }
    return Forge(**(defaults | changes))  # type: ignore[arg-type]


def with_field(request: IncomingRequest, name: bytes, value: bytes | None) -> IncomingRequest:
    """Return the request with one field replaced on its way, or taken out."""
    headers = [(known, value if known == name else old) for known, old in request.headers]
    return IncomingRequest(
        request.method, request.target, [(known, new) for known, new in headers if new is not None], request.body
    )


def field_of(request: IncomingRequest, name: bytes) -> bytes:
    return dict(request.headers)[name]


def accept(
    request: IncomingRequest, *, key: DeviceKey = KEY, now: float = NOW, verifier: Verifier = VERIFIER
) -> VerifiedRequest:
    """Put a request through the whole gate."""
    return verifier.verify(verifier.read(request, KIOSK_TAG), key.public_key, now)
