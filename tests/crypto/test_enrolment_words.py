from __future__ import annotations

from hashlib import pbkdf2_hmac, sha256
from importlib import resources
from itertools import cycle
from os import urandom
from uuid import UUID

import pytest

from crypto import base64url
from crypto.base64url import NotBase64Url
from crypto.enrolment_words import WORD_COUNT, draw_positions, enrolment_words, is_word, word_list, words_match

DEVICE = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
GATEWAY = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
ENROLMENT = "0190b0e0-6f5a-7000-8000-0123456789ab"
WORDS = enrolment_words(DEVICE, GATEWAY, ENROLMENT)


def test_the_list_is_the_bip_39_english_one() -> None:
    data = resources.files("crypto").joinpath("bip39_english.txt").read_bytes()
    assert sha256(data).hexdigest() == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    assert len(word_list()) == 2048
    assert (word_list()[0], word_list()[2047]) == ("abandon", "zoo")


def test_the_words_are_the_top_55_bits_of_the_protocols_hash() -> None:
    digest = pbkdf2_hmac(
        "sha256",
        base64url.decode(DEVICE, 32) + base64url.decode(GATEWAY, 32),
        b"stampgate words v1" + UUID(ENROLMENT).bytes,
        100_000,
        7,
    )
    bits = "".join(f"{byte:08b}" for byte in digest)
    assert tuple(word_list()[int(bits[at : at + 11], 2)] for at in range(0, 55, 11)) == WORDS
    assert len(WORDS) == WORD_COUNT


def test_another_key_gateway_or_enrolment_has_other_words() -> None:
    others = {
        enrolment_words(GATEWAY, DEVICE, ENROLMENT),
        enrolment_words(DEVICE, DEVICE, ENROLMENT),
        enrolment_words(DEVICE, GATEWAY, ENROLMENT[:-1] + "c"),
    }
    assert len(others | {WORDS}) == 4


@pytest.mark.parametrize("thumbprint", ["", DEVICE[:-1], DEVICE + "=", DEVICE[:-1] + "V"])
def test_words_need_two_thumbprints(thumbprint: str) -> None:
    with pytest.raises(NotBase64Url):
        enrolment_words(thumbprint, GATEWAY, ENROLMENT)


def test_words_match_whatever_their_case_and_spaces() -> None:
    assert words_match(WORDS, {2: WORDS[1], 5: WORDS[4]})
    assert words_match(WORDS, {1: f"  {WORDS[0].upper()}\n"})
    assert words_match(WORDS, {1: " ".join(WORDS[0].upper())})  # as a terminal's screen has it


def test_what_is_no_word_of_the_list_is_known_as_such() -> None:
    assert all(is_word(word) for word in WORDS)
    assert is_word(" Z o O ")
    assert not any(is_word(text) for text in ("", WORDS[0][:-1], "\ud800", "zoo zoo"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {2: WORDS[0], 5: WORDS[4]},
        {2: WORDS[1], 5: WORDS[3]},
        {0: WORDS[4]},
        {6: WORDS[0]},
        {-1: WORDS[3]},
        {1: WORDS[0], 6: "x"},
        {1: ""},
        {1: WORDS[0][:-1]},
        {1: "\ud800"},
    ],
)
def test_anything_else_does_not_match(given: dict[int, str]) -> None:
    assert not words_match(WORDS, given)


def test_two_different_positions_are_drawn_evenly_and_in_order() -> None:
    values = cycle(range(256))
    drawn = [draw_positions(lambda _: bytes((next(values),))) for _ in range(250)]
    assert len(set(drawn)) == 10
    assert {drawn.count(pair) for pair in drawn} == {25}
    assert all(1 <= first < second <= 5 for first, second in drawn)
    assert draw_positions(urandom) in set(drawn)


def test_a_byte_that_would_favour_a_pair_is_thrown_away() -> None:
    values = iter([b"\xfa", b"\xff", b"\x01"])
    assert draw_positions(lambda _: next(values)) == (1, 3)
