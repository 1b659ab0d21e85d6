"""Base64url in its one canonical spelling (RFC 4648 §5, §3.5).

Python's decoders skip foreign characters and ignore stray bits in the last character, so that one value has many
spellings. Identifiers and nonces are compared and stored as text: here each value has exactly one.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64

from crypto.errors import CryptoError

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*+")
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = str.maketrans("-_", "+/")


class NotBase64Url(CryptoError):
    """The text is not the canonical, unpadded base64url form of the wanted number of bytes."""


def encode(value: bytes) -> str:
    """Return `value` as base64url without padding."""
    return b2a_base64(value, newline=False).translate(_TO_URL).rstrip(b"=").decode()


def decode(text: str, length: int) -> bytes:
    """Return the `length` bytes that `text` spells.

    Raises:
        NotBase64Url: another length, a character outside the alphabet, padding, or stray bits in the last character.
    """
    if len(text) != (length * 8 + 5) // 6 or _ALPHABET.fullmatch(text) is None:
        raise NotBase64Url(f"not {length} bytes in unpadded base64url")
    value = a2b_base64(text.translate(_FROM_URL) + "=" * (-len(text) % 4))
    if encode(value) != text:
        raise NotBase64Url("stray bits in the last base64url character")
    return value
