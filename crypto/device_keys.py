"""Ed25519 device keys: their names, their public form, signing and verifying (RFC 8032, RFC 8037, RFC 7638).

The gateway's own key is of the same kind. libsodium does the curve; what it leaves to its callers is done here: lengths
are checked before it reads memory, and a key is taken into service only if it is a point of prime order.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Self

from nacl.bindings import crypto_core_ed25519_is_valid_point, crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from crypto import base64url
from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PUBLIC_KEY_BYTES: Final = 32
SEED_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_JWK_MEMBERS = frozenset({"kty", "crv", "x"})


class MalformedKey(CryptoError):
    """The JWK is not exactly an Ed25519 public key in canonical form."""


class WeakKey(CryptoError):
    """The point has a small or mixed order, or is no canonical point at all."""


class InvalidSignature(CryptoError):
    """The signature does not fit the message under this key."""


def thumbprint(public_key: bytes) -> str:
    """Return the `keyid` of a public key: its JWK thumbprint, 43 characters of base64url (RFC 7638 §3, RFC 8037 §2)."""
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url.encode(public_key)}"}}'
    return base64url.encode(sha256(jwk.encode()).digest())


def to_jwk(public_key: bytes) -> dict[str, str]:
    """Return a public key of 32 bytes as a JWK (RFC 8037 §2)."""
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(public_key)}


def from_jwk(jwk: Mapping[str, object]) -> bytes:
    """Return the 32 bytes of a public key that may be taken into service.

    Further members are refused: `d` would be a private key sent by mistake, and nothing else is needed.

    Raises:
        MalformedKey: not exactly `kty`, `crv` and `x` of an Ed25519 key, or `x` is not canonical base64url of 32 bytes.
        WeakKey: see `require_strong`.
    """
    if jwk.keys() != _JWK_MEMBERS:
        raise MalformedKey("a device key is a JWK of exactly kty, crv and x")
    x = jwk["x"]
    if jwk["kty"] != "OKP" or jwk["crv"] != "Ed25519" or not isinstance(x, str):
        raise MalformedKey("a device key is an Ed25519 key: kty OKP, crv Ed25519, x a string")
    try:
        public_key = base64url.decode(x, PUBLIC_KEY_BYTES)
    except base64url.NotBase64Url as error:
        raise MalformedKey(f"x is {error}") from None
    return require_strong(public_key)


def require_strong(public_key: bytes) -> bytes:
    """Return `public_key` if it is a canonical point of the prime-order subgroup.

    With a small-order key one signature would fit many messages; with a mixed-order key verifiers disagree.

    Raises:
        WeakKey: any other 32 bytes, and any other length.
    """
    if len(public_key) != PUBLIC_KEY_BYTES or not crypto_core_ed25519_is_valid_point(bytes(public_key)):
        raise WeakKey("the public key is not a canonical point of prime order")
    return public_key


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature.

    PyNaCl binds libsodium's combined form only; the one copy it takes costs far less than the curve.

    Raises:
        InvalidSignature: the signature does not fit, or a length is wrong.
    """
    # The binding hands pointers to C without looking at these lengths.
    if len(public_key) != PUBLIC_KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature("a public key has 32 bytes, a signature 64")
    try:
        crypto_sign_open(signature + message, public_key)
    except BadSignatureError:
        raise InvalidSignature("the signature does not fit the message") from None


class DeviceKey:
    """A private key that signs, with its public half and its name. It never shows its seed in a text."""

    __slots__ = ("_secret", "keyid", "public_key")

    keyid: str
    public_key: bytes

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise MalformedKey("the seed of a device key has 32 bytes")
        self.public_key, self._secret = crypto_sign_seed_keypair(seed)
        self.keyid = thumbprint(self.public_key)

    @classmethod
    def generate(cls, randomness: Callable[[int], bytes]) -> Self:
        """Make a new key from 32 bytes of `randomness`."""
        return cls(randomness(SEED_BYTES))

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a stored seed of 32 bytes (RFC 8032 §5.1.5).

        Raises:
            MalformedKey: another length.
        """
        return cls(seed)

    @property
    def seed(self) -> bytes:
        """The 32 secret bytes to store."""
        return self._secret[:SEED_BYTES]

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`, 64 bytes."""
        return crypto_sign(message, self._secret)[:SIGNATURE_BYTES]

    def __repr__(self) -> str:
        return f"DeviceKey(keyid={self.keyid!r})"
