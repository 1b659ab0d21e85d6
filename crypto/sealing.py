"""Secrets that must wait in the database for a while, unreadable to whoever has only the database.

XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03, as libsodium does it) under a purpose key of the secrets file. The
version of the key comes first, so that what waits stays readable after a new master key; the context is bound in as
additional data, so that a sealed value cannot be moved to another place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nacl import bindings
from nacl.exceptions import CryptoError as SodiumError

from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NONCE_BYTES: Final = bindings.crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
"""Long enough to be drawn at random for every value."""


class NotSealedHere(CryptoError):
    """A value was not sealed by this gateway's secrets, not for this place, or was changed."""


class Seal:
    """Seals and opens bytes. `keys`: of 32 bytes, by version; `version`: the one that seals."""

    def __init__(self, keys: Mapping[int, bytes], version: int, randomness: Callable[[int], bytes]) -> None:
        self._keys = dict(keys)
        self._version = version
        self._randomness = randomness

    def close(self, secret: bytes, context: bytes) -> bytes:
        """Return `secret` sealed for the place that `context` names: version, nonce, ciphertext with its tag."""
        nonce = self._randomness(_NONCE_BYTES)
        key = self._keys[self._version]
        sealed = bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(secret, context, nonce, key)
        return bytes([self._version]) + nonce + sealed

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Return what was sealed for this place. Raises `NotSealedHere`."""
        key = self._keys.get(sealed[0]) if sealed else None
        nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if key is None or len(nonce) != _NONCE_BYTES:
            raise NotSealedHere("not a sealed value of these secrets")
        try:
            return bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(rest, context, nonce, key)
        except (SodiumError, ValueError, TypeError):
            raise NotSealedHere("the sealed value was changed, or moved from another place") from None
