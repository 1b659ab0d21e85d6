"""Passwords of people with an e-mail login: Argon2id hashes, and which passwords may be chosen."""

from __future__ import annotations

import unicodedata
from functools import cache
from importlib import resources
from typing import Final

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from crypto.argon2_cost import PASSWORD_COST, Argon2Cost
from crypto.errors import CryptoError

__all__ = [
    "MAX_PASSWORD_CHARACTERS",
    "MIN_PASSWORD_CHARACTERS",
    "PASSWORD_COST",
    "PASSWORD_FAULT_TEXT",
    "Argon2Cost",
    "PasswordHasher",
    "UnreadablePasswordHash",
    "password_faults",
]

MIN_PASSWORD_CHARACTERS: Final = 10
MAX_PASSWORD_CHARACTERS: Final = 1024
"""Longer than any passphrase; keeps one request from buying unbounded hashing."""

PASSWORD_FAULT_TEXT: Final = {
    "too-short": f"A password has at least {MIN_PASSWORD_CHARACTERS} characters.",
    "too-long": f"A password has at most {MAX_PASSWORD_CHARACTERS} characters.",
    "common": "This password is one of those tried first.",
    "email": "A password must not be the e-mail address or its first part.",
}
"""A sentence for people by fault code."""


class UnreadablePasswordHash(CryptoError):
    """The stored text is no Argon2 hash."""


class PasswordHasher:
    """Makes and checks password hashes. Any number of threads may use one.

    `dummy` is a hash no password fits: verifying against it costs what a real one does, for addresses nobody has.
    """

    def __init__(self, cost: Argon2Cost) -> None:
        self._hasher = argon2.PasswordHasher(time_cost=cost.time, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        # Longer than a password may be, so nothing that is let in fits it.
        self.dummy = self.hash("-" * (MAX_PASSWORD_CHARACTERS + 1))

    def hash(self, password: str) -> str:
        """Return the encoded hash of a password, with its salt and cost inside."""
        return self._hasher.hash(_encoded(password))

    def verify(self, password_hash: str, password: str) -> bool:
        """Tell whether the password fits the hash; the dummy fits none.

        Raises:
            UnreadablePasswordHash: the stored text is no Argon2 hash.
        """
        try:
            self._hasher.verify(password_hash, _encoded(password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError):
            raise UnreadablePasswordHash("the stored text is no Argon2 hash") from None
        return password_hash != self.dummy

    def needs_rehash(self, password_hash: str) -> bool:
        """Tell whether the hash was made at another cost than this hasher's.

        Raises:
            UnreadablePasswordHash: the stored text is no Argon2 hash.
        """
        try:
            return self._hasher.check_needs_rehash(password_hash)
        except InvalidHashError:
            raise UnreadablePasswordHash("the stored text is no Argon2 hash") from None


def password_faults(password: str, email: str | None) -> list[str]:
    """Return the code of every rule that `password` breaks, in the order of `PASSWORD_FAULT_TEXT`.

    Length and a list of what is tried first, no rules about kinds of characters (NIST SP 800-63B §3.1.1.2).
    """
    faults = []
    if len(password) < MIN_PASSWORD_CHARACTERS:
        faults.append("too-short")
    if len(password) > MAX_PASSWORD_CHARACTERS:
        faults.append("too-long")
    folded = _normal(password).casefold()  # as it is hashed: in wide letters it is the same password
    if folded in _common_passwords() or len(set(folded)) == 1:
        faults.append("common")
    if email and folded in (email.casefold(), email.casefold().partition("@")[0]):
        faults.append("email")
    return faults


@cache
def _common_passwords() -> frozenset[str]:
    return frozenset(resources.files("crypto").joinpath("common_passwords.txt").read_text("utf-8").split())


def _encoded(password: str) -> bytes:
    return _normal(password).encode(errors="surrogatepass")


def _normal(password: str) -> str:
    # One text has several encodings in Unicode and keyboards differ (NIST SP 800-63B §3.1.1.2: NFKC or NFKD).
    return unicodedata.normalize("NFKC", password)
