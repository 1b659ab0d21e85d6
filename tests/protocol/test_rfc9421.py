"""RFC 9421 B.2.6 with the RFC's test-key-ed25519 (B.1.4), byte for byte, by the code that the gate runs."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from crypto.device_keys import DeviceKey, InvalidSignature, verify
from crypto.message_signatures import signature_base

PUBLIC_KEY_DER = b64decode("MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
PRIVATE_KEY_DER = b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF")
TEST_KEY = DeviceKey.from_seed(PRIVATE_KEY_DER[-32:])

COMPONENTS = [
    ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
    ("@method", "POST"),
    ("@path", "/foo"),
    ("@authority", "example.com"),
    ("content-type", "application/json"),
    ("content-length", "18"),
]
COVERED = '("date" "@method" "@path" "@authority" "content-type" "content-length")'
SIGNATURE_PARAMS = f'{COVERED};created=1618884473;keyid="test-key-ed25519"'
SIGNATURE_BASE = b"""\
"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@authority": example.com
"content-type": application/json
"content-length": 18
"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length")\
;created=1618884473;keyid="test-key-ed25519\""""
SIGNATURE = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="


def test_the_rfcs_key_has_the_rfcs_public_half() -> None:
    assert TEST_KEY.public_key == PUBLIC_KEY_DER[-32:]


def test_the_signature_base_of_b_2_6_is_reproduced() -> None:
    assert signature_base(COMPONENTS, SIGNATURE_PARAMS) == SIGNATURE_BASE


def test_the_signature_of_b_2_6_is_reproduced() -> None:
    assert b64encode(TEST_KEY.sign(SIGNATURE_BASE)).decode() == SIGNATURE


def test_the_signature_of_b_2_6_verifies_and_no_changed_base_does() -> None:
    verify(TEST_KEY.public_key, SIGNATURE_BASE, b64decode(SIGNATURE))
    with pytest.raises(InvalidSignature):
        verify(TEST_KEY.public_key, SIGNATURE_BASE + b"\n", b64decode(SIGNATURE))
