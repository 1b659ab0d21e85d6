"""The protocol's profile of HTTP Message Signatures (RFC 9421) with Ed25519, Content-Digest and one-time nonces.

`Verifier` is the gateway's side, `sign` a terminal's. Every refusal is a `SignatureRefused` with its problem name.
"""

from __future__ import annotations

from crypto.message_signatures.problems import (
    BadNonce,
    ClockSkew,
    ContentDigestMismatch,
    CoveredComponents,
    NonCanonicalTarget,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
    SignatureParameters,
    SignatureRefused,
    UnknownAuthority,
)
from crypto.message_signatures.profile import ACCEPT_SIGNATURE, ENROL_TAG, KIOSK_TAG, REKEY_TAG, signature_base
from crypto.message_signatures.signer import OutgoingRequest, combine, sign
from crypto.message_signatures.targets import normalise_authority, read_target
from crypto.message_signatures.verifier import (
    MAX_BODY_BYTES,
    MAX_CLOCK_SKEW,
    ClaimedSignature,
    IncomingRequest,
    VerifiedRequest,
    Verifier,
    content_digest_of,
)

__all__ = [
    "ACCEPT_SIGNATURE",
    "ENROL_TAG",
    "KIOSK_TAG",
    "MAX_BODY_BYTES",
    "MAX_CLOCK_SKEW",
    "REKEY_TAG",
    "BadNonce",
    "ClaimedSignature",
    "ClockSkew",
    "ContentDigestMismatch",
    "CoveredComponents",
    "IncomingRequest",
    "NonCanonicalTarget",
    "OutgoingRequest",
    "SignatureInvalid",
    "SignatureMalformed",
    "SignatureMissing",
    "SignatureParameters",
    "SignatureRefused",
    "UnknownAuthority",
    "VerifiedRequest",
    "Verifier",
    "combine",
    "content_digest_of",
    "normalise_authority",
    "read_target",
    "sign",
    "signature_base",
]
