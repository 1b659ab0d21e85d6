from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from os import urandom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.nonces import InvalidNonce, Nonce, Nonces

KEYS = {1: bytes(range(32)), 255: bytes(32)}
NONCES = Nonces(KEYS, 1, urandom)
KEYID = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
NOW = 1_800_000_000.75


def test_a_nonce_is_laid_out_as_the_protocol_says() -> None:
    text = Nonces(KEYS, 1, lambda length: b"r" * length).mint(KEYID, NOW)
    raw = urlsafe_b64decode(text + "==")
    head = bytes((1, 1)) + (1_800_000_000).to_bytes(4, "big") + b"r" * 12
    assert raw == head + blake2b(head + KEYID.encode(), key=KEYS[1], digest_size=16).digest()
    assert len(text) == 46


def test_a_nonce_is_recognised_for_its_key() -> None:
    text = NONCES.mint(KEYID, NOW)
    assert NONCES.check(text, KEYID, NOW + 100) == Nonce(text, 1_800_000_000)


def test_no_two_nonces_are_alike() -> None:
    assert len({NONCES.mint(KEYID, NOW) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(("age", "good"), [(-5, True), (0, True), (180, True), (180.1, False), (-5.1, False)])
def test_a_nonce_lives_from_5_s_before_to_180_s_after_its_time(age: float, good: bool) -> None:
    text = NONCES.mint(KEYID, NOW)
    if good:
        NONCES.check(text, KEYID, 1_800_000_000 + age)
    else:
        with pytest.raises(InvalidNonce):
            NONCES.check(text, KEYID, 1_800_000_000 + age)


def test_a_nonce_is_never_minted_before_the_floor() -> None:
    assert NONCES.check(NONCES.mint(KEYID, NOW, not_before=1_800_000_003), KEYID, NOW).minted_at == 1_800_000_003
    assert NONCES.check(NONCES.mint(KEYID, NOW, not_before=5), KEYID, NOW).minted_at == 1_800_000_000


def test_an_older_epoch_is_recognised_as_long_as_its_key_is_held() -> None:
    older = Nonces(KEYS, 255, urandom).mint(KEYID, NOW)
    assert NONCES.check(older, KEYID, NOW).value == older
    with pytest.raises(InvalidNonce):
        Nonces({1: KEYS[1]}, 1, urandom).check(older, KEYID, NOW)


def test_a_nonce_of_another_key_or_gateway_is_refused() -> None:
    text = NONCES.mint(KEYID, NOW)
    with pytest.raises(InvalidNonce):
        NONCES.check(text, KEYID[:-1] + "Q", NOW)
    with pytest.raises(InvalidNonce):
        Nonces({1: urandom(32)}, 1, urandom).check(text, KEYID, NOW)


@given(st.integers(0, 33), st.integers(1, 255))
def test_a_nonce_with_any_byte_changed_is_refused(position: int, flip: int) -> None:
    raw = bytearray(urlsafe_b64decode(NONCES.mint(KEYID, NOW) + "=="))
    raw[position] ^= flip
    with pytest.raises(InvalidNonce):
        NONCES.check(urlsafe_b64encode(raw).decode().rstrip("="), KEYID, NOW)


def test_a_nonce_has_one_spelling() -> None:
    text = NONCES.mint(KEYID, NOW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    stray = alphabet[alphabet.index(text[-1]) + 1]
    for other in (text + "==", text[:-1] + stray, text[:-1], text + "A", " " + text[1:], text + "\n", ""):
        with pytest.raises(InvalidNonce):
            NONCES.check(other, KEYID, NOW)


@given(st.text(max_size=60))
def test_any_text_is_refused_with_one_error_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(InvalidNonce) as refusal:
        NONCES.check(text, KEYID, NOW)
    assert len(text) < 2 or text not in str(refusal.value) or text in "not the form of a nonce"


@pytest.mark.parametrize(("keys", "current"), [({}, 1), ({1: bytes(32)}, 2), ({1: bytes(32), 256: bytes(32)}, 1)])
def test_an_epoch_is_one_byte_and_the_current_one_has_a_key(keys: dict[int, bytes], current: int) -> None:
    with pytest.raises(ValueError, match="epoch"):
        Nonces(keys, current, urandom)
