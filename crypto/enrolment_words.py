"""Five words that the terminal and the console compute alike: people compare them to see whom they approve.

    PBKDF2-HMAC-SHA256(password = device thumbprint ‖ gateway thumbprint (32 + 32 bytes),
                       salt = "stampgate words v1" ‖ enrolment id (16 bytes), 100 000 rounds, 7 bytes)

The top 55 bits are five indices into the BIP-39 English list. Somebody between terminal and gateway must show the
terminal another gateway key or the gateway another device key; then the words differ.
"""

from __future__ import annotations

import hmac
from functools import cache
from hashlib import pbkdf2_hmac
from importlib import resources
from typing import TYPE_CHECKING, Final
from uuid import UUID

from crypto import base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WORD_COUNT: Final = 5

_SALT_PREFIX = b"stampgate words v1"
# Slows a search for a second key with the same words; a terminal's browser still does it in a blink.
_ROUNDS = 100_000
_BITS_PER_WORD = 11
_BYTES = 7


@cache
def word_list() -> tuple[str, ...]:
    """Return the 2048 words of the BIP-39 English list."""
    return tuple(resources.files("crypto").joinpath("bip39_english.txt").read_text("ascii").split())


def enrolment_words(device_keyid: str, gateway_keyid: str, enrolment_id: str) -> tuple[str, str, str, str, str]:
    """Return the five words of one enrolment.

    Args:
        device_keyid: thumbprint of the key the terminal made.
        gateway_keyid: thumbprint of the gateway's key as the terminal was told.
        enrolment_id: a UUID, so that a second enrolment of the same key has other words.

    Raises:
        NotBase64Url: a thumbprint is malformed.
    """
    password = base64url.decode(device_keyid, 32) + base64url.decode(gateway_keyid, 32)
    digest = pbkdf2_hmac("sha256", password, _SALT_PREFIX + UUID(enrolment_id).bytes, _ROUNDS, _BYTES)
    bits = int.from_bytes(digest, "big") >> (_BYTES * 8 - WORD_COUNT * _BITS_PER_WORD)
    words = word_list()

    def word(position: int) -> str:
        return words[bits >> (WORD_COUNT - position) * _BITS_PER_WORD & (1 << _BITS_PER_WORD) - 1]

    return word(1), word(2), word(3), word(4), word(5)


def is_word(text: str) -> bool:
    """Tell whether a terminal could show this: case and spaces, also between letters, are forgiven."""
    return _plain(text) in _known()


def words_match(expected: Sequence[str], given: Mapping[int, str]) -> bool:
    """Tell whether every word given, by its position 1 to 5, is the expected one.

    Case and spaces are forgiven, also between letters, as screens space them. No word at all, or a position outside 1
    to 5, does not match. Which positions must be given is the caller's rule. All words are compared before the answer.
    """
    matches = bool(given)
    for position, text in given.items():
        if not 1 <= position <= len(expected):
            matches = False
            continue
        word = _plain(text).encode(errors="surrogatepass")
        matches &= hmac.compare_digest(word, expected[position - 1].encode())
    return matches


@cache
def _known() -> frozenset[str]:
    return frozenset(word_list())


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def draw_positions(randomness: Callable[[int], bytes]) -> tuple[int, int]:
    """Draw the two positions, 1 to 5 in ascending order, whose words the console asks for."""
    pairs = [(a, b) for a in range(1, WORD_COUNT + 1) for b in range(a + 1, WORD_COUNT + 1)]
    while True:
        byte = randomness(1)[0]
        # 250 is the largest multiple of the ten pairs in a byte.
        if byte < 256 // len(pairs) * len(pairs):
            return pairs[byte % len(pairs)]
