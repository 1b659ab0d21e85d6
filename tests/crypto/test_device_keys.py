from __future__ import annotations

import pytest

from crypto import base64url
from crypto.base64url import NotBase64Url
from crypto.device_keys import (
    DeviceKey,
    InvalidSignature,
    MalformedKey,
    WeakKey,
    from_jwk,
    require_strong,
    thumbprint,
    to_jwk,
    verify,
)

# RFC 8037 appendix A.
SEED = base64url.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", 32)
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
JWK = {"kty": "OKP", "crv": "Ed25519", "x": X}
KEY = DeviceKey.from_seed(SEED)


def test_the_thumbprint_of_rfc_8037_a_3_is_reproduced() -> None:
    assert thumbprint(KEY.public_key) == KEY.keyid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_the_thumbprint_of_rfc_9421s_test_key_is_reproduced() -> None:
    public_key = base64url.decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs", 32)
    assert thumbprint(public_key) == "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"


def test_the_signature_of_rfc_8037_a_4_is_reproduced() -> None:
    signature = KEY.sign(b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
    assert base64url.encode(signature) == (
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    )


def test_a_public_key_goes_through_a_jwk_and_back() -> None:
    assert to_jwk(KEY.public_key) == JWK
    assert from_jwk(JWK) == KEY.public_key


@pytest.mark.parametrize(
    "change",
    [
        {"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
        {"kid": "a"},
        {"kty": "EC"},
        {"crv": "X25519"},
        {"crv": ["Ed25519"]},
        {"x": 7},
        {"x": None},
        {"x": ""},
        {"x": X + "="},
        {"x": X[:-1] + "p"},
        {"x": X[:-1]},
        {"x": X + "A"},
        {"x": X.replace("_", "/")},
        {"x": " " + X[1:]},
        {"x": "\u00e4" + X[1:]},
    ],
)
def test_a_jwk_that_is_not_exactly_a_public_key_is_malformed(change: dict[str, object]) -> None:
    with pytest.raises(MalformedKey):
        from_jwk({**JWK, **change})


@pytest.mark.parametrize("missing", ["kty", "crv", "x"])
def test_a_jwk_with_a_member_missing_is_malformed(missing: str) -> None:
    with pytest.raises(MalformedKey):
        from_jwk({name: value for name, value in JWK.items() if name != missing})


IDENTITY = bytes([1]) + bytes(31)
ORDER_EIGHT = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")


@pytest.mark.parametrize(
    "weak", [IDENTITY, ORDER_EIGHT, bytes(32), b"\xff" * 32, b"", bytes(31), KEY.public_key + b"x"]
)
def test_a_weak_key_is_refused(weak: bytes) -> None:
    with pytest.raises(WeakKey):
        require_strong(weak)


def test_a_weak_key_in_a_jwk_is_refused() -> None:
    with pytest.raises(WeakKey):
        from_jwk(to_jwk(IDENTITY))


def test_a_signature_fits_its_message_and_key_only() -> None:
    signature = KEY.sign(b"message")
    assert len(signature) == 64
    verify(KEY.public_key, b"message", signature)
    for public_key, message, wrong in (
        (KEY.public_key, b"massage", signature),
        (DeviceKey.from_seed(bytes(32)).public_key, b"message", signature),
        (KEY.public_key, b"message", signature[:-1]),
        (KEY.public_key, b"message", signature + b"x"),
        (KEY.public_key[:-1], b"message", signature),
        (KEY.public_key, b"message", bytes(64)),
        (KEY.public_key, b"essage", signature + b"m"),
    ):
        with pytest.raises(InvalidSignature):
            verify(public_key, message, wrong)


def test_a_generated_key_is_its_randomness_and_can_be_stored() -> None:
    key = DeviceKey.generate(lambda length: bytes(range(length)))
    assert key.seed == bytes(range(32))
    assert DeviceKey.from_seed(key.seed).keyid == key.keyid


def test_a_key_never_shows_its_seed() -> None:
    assert repr(KEY) == str(KEY) == f"DeviceKey(keyid='{KEY.keyid}')"
    with pytest.raises(AttributeError):
        KEY.seed = bytes(32)  # type: ignore[misc]


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(MalformedKey):
        DeviceKey.from_seed(bytes(31))


def test_base64url_has_one_spelling_for_each_value() -> None:
    for length in range(1, 40):
        value = bytes(range(200, 200 + length))
        assert base64url.decode(base64url.encode(value), length) == value
    for text, length in (("AB", 1), ("AA==", 1), ("A", 1), ("AAA", 1), ("A A", 2), ("AAE\n", 2), ("AA/", 2)):
        with pytest.raises(NotBase64Url):
            base64url.decode(text, length)
