"""The published test vectors: made by the reference client, and judged alike by the gate, by the library and by the
Ed25519 of the package `cryptography`, each from the files alone."""

from __future__ import annotations

import json
from base64 import b64decode
from os import urandom
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import InvalidSignature, MappingKeyResolver

from crypto import base64url
from crypto.device_keys import WeakKey, from_jwk, thumbprint
from crypto.enrolment_words import enrolment_words
from crypto.message_signatures import KIOSK_TAG, IncomingRequest, SignatureRefused, Verifier
from crypto.nonces import Nonces
from tests.protocol import vector_files
from tests.protocol.oracle import oracle_accepts


def _read(name: str) -> Any:
    return json.loads((vector_files.DIRECTORY / f"{name}.json").read_text("utf-8"))


SIGNED, REFUSED, THUMBPRINTS, WORDS = map(
    _read, ("signed-requests", "refused-requests", "thumbprints", "enrolment-words")
)
PRIVATE_KEYS = {
    key["keyid"]: Ed25519PrivateKey.from_private_bytes(base64url.decode(key["private_key"], 32))
    for key in SIGNED["keys"].values()
}
LIBRARY_KEYS = MappingKeyResolver(
    public_keys={keyid: key.public_key() for keyid, key in PRIVATE_KEYS.items()}, private_keys={}
)
GATEWAY = SIGNED["gateway"]
NONCE_KEY = GATEWAY["nonce_key"]
VERIFIER = Verifier(
    frozenset({GATEWAY["authority"]}),
    Nonces({NONCE_KEY["epoch"]: bytes.fromhex(NONCE_KEY["key"])}, NONCE_KEY["epoch"], urandom),
)

each_signature = pytest.mark.parametrize(
    ("vector", "signature"),
    [
        pytest.param(vector, signature, id=f"{vector['name']}, {signature['tag']}")
        for vector in SIGNED["vectors"]
        for signature in vector["signatures"]
    ],
)
each_refused = pytest.mark.parametrize("vector", REFUSED["vectors"], ids=lambda vector: vector["name"])


def _incoming(vector: Any) -> IncomingRequest:
    request = vector["request"]
    headers = [(name.encode(), value.encode()) for name, value in request["headers"]]
    return IncomingRequest(request["method"], request["target"], headers, request["body"].encode())


def _gate(request: IncomingRequest, tag: str) -> str:
    claimed = VERIFIER.read(request, tag)
    public_key = PRIVATE_KEYS[claimed.keyid].public_key().public_bytes_raw()
    return VERIFIER.verify(claimed, public_key, GATEWAY["now"]).keyid


def test_the_reference_client_makes_every_file_byte_for_byte() -> None:
    made = vector_files.files()
    assert {path.name: path.read_text("utf-8") for path in vector_files.DIRECTORY.iterdir()} == made


def test_both_files_of_requests_tell_of_one_gateway_and_the_same_keys() -> None:
    assert (REFUSED["gateway"], REFUSED["keys"]) == (GATEWAY, SIGNED["keys"])


@each_signature
def test_the_gate_accepts_each_signature(vector: Any, signature: Any) -> None:
    assert _gate(_incoming(vector), signature["tag"]) == SIGNED["keys"][signature["key"]]["keyid"]


@each_signature
def test_the_library_accepts_each_signature(vector: Any, signature: Any) -> None:
    keyid = oracle_accepts(_incoming(vector), GATEWAY["authority"], LIBRARY_KEYS, tag=signature["tag"], max_age=None)
    assert keyid == SIGNED["keys"][signature["key"]]["keyid"]


@each_signature
def test_the_signature_is_the_ed25519_signature_of_the_base_that_is_given(vector: Any, signature: Any) -> None:
    sent = dict(vector["request"]["headers"])["Signature"].split(", ")
    (encoded,) = [part.removeprefix(f"{signature['label']}=:") for part in sent if part.startswith(signature["label"])]
    key = PRIVATE_KEYS[SIGNED["keys"][signature["key"]]["keyid"]]
    assert key.sign(signature["base"].encode("ascii")) == b64decode(encoded.removesuffix(":"), validate=True)


@each_refused
def test_the_gate_refuses_with_the_problem_that_is_given(vector: Any) -> None:
    with pytest.raises(SignatureRefused) as refusal:
        _gate(_incoming(vector), KIOSK_TAG)
    assert refusal.value.problem == vector["problem"]


@each_refused
def test_the_library_refuses_what_does_not_fit_and_nothing_else(vector: Any) -> None:
    host = dict(vector["request"]["headers"])["Host"]
    try:
        oracle_accepts(_incoming(vector), host, LIBRARY_KEYS, max_age=None)
        fits = True
    except (InvalidSignature, ValueError):
        fits = False
    assert fits == vector["fits"]


def test_there_is_a_vector_for_every_way_a_signature_is_refused() -> None:
    assert {refusal.problem for refusal in SignatureRefused.__subclasses__()} == {
        vector["problem"] for vector in REFUSED["vectors"]
    }


@pytest.mark.parametrize("vector", THUMBPRINTS["vectors"], ids=lambda vector: vector["keyid"])
def test_the_thumbprint_of_each_jwk_is_the_one_given(vector: Any) -> None:
    assert thumbprint(from_jwk(vector["jwk"])) == vector["keyid"]


@pytest.mark.parametrize("vector", THUMBPRINTS["weak"], ids=lambda vector: vector["name"])
def test_a_weak_key_is_refused(vector: Any) -> None:
    with pytest.raises(WeakKey):
        from_jwk(vector["jwk"])


@pytest.mark.parametrize("vector", WORDS["vectors"], ids=lambda vector: " ".join(vector["words"]))
def test_the_words_of_each_enrolment_are_those_given(vector: Any) -> None:
    words = enrolment_words(vector["device_keyid"], vector["gateway_keyid"], vector["enrolment_id"])
    assert list(words) == vector["words"]
