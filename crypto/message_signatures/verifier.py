"""The gate: whether a request is exactly what the key it names has signed, now and for this gateway.

Checks run cheapest first. `read` needs no key: target → authority → single fields → parse → one tag → components →
parameters. `verify` needs the public key of the `keyid`: created → nonce → digest → signature. That a nonce is used
once only is the caller's last step, so that nobody without a valid key can burn one.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from crypto.device_keys import InvalidSignature
from crypto.device_keys import verify as verify_signature
from crypto.message_signatures.fields import (
    MAX_FIELD_BYTES,
    SignatureInput,
    read_plain,
    read_signature_input,
    read_signatures,
    select,
)
from crypto.message_signatures.header_lines import REFUSED_FIELD, single_fields, text_of
from crypto.message_signatures.problems import (
    BadNonce,
    ClockSkew,
    ContentDigestMismatch,
    CoveredComponents,
    SignatureInvalid,
    SignatureMalformed,
    SignatureParameters,
    UnknownAuthority,
)
from crypto.message_signatures.profile import CONTENT_TYPE, covered_components, request_base
from crypto.message_signatures.targets import normalise_authority, read_target
from crypto.nonces import InvalidNonce, Nonce, Nonces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BODY_BYTES: Final = 64 * 1024
"""The largest request of the protocol has well under 1 KiB."""

MAX_CLOCK_SKEW: Final = 60
"""Seconds `created` may lie before or after the gateway's clock; terminals correct theirs by the Date field."""

SIGNATURE_CHARACTERS: Final = 88
"""64 bytes in padded base64."""

_METHOD = re.compile(r"[A-Z]{1,16}")
_USUAL_METHODS = frozenset({"GET", "POST"})
_PARAMETERS = frozenset({"created", "nonce", "keyid", "tag"})
_CREATED = re.compile(r"[1-9][0-9]{0,14}")
_NONCE = re.compile(r'"[ !#-\[\]-~]*+"')
# 43 characters carry 258 bits: the last one ends in two zero bits.
_KEYID = re.compile(r'"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]"')
_AUTHORIZATION = re.compile(rb"[!-~](?:[ -~]*[!-~])?")
_CONTENT_TYPE = CONTENT_TYPE.encode()


class IncomingRequest(NamedTuple):
    """A request as it arrived: the raw target, the field lines as sent, the whole body."""

    method: str
    target: str
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class ClaimedSignature(NamedTuple):
    """A well-formed signature and all it claims. Nothing in it is verified yet.

    `created` is in Unix seconds, `signature` has 64 bytes, `query` includes its `?`.
    """

    keyid: str
    created: int
    nonce: str
    tag: str
    signature: bytes
    signature_params: str
    method: str
    authority: str
    path: str
    query: str
    content_digest: bytes
    authorization: str | None
    body: bytes


class VerifiedRequest(NamedTuple):
    """What the key has signed, and the nonce that is still to be consumed."""

    keyid: str
    nonce: Nonce
    body: bytes
    authorization: str | None


class Verifier:
    """Reads and verifies signed requests for one gateway.

    Args:
        authorities: the values of `@authority` this gateway answers to. The Host field is compared with them, nothing
            else ever says who we are.
        nonces: recognises the gateway's own nonces.
        scheme: of the public URL; its default port may be spelled out in Host.
    """

    def __init__(self, authorities: frozenset[str], nonces: Nonces, scheme: str = "https") -> None:
        self._nonces = nonces
        default_port = 80 if scheme == "http" else 443
        self._authorities: dict[bytes, str] = {}
        for spelled in authorities:
            authority = normalise_authority(spelled, scheme)
            self._authorities[authority.encode()] = authority
            if authority.endswith("]") or ":" not in authority:
                self._authorities[f"{authority}:{default_port}".encode()] = authority

    def read(self, request: IncomingRequest, tag: str) -> ClaimedSignature:
        """Return the one signature with `tag`, after every check that needs no key.

        Raises:
            SignatureRefused: the class of the first rule the request breaks, and nothing else whatever was sent.
        """
        path, query = read_target(request.target)
        method = request.method
        if method not in _USUAL_METHODS and _METHOD.fullmatch(method) is None:
            raise SignatureMalformed("the method is not upper-case letters")
        fields, repeated = single_fields(request.headers)
        host = fields.get(b"Host", b"")
        authority = self._authorities.get(host) or self._authorities.get(host.lower())
        if authority is None:
            raise UnknownAuthority("Host does not name this gateway")
        if repeated is not None:
            raise SignatureMalformed(f"{repeated} is sent twice")
        if REFUSED_FIELD in fields:
            raise SignatureMalformed("content-encoding is not part of the protocol")
        body = request.body
        if len(body) > MAX_BODY_BYTES:
            raise SignatureMalformed(f"the body has more than {MAX_BODY_BYTES} bytes")

        spelled_input, spelled_signature = fields.get(b"Signature-Input", b""), fields.get(b"Signature", b"")
        plain = None
        if len(spelled_input) <= MAX_FIELD_BYTES and len(spelled_signature) <= MAX_FIELD_BYTES:
            # Whatever is not ASCII stays so in Latin-1, and nothing of the plain form
            plain = read_plain(spelled_input.decode("latin-1"), spelled_signature.decode("latin-1"), tag)
        if plain is not None:
            parameters = None
            keyid, created, nonce, components, signature_params, encoded = plain
            named: str | None = keyid
        else:
            member, encoded = _read_any(fields, tag)
            _, components, parameters, signature_params = member
            named = _keyid(parameters)
            if len(encoded) != SIGNATURE_CHARACTERS or encoded[-2:] != "==":
                raise SignatureMalformed("a signature has 64 bytes", named)

        authorization = _authorization(fields.get(b"Authorization"), named)
        if fields.get(b"Content-Type") != (_CONTENT_TYPE if body else None):
            cause = f"a body needs Content-Type {CONTENT_TYPE}" if body else "Content-Type without a body"
            raise CoveredComponents(cause, named)
        content_digest = fields.get(b"Content-Digest")
        if content_digest is None:
            raise CoveredComponents("Content-Digest is missing", named)
        if components != covered_components(bool(body), authorization is not None):
            raise CoveredComponents("the covered components are not the ones of this request", named)
        if parameters is not None:
            keyid, created, nonce = _required(parameters, named)

        return ClaimedSignature(
            keyid,
            int(created),
            nonce,
            tag,
            a2b_base64(encoded),
            signature_params,
            method,
            authority,
            path,
            query,
            content_digest,
            authorization,
            body,
        )

    def check_freshness(self, claimed: ClaimedSignature, now: float) -> Nonce:
        """Return the nonce if `created` is within a minute of `now` and the nonce is ours, for this key and fresh.

        Raises:
            ClockSkew: `created` is off.
            BadNonce: the nonce is unknown, expired or of another key.
        """
        if not -MAX_CLOCK_SKEW <= now - claimed.created <= MAX_CLOCK_SKEW:
            raise ClockSkew("created is not within a minute of now", claimed.keyid)
        try:
            return self._nonces.check(claimed.nonce, claimed.keyid, now)
        except InvalidNonce as error:
            raise BadNonce(str(error), claimed.keyid) from None

    def verify_digest(self, claimed: ClaimedSignature) -> bytes:
        """Return the body if Content-Digest is exactly its SHA-256 (RFC 9530 §2). For whoever needs the key inside it.

        Raises:
            ContentDigestMismatch: another digest, another algorithm, or another spelling.
        """
        _require_digest(claimed)
        return claimed.body

    def verify(self, claimed: ClaimedSignature, public_key: bytes, now: float) -> VerifiedRequest:
        """Return what `public_key` has signed. The nonce is authentic; consuming it is the caller's next step.

        Raises:
            ClockSkew, BadNonce, ContentDigestMismatch, SignatureInvalid: in this order of checks.
        """
        nonce = self.check_freshness(claimed, now)
        base = request_base(
            claimed.method,
            claimed.authority,
            claimed.path,
            claimed.query,
            _require_digest(claimed),
            bool(claimed.body),
            claimed.authorization,
            claimed.signature_params,
        )
        try:
            verify_signature(public_key, base, claimed.signature)
        except InvalidSignature as error:
            raise SignatureInvalid(str(error), claimed.keyid) from None
        return VerifiedRequest(claimed.keyid, nonce, claimed.body, claimed.authorization)


def content_digest_of(body: bytes) -> str:
    """Return the Content-Digest field of `body`: `sha-256=:…:` (RFC 9530 §2)."""
    return _digest_field(body).decode()


def _digest_field(body: bytes) -> bytes:
    return b"sha-256=:%b:" % b2a_base64(sha256(body).digest(), newline=False)


def _require_digest(claimed: ClaimedSignature) -> str:
    # Compared as text: one algorithm and one spelling, by construction. Nothing here is secret.
    if claimed.content_digest != _digest_field(claimed.body):
        raise ContentDigestMismatch("Content-Digest is not the SHA-256 of the body", claimed.keyid)
    return claimed.content_digest.decode()


def _read_any(fields: dict[bytes, bytes], tag: str) -> tuple[SignatureInput, str]:
    """Return the one signature with `tag`, of whatever form. Raises `SignatureMissing` and `SignatureMalformed`."""
    spelled_input, spelled_signature = text_of(fields, b"Signature-Input"), text_of(fields, b"Signature")
    return select(read_signature_input(spelled_input), read_signatures(spelled_signature), tag)


def _authorization(value: bytes | None, keyid: str | None) -> str | None:
    if value is None:
        return None
    if _AUTHORIZATION.fullmatch(value) is None:
        raise SignatureMalformed("authorization is not printable ASCII", keyid)
    return value.decode()


def _keyid(parameters: Mapping[str, str | None]) -> str | None:
    spelled = parameters.get("keyid") or ""
    return spelled[1:-1] if _KEYID.fullmatch(spelled) else None


def _required(parameters: Mapping[str, str | None], keyid: str | None) -> tuple[str, str, str]:
    """Return keyid, created and nonce of a signature of any form. Raises `SignatureParameters`."""
    if parameters.keys() != _PARAMETERS:
        cause = "alg is given" if "alg" in parameters else "not exactly created, nonce, keyid and tag"
        raise SignatureParameters(cause, keyid)
    if keyid is None:
        raise SignatureParameters("keyid is not a thumbprint")
    created, nonce = parameters["created"] or "", parameters["nonce"] or ""
    if _CREATED.fullmatch(created) is None:
        raise SignatureParameters("created is not a Unix time in seconds", keyid)
    if _NONCE.fullmatch(nonce) is None:
        raise SignatureParameters("nonce is not a plain string", keyid)
    return keyid, created, nonce[1:-1]
