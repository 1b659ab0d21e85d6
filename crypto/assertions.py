"""JWTs signed by the gateway's key (RFC 7519, RFC 8037): EdDSA and nothing else.

The algorithm is fixed here and never taken from a token; the key is found by `kid`, which is its thumbprint; `typ`
keeps these tokens apart from any other use of the key (RFC 8725 §3.1, §3.11). Time is compared with the `now` given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.device_keys import DeviceKey, to_jwk
from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Mapping

ASSERTION_TYPE: Final = "stampgate+jwt"

MAX_ASSERTION_CHARACTERS: Final = 4096
"""A token of ours has some 400; nothing longer is parsed."""

MAX_CLOCK_DIFFERENCE: Final = 60
"""Seconds `iat` may lie in the future: gateways beside each other may differ a little."""

_ALGORITHM = "EdDSA"
_SET_HERE = frozenset({"iat", "exp", "nbf"})
_OPTIONS: Any = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
    "verify_jti": False,
}


class InvalidAssertion(CryptoError):
    """The token is not one of ours, or not valid now."""


def issue(claims: Mapping[str, object], key: DeviceKey, now: float, lifetime: int) -> str:
    """Return a signed token with `claims`, valid from `now` for `lifetime` seconds.

    Raises:
        ValueError: a claim that is set here (`iat`, `exp`, `nbf`) is among the claims.
    """
    if _SET_HERE & claims.keys():
        raise ValueError("iat, exp and nbf are set by issue")
    payload = {**claims, "iat": int(now), "exp": int(now) + lifetime}
    private_key = Ed25519PrivateKey.from_private_bytes(key.seed)
    return jwt.encode(payload, private_key, _ALGORITHM, headers={"kid": key.keyid, "typ": ASSERTION_TYPE})


def verify(token: str, public_keys: Mapping[str, bytes], now: float) -> dict[str, Any]:
    """Return the claims of a token that one of `public_keys` (32 bytes by `kid`) has signed and that is valid at `now`.

    Raises:
        InvalidAssertion: anything else, whatever was sent. The text says which rule.
    """
    if len(token) > MAX_ASSERTION_CHARACTERS:
        raise InvalidAssertion("longer than a token")
    # The parser reads the header before any signature: its JSON may nest deeper than Python likes.
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidAssertion("not a token") from None
    if header.get("alg") != _ALGORITHM or header.get("typ") != ASSERTION_TYPE:
        raise InvalidAssertion("another algorithm or type")
    kid = header.get("kid")
    public_key = public_keys.get(kid) if isinstance(kid, str) else None
    if public_key is None:
        raise InvalidAssertion("unknown kid")
    try:
        claims = jwt.decode(token, Ed25519PublicKey.from_public_bytes(public_key), [_ALGORITHM], _OPTIONS)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidAssertion("the signature does not fit") from None
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise InvalidAssertion("iat and exp are missing")
    if now >= expires:
        raise InvalidAssertion("expired")
    if issued > now + MAX_CLOCK_DIFFERENCE:
        raise InvalidAssertion("issued in the future")
    return claims


def jwks(public_keys: Mapping[str, bytes]) -> dict[str, list[dict[str, str]]]:
    """Return the JWK set of these public keys (32 bytes by `kid`), for others who verify our tokens (RFC 7517 §5)."""
    return {
        "keys": [
            {**to_jwk(public_key), "kid": kid, "alg": _ALGORITHM, "use": "sig"}
            for kid, public_key in public_keys.items()
        ]
    }
