"""A few unused nonces, so that signing costs no extra round trip."""

from __future__ import annotations

import re
from collections import deque

POOL_SIZE = 8
"""More are never needed by one terminal; every one kept is only one that may grow old."""

USABLE_SECONDS = 150.0
"""The gateway takes nonces up to 180 s old; the rest is for slow networks."""

_NONCE = re.compile(r"[A-Za-z0-9_-]{16,256}\Z")


class NoncePool:
    """Nonces of one key, newest used first: it is the one most surely still good.

    Nonces are opaque. When the gateway refuses one, all older ones go: it may have lost its memory of what was used,
    and then it takes none that it gave out before.
    """

    def __init__(self) -> None:
        self._nonces: deque[tuple[str, float]] = deque(maxlen=POOL_SIZE)

    def __len__(self) -> int:
        return len(self._nonces)

    def put(self, nonce: str | None, now: float) -> None:
        """Keep a ``Replay-Nonce`` received at ``now`` (Unix seconds); what cannot be one is ignored."""
        if nonce is not None and _NONCE.match(nonce):
            self._nonces.append((nonce, now))

    def take(self, now: float) -> str | None:
        """The newest nonce still good, or None. Each is given out once."""
        while self._nonces:
            nonce, received_at = self._nonces.pop()
            if 0 <= now - received_at <= USABLE_SECONDS:
                return nonce
        return None

    def clear(self) -> None:
        """Throw all away."""
        self._nonces.clear()
