"""One-time nonces that the gateway can recognise without having stored them.

    base64url(0x01 ‖ key epoch (1) ‖ unix time (4) ‖ random (12) ‖ MAC (16))

The MAC is keyed BLAKE2b (RFC 7693) over all that precedes it and the `keyid` it was minted for. Handing out a million
of them costs no memory; only consumed ones are remembered, elsewhere, for a little longer than `MAX_AGE`.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple

from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_AGE: Final = 180
"""Seconds a nonce is good for: a terminal keeps a small pool of them between two people stamping."""

MAX_LEAD: Final = 5
"""Seconds a nonce may lie in the future: gateways beside each other differ a little, and a floor may push one ahead."""

NONCE_CHARACTERS: Final = 46

_VERSION = 1
_RANDOM_BYTES = 12
_MAC_BYTES = 16
_HEAD = Struct(f">BBI{_RANDOM_BYTES}s")
_HEAD_BYTES = _HEAD.size
_CLAIMS = Struct(">BBI")
# 34 bytes leave two bits for the last character: 46 × 6 = 34 × 8 + 4.
_CANONICAL = re.compile(r"[A-Za-z0-9_-]{45}[AQgw]")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class InvalidNonce(CryptoError):
    """Not a nonce of ours for this key at this time."""


class Nonce(NamedTuple):
    """A nonce that was minted here: its text and the Unix second it carries."""

    value: str
    minted_at: int


class Nonces:
    """Mints nonces under the current key epoch and recognises those of every epoch it holds a key for.

    Args:
        keys: MAC keys of 32 bytes by epoch, 0 to 255.
        current_epoch: the epoch to mint with.
        randomness: returns that many random bytes.
    """

    def __init__(self, keys: Mapping[int, bytes], current_epoch: int, randomness: Callable[[int], bytes]) -> None:
        if current_epoch not in keys or not all(0 <= epoch <= 255 for epoch in keys):
            raise ValueError("nonce epochs are 0 to 255 and the current one needs a key")
        # Keyed states are absorbed once and copied per nonce: half the cost of keying anew.
        self._states = {epoch: blake2b(key=key, digest_size=_MAC_BYTES) for epoch, key in keys.items()}
        self._current = current_epoch
        self._randomness = randomness

    def mint(self, keyid: str, now: float, *, not_before: int = 0) -> str:
        """Return a fresh nonce for `keyid`, 46 characters, dated `now` or `not_before`, whichever is later."""
        minted_at = max(int(now), not_before)
        head = _HEAD.pack(_VERSION, self._current, minted_at, self._randomness(_RANDOM_BYTES))
        mac = self._states[self._current].copy()
        mac.update(head + keyid.encode())
        token = head + mac.digest()
        return b2a_base64(token, newline=False).translate(_TO_URL)[:NONCE_CHARACTERS].decode()

    def check(self, nonce: str, keyid: str, now: float) -> Nonce:
        """Return the nonce if it was minted here for `keyid` and is −5 to 180 s old.

        Raises:
            InvalidNonce: otherwise. The text says which rule, for the log; a client is told one thing for all.
        """
        if _CANONICAL.fullmatch(nonce) is None:
            raise InvalidNonce("not the form of a nonce")
        token = a2b_base64(nonce.encode().translate(_FROM_URL) + b"==")
        version, epoch, minted_at = _CLAIMS.unpack_from(token)
        state = self._states.get(epoch)
        if version != _VERSION or state is None:
            raise InvalidNonce("unknown version or key epoch")
        if not -MAX_LEAD <= now - minted_at <= MAX_AGE:
            raise InvalidNonce("too old, or from the future")
        mac = state.copy()
        mac.update(token[:_HEAD_BYTES] + keyid.encode())
        if not compare_digest(mac.digest(), token[_HEAD_BYTES:]):
            raise InvalidNonce("not minted here for this key")
        return Nonce(nonce, minted_at)
