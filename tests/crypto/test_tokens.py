from __future__ import annotations

import hmac
from hashlib import sha256
from itertools import cycle
from os import urandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.tokens import (
    ENROLMENT_ALPHABET,
    keyed_hash,
    new_enrolment_code,
    new_token,
    normalise_enrolment_code,
    token_hash,
)


def test_a_token_has_256_bits_in_43_characters() -> None:
    tokens = {new_token(urandom) for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}


def test_a_token_is_stored_as_its_sha_256() -> None:
    assert token_hash("token") == sha256(b"token").digest()
    assert len(token_hash("\ud800")) == 32


def test_a_keyed_hash_is_hmac_over_parts_with_their_lengths() -> None:
    message = b"\0\0\0\1a\0\0\0\2bc"
    assert keyed_hash(b"k" * 32, "a", "bc") == hmac.digest(b"k" * 32, message, "sha256")
    assert keyed_hash(b"k" * 32, "a", "bc") != keyed_hash(b"l" * 32, "a", "bc")


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_no_two_lists_of_parts_hash_alike(first: list[str], second: list[str]) -> None:
    assert (keyed_hash(b"k", *first) == keyed_hash(b"k", *second)) is (first == second)


def test_a_code_is_eight_letters_of_its_alphabet_shown_in_two_halves() -> None:
    for _ in range(100):
        code = new_enrolment_code(urandom)
        assert code[4] == "-"
        assert len(code) == 9
        assert set(code) <= set(ENROLMENT_ALPHABET + "-")
        assert normalise_enrolment_code(code) == code.replace("-", "")


def test_the_letters_of_a_code_are_drawn_without_favour() -> None:
    bytes_from = cycle(range(256))
    code = new_enrolment_code(lambda length: bytes(next(bytes_from) for _ in range(length)))
    assert code == "BCDF-GHJK"
    exhausted = iter([b"\xff" * 16, bytes(range(240, 256)), bytes([239] * 16)])
    assert new_enrolment_code(lambda _: next(exhausted)) == "ZZZZ-ZZZZ"


@pytest.mark.parametrize(
    "typed", ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "W-D-J-B-M-J-H-T", "wdjb\u2013mjht", "WDJB\u00a0MJHT"]
)
def test_a_typed_code_is_forgiven_case_spaces_and_hyphens(typed: str) -> None:
    assert normalise_enrolment_code(typed) == "WDJBMJHT"


@pytest.mark.parametrize(
    "typed", ["", "WDJB", "WDJB-MJHTT", "WDJB-MJHA", "WDJB-MJH1", "WDJB_MJHT", "WDJBMJH\u017f", "WDJB\nMJHT"]
)
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert normalise_enrolment_code(typed) is None
