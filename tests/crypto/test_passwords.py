from __future__ import annotations

from importlib import resources

import pytest

from crypto.passwords import (
    PASSWORD_COST,
    PASSWORD_FAULT_TEXT,
    Argon2Cost,
    PasswordHasher,
    UnreadablePasswordHash,
    password_faults,
)

HASHER = PasswordHasher(Argon2Cost(memory_kib=8, time=1, lanes=1))


def test_the_cost_is_argon2_cffis_default_profile() -> None:
    assert Argon2Cost(memory_kib=65536, time=3, lanes=4) == PASSWORD_COST


def test_a_hash_fits_its_password_only() -> None:
    password_hash = HASHER.hash("correct horse")
    assert password_hash.startswith("$argon2id$")
    assert HASHER.verify(password_hash, "correct horse")
    assert not HASHER.verify(password_hash, "correct horsf")
    assert not HASHER.verify(password_hash, "\ud800")
    assert HASHER.hash("correct horse") != password_hash


def test_one_text_typed_on_two_keyboards_is_one_password() -> None:
    assert HASHER.verify(HASHER.hash("schl\u00fcssel-bund"), "schlu\u0308ssel-bund")


def test_a_hash_of_another_cost_needs_a_new_one() -> None:
    password_hash = HASHER.hash("correct horse")
    assert not HASHER.needs_rehash(password_hash)
    assert PasswordHasher(Argon2Cost(memory_kib=16, time=1, lanes=1)).needs_rehash(password_hash)


def test_the_dummy_looks_like_any_hash_and_fits_nothing() -> None:
    assert len(HASHER.dummy) == len(HASHER.hash("correct horse"))
    assert not HASHER.verify(HASHER.dummy, "")
    assert not HASHER.verify(HASHER.dummy, "-" * 1025)


@pytest.mark.parametrize("stored", ["", "secret", "$argon2id$v=19$m=8,t=1,p=1$"])
def test_what_is_no_hash_is_an_error_and_no_wrong_password(stored: str) -> None:
    with pytest.raises(UnreadablePasswordHash):
        HASHER.verify(stored, "correct horse")


def test_what_is_no_hash_cannot_be_asked_for_its_cost() -> None:
    with pytest.raises(UnreadablePasswordHash):
        HASHER.needs_rehash("secret")


@pytest.mark.parametrize(
    ("password", "faults"),
    [
        ("correct horse", []),
        ("x7x7x7x7x", ["too-short"]),
        ("", ["too-short"]),
        ("x7" * 512, []),
        ("x7" * 512 + "x", ["too-long"]),
        ("Password123", ["common"]),
        ("qwertyuiop", ["common"]),
        ("1234567890", ["common"]),
        ("ｐａｓｓｗｏｒｄ１２３", ["common"]),
        (" " * 10, ["common"]),
        ("z" * 30, ["common"]),
        ("Someone.Long@Example.com", ["email"]),
        ("SOMEONE.LONG", ["email"]),
    ],
)
def test_a_password_is_told_every_rule_it_breaks(password: str, faults: list[str]) -> None:
    assert password_faults(password, "someone.long@example.com") == faults


def test_faults_are_told_together_and_have_a_sentence_each() -> None:
    assert password_faults("abc", "abc@example.com") == ["too-short", "email"]
    assert password_faults("correct horse", None) == []
    assert list(PASSWORD_FAULT_TEXT) == ["too-short", "too-long", "common", "email"]


def test_the_list_of_common_passwords_holds_nothing_that_could_never_match() -> None:
    listed = resources.files("crypto").joinpath("common_passwords.txt").read_text("utf-8").split()
    assert len(listed) == len(set(listed)) > 200
    assert all(10 <= len(word) <= 1024 and word == word.casefold() for word in listed)
