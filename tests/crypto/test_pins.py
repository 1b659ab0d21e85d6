from __future__ import annotations

from os import urandom
from statistics import median
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.secret import SecretBox

from crypto.errors import CryptoError
from crypto.pins import (
    PIN_COST,
    PIN_FAULT_TEXT,
    Argon2Cost,
    PinHasher,
    UnreadablePinRecord,
    generate_pin,
    pin_faults,
)

CHEAP = Argon2Cost(memory_kib=8, time=1, lanes=1)
PEPPERS = {1: bytes(range(32)), 2: bytes(32)}
HASHER = PinHasher(PEPPERS, 1, CHEAP, urandom)


def test_the_cost_is_owasps_floor() -> None:
    assert Argon2Cost(memory_kib=19456, time=2, lanes=1) == PIN_COST


def test_a_record_fits_its_pin_only() -> None:
    record = HASHER.hash("482915")
    assert HASHER.verify(record, "482915")
    assert not HASHER.verify(record, "482916")
    assert not HASHER.verify(record, "")
    assert not HASHER.verify(record, "\ud800")


def test_two_records_of_one_pin_have_nothing_in_common_but_their_head() -> None:
    first, second = HASHER.hash("482915"), HASHER.hash("482915")
    assert len(first) == len(second)
    assert first[:3] == second[:3] == b"\x01\x00\x01"
    assert first[3:27] != second[3:27]
    assert b"argon2" not in first


def test_a_record_is_unreadable_without_its_pepper() -> None:
    record = HASHER.hash("482915")
    with pytest.raises(UnreadablePinRecord, match="no pepper key of version 1"):
        PinHasher({2: PEPPERS[2]}, 2, CHEAP, urandom).verify(record, "482915")
    with pytest.raises(UnreadablePinRecord, match="does not open under pepper version 1"):
        PinHasher({1: urandom(32)}, 1, CHEAP, urandom).verify(record, "482915")


def test_a_record_that_was_altered_is_unreadable_and_no_wrong_pin() -> None:
    record = HASHER.hash("482915")
    for position in (0, 1, 2, 3, 30, len(record) - 1):
        altered = bytearray(record)
        altered[position] ^= 3
        with pytest.raises(UnreadablePinRecord):
            HASHER.verify(bytes(altered), "482915")
    for length in (0, 1, 3, 4, 42, len(record) - 1):
        with pytest.raises(UnreadablePinRecord):
            HASHER.verify(record[:length], "482915")


def test_a_record_that_seals_no_hash_is_unreadable() -> None:
    sealed = bytes(SecretBox(PEPPERS[1]).encrypt(b"not a hash"))
    with pytest.raises(UnreadablePinRecord, match="no Argon2id hash"):
        HASHER.verify(b"\x01\x00\x01" + sealed, "482915")


def test_a_record_is_rewrapped_under_a_new_pepper_without_the_pin() -> None:
    record = HASHER.hash("482915")
    newer = PinHasher(PEPPERS, 2, CHEAP, urandom)
    assert newer.needs_rewrap(record)
    assert newer.verify(record, "482915")
    rewrapped = newer.rewrap(record)
    assert not newer.needs_rewrap(rewrapped)
    only_new = PinHasher({2: PEPPERS[2]}, 2, CHEAP, urandom)
    assert only_new.verify(rewrapped, "482915")
    assert not only_new.verify(rewrapped, "482916")
    with pytest.raises(UnreadablePinRecord):
        only_new.rewrap(record)


def test_the_current_pepper_must_be_there() -> None:
    with pytest.raises(ValueError, match="pepper"):
        PinHasher(PEPPERS, 3, CHEAP, urandom)


def test_the_dummy_looks_like_any_record_and_fits_no_pin() -> None:
    record = HASHER.hash("482915")
    assert len(HASHER.dummy_record) == len(record)
    assert HASHER.dummy_record[:3] == record[:3]
    assert not HASHER.needs_rewrap(HASHER.dummy_record)
    for pin in ("482915", "", "000000"):
        assert not HASHER.verify(HASHER.dummy_record, pin)
    assert HASHER.dummy_record != PinHasher(PEPPERS, 1, CHEAP, urandom).dummy_record


def test_the_dummy_costs_what_a_wrong_pin_costs() -> None:
    hasher = PinHasher(PEPPERS, 1, Argon2Cost(memory_kib=4096, time=2, lanes=1), urandom)
    record = hasher.hash("482915")

    def cost(which: bytes) -> float:
        started = thread_time()
        hasher.verify(which, "000000")
        return thread_time() - started

    pairs = [(cost(record), cost(hasher.dummy_record)) for _ in range(15)]
    real, dummy = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    assert 0.5 < dummy / real < 2


@pytest.mark.parametrize(
    ("pin", "number", "faults"),
    [
        ("482915", "1234", []),
        ("482915", None, []),
        ("482915739204", None, []),
        ("48291", None, ["length"]),
        ("4829157392041", None, ["length"]),
        ("", None, ["digits", "length"]),
        ("48291a", None, ["digits"]),
        ("48 915", None, ["digits"]),
        ("\u0664\u0668\u0662\u0669\u0661\u0665", None, ["digits"]),
        ("\u00b2\u00b2\u00b2\u00b2\u00b2\u00b2", None, ["digits"]),
        ("abc", None, ["digits", "length"]),
        ("111111", None, ["repeated", "date"]),
        ("444444", None, ["repeated"]),
        ("000000000000", None, ["repeated"]),
        ("123456", None, ["run", "common"]),
        ("345678", None, ["run"]),
        ("876543", None, ["run"]),
        ("789012", None, ["run"]),
        ("109876", None, ["run"]),
        ("210987", None, ["run", "date"]),
        ("48291573", "48291573", ["personnel-number"]),
        ("37519284", "48291573", ["personnel-number"]),
        ("004829", "4829", ["personnel-number"]),
        ("928400", "4829", ["personnel-number"]),
        ("482915", "4829", []),
        ("159753", None, ["common"]),
        ("483483", None, ["common"]),
        ("484848", None, ["common"]),
        ("48294829", None, ["common"]),
        ("147258369", None, ["common"]),
        ("170589", None, ["date"]),
        ("051789", None, ["date"]),
        ("890517", None, ["date"]),
        ("290200", None, ["date"]),
        ("300276", None, []),
        ("17051989", None, ["date"]),
        ("05171989", None, ["date"]),
        ("20240517", None, ["date"]),
        ("17051889", None, []),
        ("19891750", None, []),
    ],
)
def test_a_pin_is_told_every_rule_it_breaks(pin: str, number: str | None, faults: list[str]) -> None:
    assert pin_faults(pin, number) == faults


def test_every_fault_has_a_sentence() -> None:
    assert list(PIN_FAULT_TEXT) == ["digits", "length", "repeated", "run", "personnel-number", "common", "date"]
    assert all(text.endswith(".") for text in PIN_FAULT_TEXT.values())


@given(st.text(max_size=14), st.one_of(st.none(), st.text(max_size=14)))
def test_any_text_is_judged_without_an_error(pin: str, number: str | None) -> None:
    assert set(pin_faults(pin, number)) <= PIN_FAULT_TEXT.keys()


@pytest.mark.parametrize("length", [6, 8, 12])
def test_a_generated_pin_breaks_no_rule(length: int) -> None:
    pins = [generate_pin(urandom, "482915", length) for _ in range(200)]
    assert all(len(pin) == length and pin_faults(pin, "482915") == [] for pin in pins)
    assert len(set(pins)) > 190


def test_the_digits_of_generated_pins_are_evenly_spread() -> None:
    text = "".join(generate_pin(urandom, None, 12) for _ in range(3000))
    assert all(3200 < text.count(digit) < 4000 for digit in "0123456789")


def test_without_randomness_there_is_no_pin() -> None:
    with pytest.raises(CryptoError):
        generate_pin(bytes, None)
    with pytest.raises(ValueError, match="6 to 12"):
        generate_pin(urandom, None, 5)
