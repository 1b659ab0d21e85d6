"""Sealed values: readable with the same secrets in the same place, and in no other way."""

from __future__ import annotations

import os

import pytest

from crypto.sealing import NotSealedHere, Seal

KEYS = {1: b"a" * 32, 2: b"b" * 32}
SEAL = Seal(KEYS, 2, os.urandom)


@pytest.mark.parametrize("secret", [b"", b"481516", bytes(range(256)) * 40])
def test_what_was_sealed_is_read_again(secret: bytes) -> None:
    sealed = SEAL.close(secret, b"slip 1")
    assert SEAL.open(sealed, b"slip 1") == secret
    assert secret == b"" or secret not in sealed


def test_the_same_secret_never_looks_the_same() -> None:
    assert len({SEAL.close(b"481516", b"slip 1") for _ in range(50)}) == 50


def test_a_new_master_key_leaves_what_waits_readable() -> None:
    sealed = Seal({1: KEYS[1]}, 1, os.urandom).close(b"481516", b"slip 1")
    assert SEAL.open(sealed, b"slip 1") == b"481516"


def test_another_place_another_key_and_any_changed_byte_are_refused() -> None:
    sealed = SEAL.close(b"481516", b"slip 1")
    with pytest.raises(NotSealedHere):
        SEAL.open(sealed, b"slip 2")
    with pytest.raises(NotSealedHere):
        Seal({2: b"c" * 32}, 2, os.urandom).open(sealed, b"slip 1")
    for at in range(len(sealed)):
        with pytest.raises(NotSealedHere):
            SEAL.open(sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :], b"slip 1")


@pytest.mark.parametrize("length", [0, 1, 24, 25, 40])
def test_what_is_too_short_is_refused(length: int) -> None:
    with pytest.raises(NotSealedHere):
        SEAL.open(SEAL.close(b"481516", b"slip 1")[:length], b"slip 1")
