from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from crypto.assertions import ASSERTION_TYPE, InvalidAssertion, issue, jwks, verify
from crypto.device_keys import DeviceKey, to_jwk

KEY = DeviceKey.from_seed(bytes(range(32)))
OTHER = DeviceKey.from_seed(bytes(32))
KEYS = {KEY.keyid: KEY.public_key}
NOW = 1_800_000_000.5
DAY = 86_400
TOKEN = issue({"sub": "somebody", "sid": "a session"}, KEY, NOW, DAY)


def part(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed(header: dict[str, object], claims: object, key: DeviceKey = KEY) -> str:
    message = f"{part(header)}.{part(claims)}"
    return f"{message}.{urlsafe_b64encode(key.sign(message.encode())).decode().rstrip('=')}"


HEADER: dict[str, Any] = {"alg": "EdDSA", "kid": KEY.keyid, "typ": ASSERTION_TYPE}
CLAIMS: dict[str, Any] = {"sub": "somebody", "iat": int(NOW), "exp": int(NOW) + DAY}


def test_what_was_issued_is_verified() -> None:
    assert verify(TOKEN, KEYS, NOW + 1) == {
        "sub": "somebody",
        "sid": "a session",
        "iat": 1_800_000_000,
        "exp": 1_800_000_000 + DAY,
    }
    assert jwt.get_unverified_header(TOKEN) == HEADER


def test_a_token_made_by_hand_to_the_same_rules_is_verified() -> None:
    assert verify(signed(HEADER, CLAIMS), KEYS, NOW) == CLAIMS


def test_a_token_is_verified_by_any_jwt_library_with_the_published_keys() -> None:
    published = jwks(KEYS)
    assert published == {"keys": [{**to_jwk(KEY.public_key), "kid": KEY.keyid, "alg": "EdDSA", "use": "sig"}]}
    key = jwt.PyJWKSet.from_dict(dict(published))[KEY.keyid]
    claims = jwt.decode(TOKEN, key, algorithms=["EdDSA"], options={"verify_exp": False, "verify_iat": False})
    assert claims["sub"] == "somebody"


@pytest.mark.parametrize(
    ("moved", "good"), [(-60, True), (-62, False), (0, True), (DAY - 1, True), (DAY - 0.5, False), (DAY, False)]
)
def test_a_token_is_valid_by_the_clock_that_is_passed_in(moved: float, good: bool) -> None:
    if good:
        verify(TOKEN, KEYS, NOW + moved)
    else:
        with pytest.raises(InvalidAssertion):
            verify(TOKEN, KEYS, NOW + moved)


def hmac_with_the_public_key() -> str:
    message = f"{part(HEADER | {'alg': 'HS256'})}.{part(CLAIMS)}"
    mac = hmac.digest(KEY.public_key, message.encode(), "sha256")
    return f"{message}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


BAD_TOKENS = {
    "none": f"{part(HEADER | {'alg': 'none'})}.{part(CLAIMS)}.",
    "none in another case": f"{part(HEADER | {'alg': 'nOnE'})}.{part(CLAIMS)}.",
    "hmac with the public key": hmac_with_the_public_key(),
    "alg of the wrong name": signed(HEADER | {"alg": "ES256"}, CLAIMS),
    "alg that is no text": signed(HEADER | {"alg": ["EdDSA"]}, CLAIMS),
    "no alg": signed({"kid": KEY.keyid, "typ": ASSERTION_TYPE}, CLAIMS),
    "unknown kid": signed(HEADER | {"kid": OTHER.keyid}, CLAIMS, OTHER),
    "our kid, another key": signed(HEADER, CLAIMS, OTHER),
    "another kid, our key": signed(HEADER | {"kid": OTHER.keyid}, CLAIMS),
    "no kid": signed({"alg": "EdDSA", "typ": ASSERTION_TYPE}, CLAIMS),
    "kid that is no text": signed(HEADER | {"kid": 7}, CLAIMS),
    "another typ": signed(HEADER | {"typ": "JWT"}, CLAIMS),
    "no typ": signed({"alg": "EdDSA", "kid": KEY.keyid}, CLAIMS),
    "key of its own in the header": signed(HEADER | {"jwk": to_jwk(OTHER.public_key)}, CLAIMS, OTHER),
    "critical header": signed(HEADER | {"crit": ["x"], "x": 1}, CLAIMS),
    "no exp": signed(HEADER, {"sub": "somebody", "iat": 1}),
    "no iat": signed(HEADER, {"sub": "somebody", "exp": int(NOW) + 1}),
    "exp that is no integer": signed(HEADER, CLAIMS | {"exp": str(int(NOW) + 1)}),
    "exp that is true": signed(HEADER, CLAIMS | {"exp": True}),
    "exp that is not finite": signed(HEADER, CLAIMS | {"exp": float("inf")}),
    "claims that are no object": signed(HEADER, ["somebody"]),
    "signature cut": TOKEN[:-2],
    "signature missing": TOKEN.rpartition(".")[0] + ".",
    "claims exchanged": ".".join([TOKEN.split(".")[0], part(CLAIMS | {"sub": "x"}), TOKEN.split(".")[2]]),
    "two parts": TOKEN.rpartition(".")[0],
    "four parts": TOKEN + ".x",
    "empty": "",
    "not ASCII": "\u00e4" + TOKEN,
    "half a surrogate pair": "\ud800",
    "too long": TOKEN + "A" * 4096,
    "header nested deeply": urlsafe_b64encode(b"[" * 3000).decode().rstrip("=") + "..",
    "header that is no object": part([]) + "..",
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_what_is_not_ours_is_refused_with_one_error(name: str) -> None:
    with pytest.raises(InvalidAssertion) as refusal:
        verify(BAD_TOKENS[name], KEYS, NOW)
    assert BAD_TOKENS[name] == "" or BAD_TOKENS[name] not in str(refusal.value)


@given(st.text(max_size=60))
def test_any_text_is_refused_with_that_error(text: str) -> None:
    with pytest.raises(InvalidAssertion):
        verify(text, KEYS, NOW)


@given(st.integers(0, len(urlsafe_b64decode(TOKEN.split(".")[2] + "==")) - 1), st.integers(1, 255))
def test_no_changed_signature_is_accepted(position: int, flip: int) -> None:
    message, _, signature = TOKEN.rpartition(".")
    raw = bytearray(urlsafe_b64decode(signature + "=="))
    raw[position] ^= flip
    with pytest.raises(InvalidAssertion):
        verify(f"{message}.{urlsafe_b64encode(raw).decode().rstrip('=')}", KEYS, NOW)


@pytest.mark.parametrize("claim", ["iat", "exp", "nbf"])
def test_times_are_set_by_issue_alone(claim: str) -> None:
    with pytest.raises(ValueError, match="set by issue"):
        issue({claim: 1}, KEY, NOW, 60)


def test_an_issued_token_is_signed_as_any_ed25519_library_signs() -> None:
    message, _, signature = TOKEN.rpartition(".")
    public_key = Ed25519PrivateKey.from_private_bytes(KEY.seed).public_key()
    public_key.verify(urlsafe_b64decode(signature + "=="), message.encode())
