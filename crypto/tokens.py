"""Opaque tokens and the hashes under which they are stored."""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from crypto import base64url

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_BYTES: Final = 32
"""256 random bits: nobody guesses one, so a plain SHA-256 is all its store needs."""

ENROLMENT_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Twenty consonants: no words by accident and no letter that looks like a digit (RFC 8628 §6.1)."""

ENROLMENT_CODE_LETTERS: Final = 8

_CODE = re.compile(f"[{ENROLMENT_ALPHABET}]{{{ENROLMENT_CODE_LETTERS}}}")
# What people type between the halves: spaces, the hyphen and the dashes that phones put in its place.
_SEPARATORS = str.maketrans("", "", " \t\u00a0-\u2010\u2011\u2012\u2013\u2014\u2212")


def new_token(randomness: Callable[[int], bytes]) -> str:
    """Return a new token: 32 random bytes as 43 characters of base64url."""
    return base64url.encode(randomness(TOKEN_BYTES))


def token_hash(token: str) -> bytes:
    """Return the SHA-256 of a token's text, 32 bytes: the only form in which a token is kept."""
    return sha256(token.encode(errors="surrogatepass")).digest()


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """Return HMAC-SHA256 over `parts`, 32 bytes.

    Each part is preceded by its length, so that no two different lists of parts give one input. For what is too easily
    guessed for a plain hash: personnel numbers, addresses, enrolment codes.
    """
    mac = hmac.new(key, digestmod=sha256)
    for part in parts:
        data = part.encode(errors="surrogatepass")
        mac.update(len(data).to_bytes(4, "big"))
        mac.update(data)
    return mac.digest()


def new_enrolment_code(randomness: Callable[[int], bytes]) -> str:
    """Return a one-time enrolment code as it is shown, `WDJB-MJHT`: eight letters, 34 bits."""
    size = len(ENROLMENT_ALPHABET)
    letters = ""
    while len(letters) < ENROLMENT_CODE_LETTERS:
        # 240 is the largest multiple of 20 in a byte: what lies above would favour the first letters.
        letters += "".join(ENROLMENT_ALPHABET[byte % size] for byte in randomness(16) if byte < 256 // size * size)
    return f"{letters[:4]}-{letters[4:ENROLMENT_CODE_LETTERS]}"


def normalise_enrolment_code(text: str) -> str | None:
    """Return the eight upper-case letters somebody typed, or None if it cannot be a code.

    Case, spaces and hyphens do not matter. The hash of a code is made over this form.
    """
    letters = text.translate(_SEPARATORS)
    if len(letters) != ENROLMENT_CODE_LETTERS or not letters.isascii():
        return None
    letters = letters.upper()
    return letters if _CODE.fullmatch(letters) else None
