"""The token that makes a request a probe: minted by whoever has the secrets file, good for three minutes.

It is a nonce of `crypto.nonces` under a purpose key of its own. A request without a genuine one is no probe and is
served like any other, so nobody can tell from outside that there are probes at all.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from multidict import istr

from crypto.nonces import InvalidNonce, Nonces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.clock import Randomness

PROBE_KEY: Final = "proxy probe"
"""Name of the purpose key."""

PROBE: Final = istr("Stampgate-Probe")
"""The field that carries the token."""

ASK: Final = istr("Stampgate-Probe-Ask")
"""The field that asks for a particular behaviour: ``status=503``, ``wait=10`` (seconds) or ``drop``."""

SEEN: Final = "Stampgate-Probe-Seen"
"""The answer's field with the method that arrived and the token's fingerprint: an answer to HEAD has nothing else."""

_FOR: Final = "stampgate-probe"
_FINGERPRINT_BYTES: Final = 16


class ProbeTokens:
    """Mints and recognises tokens, and names a value that must not be shown by its fingerprint.

    Args:
        keys: purpose keys of 32 bytes by version of the master key.
        version: the version to mint with.
    """

    def __init__(self, keys: Mapping[int, bytes], version: int, randomness: Randomness) -> None:
        self._nonces = Nonces(keys, version, randomness)
        self._key = keys[version]

    def mint(self, now: float) -> str:
        """Return a fresh token."""
        return self._nonces.mint(_FOR, now)

    def recognises(self, token: str, now: float) -> bool:
        """Tell if `token` was minted with these secrets within the last three minutes."""
        try:
            self._nonces.check(token, _FOR, now)
        except InvalidNonce:
            return False
        return True

    def fingerprint(self, value: str) -> str:
        """Return 32 hexadecimal digits that tell `value` from any other, to those alone who have the secrets."""
        data = value.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(data, key=self._key, digest_size=_FINGERPRINT_BYTES).hexdigest()
