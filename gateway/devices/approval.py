"""What IT shows to prove having stood in front of the terminal: two of its five words, or its whole thumbprint.

Clicking is not enough: device linking gets phished, not broken.
"""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self

from crypto.enrolment_words import enrolment_words, is_word, words_match
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.devices import Device

NO_WORD: Final = "is no word that a terminal shows: look at its screen again"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that was looked at, against one enrolment."""

    kind: Literal["words", "thumbprint"]
    is_right: bool

    @classmethod
    async def of(
        cls, device: Device, gateway_keyid: str, *, words: Mapping[int, str] | None, thumbprint: str | None
    ) -> Self:
        """Compare what was given with what the pending `device`'s terminal shows.

        Raises Problem `bad-request` unless it is exactly one of the two, exactly the words asked for, and words of the
        list they are drawn from, which everybody may read: a slip of the form or of the keys is no guess.
        """
        if (words is None) == (thumbprint is None):
            raise _malformed("words", "either the words or the thumbprint must be given")
        keyid, enrolment_id = device.keyid, device.enrolment_id
        if keyid is None or enrolment_id is None:
            raise AssertionError("a pending device has a key and an enrolment")
        if thumbprint is not None:
            given = thumbprint.strip().encode(errors="surrogatepass")
            return cls("thumbprint", hmac.compare_digest(given, keyid.encode()))
        asked = device.words_asked or ()
        if words is None or set(words) != set(asked):
            raise _malformed("words", "must be the words " + " and ".join(map(str, asked)))
        if strange := [place for place, word in sorted(words.items()) if not is_word(word)]:
            raise Problem("bad-request", errors=[FieldError(f"words.{place}", NO_WORD) for place in strange])
        # 100,000 rounds take some 30 ms: not on the event loop.
        expected = await asyncio.to_thread(enrolment_words, keyid, gateway_keyid, enrolment_id)
        return cls("words", words_match(expected, words))


def _malformed(field: str, message: str) -> Problem:
    return Problem("bad-request", errors=[FieldError(field, message)])
