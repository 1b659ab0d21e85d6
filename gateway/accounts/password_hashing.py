"""Passwords are hashed in a bounded pool of their own, and an address without a password costs the same."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from crypto.passwords import PasswordHasher

if TYPE_CHECKING:
    from crypto.passwords import Argon2Cost
    from gateway.pin_login.hashing import HashPool

PASSWORDS_WAITING: Final = 15
"""Passwords that may wait behind the one being hashed: a second or two of work, and far from the ten
seconds after which a try counts as wrong. More is refused at once."""


class PasswordHashing:
    """Hashes and checks passwords beside the event loop. All methods raise Problem `busy` when the queue is full."""

    def __init__(self, pool: HashPool, cost: Argon2Cost) -> None:
        self._pool = pool
        self._cost = cost
        self._made: PasswordHasher | None = None
        self._making = threading.Lock()

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._pool.run(lambda: self._hasher().hash(password))

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password fits. `None` fits nothing, after the same work on a dummy."""
        return await self._pool.run(self._verify, password_hash, password)

    async def rehash(self, password_hash: str, password: str) -> str | None:
        """Return a new hash if the stored one was made at another cost than passwords have now."""
        return await self._pool.run(self._rehash, password_hash, password)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        hasher = self._hasher()
        return hasher.verify(hasher.dummy if password_hash is None else password_hash, password)

    def _rehash(self, password_hash: str, password: str) -> str | None:
        hasher = self._hasher()
        return hasher.hash(password) if hasher.needs_rehash(password_hash) else None

    def _hasher(self) -> PasswordHasher:
        """Made only when it is needed, and in a thread: it begins with a hash of its own, which others save."""
        with self._making:
            if self._made is None:
                self._made = PasswordHasher(self._cost)
            return self._made
