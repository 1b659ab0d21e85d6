"""Why a signed request was refused: one class per problem name of the protocol."""

from __future__ import annotations

from typing import ClassVar

from crypto.errors import CryptoError


class SignatureRefused(CryptoError):
    """A signed request was not accepted.

    Attributes:
        problem: the protocol's problem name, the same for everyone who asks.
        keyid: the key the request named, if that much could be read; it proves nothing.
        cause: one line for the log. It names rules and fields, never values: no nonce, token or expected digest.
    """

    problem: ClassVar[str]

    def __init__(self, cause: str, keyid: str | None = None) -> None:
        self.args = (cause,)  # what Exception.__init__ does, a call less: refusing must be cheap
        self.cause = cause
        self.keyid = keyid


class SignatureMissing(SignatureRefused):
    """There is no signature with the wanted tag."""

    problem = "signature-missing"


class SignatureMalformed(SignatureRefused):
    """A field is not of the protocol's grammar, too long, or sent twice."""

    problem = "signature-malformed"


class CoveredComponents(SignatureRefused):
    """The signature does not cover exactly what this request must cover, in this order."""

    problem = "covered-components"


class SignatureParameters(SignatureRefused):
    """The parameters are not exactly created, nonce, keyid and tag, or one has the wrong form."""

    problem = "signature-parameters"


class SignatureInvalid(SignatureRefused):
    """The signature does not fit the request under this key."""

    problem = "signature-invalid"


class ContentDigestMismatch(SignatureRefused):
    """Content-Digest is not exactly the SHA-256 of the body."""

    problem = "content-digest-mismatch"


class NonCanonicalTarget(SignatureRefused):
    """The request target has another spelling than the one canonical one."""

    problem = "non-canonical-target"


class UnknownAuthority(SignatureRefused):
    """The Host field does not name this gateway."""

    problem = "unknown-authority"


class ClockSkew(SignatureRefused):
    """`created` is further than a minute from the gateway's clock."""

    problem = "clock-skew"


class BadNonce(SignatureRefused):
    """The nonce is unknown, expired or of another key."""

    problem = "bad-nonce"
