"""Ed25519 edge cases that nobody here wrote: Wycheproof, C2SP CCTV, ed25519-speccheck."""

from __future__ import annotations

from crypto.device_keys import InvalidSignature, WeakKey, require_strong, verify
from tests.crypto import vectors


def verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        verify(public_key, message, signature)
    except InvalidSignature:
        return False
    return True


def is_strong(public_key: bytes) -> bool:
    try:
        require_strong(public_key)
    except WeakKey:
        return False
    return True


def test_wycheproof_signatures_are_judged_as_it_judges_them() -> None:
    groups = vectors.load("wycheproof_ed25519.json")["testGroups"]
    cases = [(bytes.fromhex(group["publicKey"]["pk"]), case) for group in groups for case in group["tests"]]
    assert len(cases) == 151
    wrong = [
        case["tcId"]
        for public_key, case in cases
        if verifies(public_key, bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])) != (case["result"] == "valid")
    ]
    assert wrong == []
    assert all(is_strong(public_key) for public_key, case in cases if case["result"] == "valid")


def test_cctv_keys_of_small_or_mixed_order_are_refused_and_no_others() -> None:
    cases = vectors.load("cctv_ed25519.json")
    assert len(cases) == 914
    weak_flags = {"low_order_A", "low_order_component_A", "non_canonical_A"}
    wrong = [
        case["number"]
        for case in cases
        if is_strong(bytes.fromhex(case["key"])) == bool(weak_flags & set(case["flags"] or []))
    ]
    assert wrong == []


def test_speccheck_tells_us_apart_as_libsodium_with_strong_keys() -> None:
    cases = [
        (bytes.fromhex(case["pub_key"]), bytes.fromhex(case["message"]), bytes.fromhex(case["signature"]))
        for case in vectors.load("speccheck_ed25519.json")
    ]
    # Case 3 is a mixed-order key: its signature verifies, so the key must never get as far as being verified with.
    assert [number for number, case in enumerate(cases) if verifies(*case)] == [3]
    # Cases 6 and 7 are good keys with an S that is not below the group order.
    assert [number for number, (public_key, _, _) in enumerate(cases) if is_strong(public_key)] == [6, 7]
