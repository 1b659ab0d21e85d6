"""Makes the test vectors in `vectors/`, with the reference client's own signer: `make vectors`.

Nothing in them is drawn at random, so making them anew changes no byte unless the protocol changes.
docs/protocol.md explains them to whoever writes a client.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from crypto import base64url
from crypto.device_keys import DeviceKey, to_jwk
from crypto.enrolment_words import enrolment_words
from crypto.message_signatures import (
    ENROL_TAG,
    KIOSK_TAG,
    REKEY_TAG,
    IncomingRequest,
    OutgoingRequest,
    combine,
    sign,
    signature_base,
)
from crypto.nonces import Nonces
from tests.protocol.signed_requests import COMPONENTS, Forge, bare, digest_field, with_field

DIRECTORY: Final = Path(__file__).parent / "vectors"

AUTHORITY: Final = "stamp.example.com"
NOW: Final = 1_772_442_007
NONCE_KEY: Final = bytes(range(32, 64))
SESSION: Final = "Bearer dGhpcyBpcyBub3QgYSByZWFsIHNlc3Npb24gdG9rZW4"
STAMP: Final = b'{"stamp_id":"0198f3a2-7c41-7a53-9d3e-1f2a3b4c5d6e","action":"clock_in"}'
ROOT: Final = "/api/time/kiosk"

KEYS: Final = {
    # RFC 9421 B.1.4, so that nobody needs to trust a key of ours.
    "present": DeviceKey.from_seed(base64url.decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU", 32)),
    "next": DeviceKey.from_seed(bytes(range(1, 33))),
}
PRESENT, NEXT = KEYS["present"], KEYS["next"]


def nonce(key: DeviceKey, number: int, *, minted: int = NOW - 20) -> str:
    """A nonce as the vectors' gateway mints it for `key`; `number` stands in for what is random in it."""
    return Nonces({1: NONCE_KEY}, 1, lambda size: bytes([number]) * size).mint(key.keyid, minted)


def _text(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _keys() -> dict[str, dict[str, str]]:
    return {
        name: {"private_key": base64url.encode(key.seed), "x": to_jwk(key.public_key)["x"], "keyid": key.keyid}
        for name, key in KEYS.items()
    }


def _gateway() -> dict[str, object]:
    return {"authority": AUTHORITY, "now": NOW, "nonce_key": {"epoch": 1, "key": NONCE_KEY.hex()}}


def _wire(method: str, target: str, fields: dict[str, str], body: bytes) -> dict[str, object]:
    return {"method": method, "target": target, "headers": list(fields.items()), "body": body.decode()}


def _signature(request: OutgoingRequest, fields: dict[str, str], key: str, tag: str, label: str) -> dict[str, str]:
    """One signature of a request, with the base it was made over."""
    path, _, query = request.target.partition("?")
    values = {
        "@method": request.method,
        "@authority": request.authority,
        "@path": path,
        "@query": f"?{query}",
        "content-digest": fields["Content-Digest"],
        "content-type": fields.get("Content-Type"),
        "authorization": request.authorization,
    }
    components = [(name, value) for name, value in values.items() if value is not None]
    signature_params = fields["Signature-Input"].removeprefix(f"{label}=")
    return {"key": key, "tag": tag, "label": label, "base": signature_base(components, signature_params).decode()}


def _signed(name: str, request: OutgoingRequest, *signers: tuple[str, str, str]) -> dict[str, object]:
    """A request signed by each of `signers`: name of the key, tag, label."""
    signatures, fields = [], dict[str, str]()
    for number, (key, tag, label) in enumerate(signers):
        made = sign(request, KEYS[key], created=NOW, nonce=nonce(KEYS[key], number + 1), tag=tag, label=label)
        signatures.append(_signature(request, made, key, tag, label))
        fields = combine(fields, made) if fields else made
    sent = {"Host": request.authority}
    if request.authorization is not None:
        sent["Authorization"] = request.authorization
    wire = _wire(request.method, request.target, sent | fields, request.body)
    return {"name": name, "request": wire, "signatures": signatures}


def _enrolment() -> bytes:
    client = {"name": "my-terminal", "version": "1.0", "platform": "linux"}
    return json.dumps({"code": "WDJB-MJHT", "jwk": to_jwk(PRESENT.public_key), "client": client}).encode()


def signed_requests() -> dict[str, object]:
    """Requests the gateway accepts."""
    ordinary = ("present", KIOSK_TAG, "sig")
    next_key = json.dumps({"jwk": to_jwk(NEXT.public_key)}).encode()
    sign_in = b'{"personnel_number":"0042","pin":"907311"}'

    def request(method: str, path: str, body: bytes = b"", authorization: str | None = None) -> OutgoingRequest:
        return OutgoingRequest(method, AUTHORITY, ROOT + path, body, authorization)

    return {
        "keys": _keys(),
        "gateway": _gateway(),
        "vectors": [
            _signed("GET without body and session", request("GET", "/device"), ordinary),
            _signed("GET with a query", request("GET", "/device?a=1&b=%C3%A9"), ordinary),
            _signed("GET with a session", request("GET", "/status", authorization=SESSION), ordinary),
            _signed("POST with a body", request("POST", "/auth", sign_in), ordinary),
            _signed("POST with a body and a session", request("POST", "/action", STAMP, SESSION), ordinary),
            _signed("POST with a session and no body", request("POST", "/logout", authorization=SESSION), ordinary),
            _signed("enrolment", request("POST", "/enrolments", _enrolment()), ("present", ENROL_TAG, "sig")),
            _signed(
                "key change: two signatures",
                request("PUT", "/device/key", next_key),
                ordinary,
                ("next", REKEY_TAG, "next"),
            ),
        ],
    }


def _forge(**changes: Any) -> Forge:
    """A stamp of the present key, right in all that is not changed."""
    honest = Forge(
        PRESENT, "POST", f"{ROOT}/action", AUTHORITY, STAMP, authorization=SESSION, created=NOW, nonce=nonce(PRESENT, 9)
    )
    return replace(honest, **changes)


def _get(**changes: Any) -> Forge:
    honest = bare(key=PRESENT, host=AUTHORITY, created=NOW, nonce=nonce(PRESENT, 9))
    return replace(honest, **changes)


def _sent(**changes: Any) -> IncomingRequest:
    """The honest stamp with something changed on its way."""
    return _forge().request()._replace(**changes)


def _twice_tagged() -> IncomingRequest:
    first = _forge()
    inputs, signatures = zip(first.signature_fields(), replace(first, label="b").signature_fields(), strict=True)
    request = with_field(first.request(), b"Signature-Input", ", ".join(inputs).encode())
    return with_field(request, b"Signature", ", ".join(signatures).encode())


def refused_requests() -> dict[str, object]:
    """Requests the gateway refuses.

    `fits`: whether the signature is good by RFC 9421 alone, so that only this protocol's own rule refuses it.
    """
    full = ';created={created};nonce="{nonce}";keyid="{keyid}";tag="{tag}"'
    target, other_body = f"{ROOT}/action", STAMP.replace(b"clock_in", b"clock_out")
    other_digest = digest_field(other_body).encode()
    unsigned = with_field(with_field(_forge().request(), b"Signature", None), b"Signature-Input", None)
    cases: list[tuple[str, str, bool, IncomingRequest]] = [
        ("no signature", "signature-missing", False, unsigned),
        ("another tag", "signature-missing", False, _forge(tag=ENROL_TAG).request()),
        ("two signatures with the tag", "signature-malformed", False, _twice_tagged()),
        ("a space before a parameter", "signature-malformed", False,
         _forge(parameters=full.replace(";nonce", " ;nonce")).request()),
        ("Content-Digest sent twice", "signature-malformed", False,
         _forge(further=[(b"Content-Digest", digest_field(STAMP).encode())]).request()),
        ("authorization sent, not covered", "covered-components", True, _forge(components=COMPONENTS[:6]).request()),
        ("components in another order", "covered-components", True, _forge(components=COMPONENTS[::-1]).request()),
        ("content-type without a body", "covered-components", True,
         _get(content_type="application/json").request()),
        ("content-type with a charset", "covered-components", True,
         _forge(content_type="application/json; charset=utf-8").request()),
        ("alg given", "signature-parameters", True, _forge(parameters=f'{full};alg="ed25519"').request()),
        ("expires given", "signature-parameters", True, _forge(parameters=f"{full};expires=4102444800").request()),
        ("no nonce", "signature-parameters", True,
         _forge(parameters=full.replace(';nonce="{nonce}"', "")).request()),
        ("method changed on the way", "signature-invalid", False, _sent(method="PUT")),
        ("path changed on the way", "signature-invalid", False, _sent(target=f"{ROOT}/logout")),
        ("query added on the way", "signature-invalid", False, _sent(target=f"{target}?a=1")),
        ("body and digest changed on the way", "signature-invalid", False,
         with_field(_sent(body=other_body), b"Content-Digest", other_digest)),
        ("authorization changed on the way", "signature-invalid", False,
         with_field(_sent(), b"Authorization", f"{SESSION}x".encode())),
        ("signed by another key", "signature-invalid", False, _forge(key=NEXT, keyid=PRESENT.keyid).request()),
        ("body changed on the way", "content-digest-mismatch", False, _sent(body=other_body)),
        ("digest of another body signed", "content-digest-mismatch", False,
         _forge(digest=other_digest.decode()).request()),
        ("a dot segment", "non-canonical-target", True, _get(target=f"{ROOT}/x/../device").request()),
        ("an empty segment", "non-canonical-target", True, _get(target=f"{ROOT}//device").request()),
        ("a percent-encoded letter", "non-canonical-target", True, _get(target=f"{ROOT}/%64evice").request()),
        ("an empty query", "non-canonical-target", True, _get(target=f"{ROOT}/device?").request()),
        ("another authority", "unknown-authority", True, _get(host="stamp.example.net").request()),
        ("created 61 s ago", "clock-skew", True, _get(created=NOW - 61).request()),
        ("created in 61 s", "clock-skew", True, _get(created=NOW + 61).request()),
        ("a nonce of 181 s ago", "bad-nonce", True,
         _get(nonce=nonce(PRESENT, 9, minted=NOW - 181)).request()),
        ("a nonce of another key", "bad-nonce", True, _get(nonce=nonce(NEXT, 9)).request()),
        ("a nonce made up", "bad-nonce", True, _get(nonce="A" * 46).request()),
    ]  # fmt: skip
    vectors = [
        {
            "name": name,
            "problem": problem,
            "fits": fits,
            "request": {
                "method": request.method,
                "target": request.target,
                "headers": [[field.decode(), value.decode()] for field, value in request.headers],
                "body": request.body.decode(),
            },
        }
        for name, problem, fits, request in cases
    ]
    return {"keys": _keys(), "gateway": _gateway(), "vectors": vectors}


def thumbprints() -> dict[str, object]:
    """JWKs with their keyid, and keys no gateway takes."""
    order_1 = bytes([1]) + bytes(31)
    order_2 = bytes([0xEC, *[0xFF] * 30, 0x7F])
    mixed = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"
    weak = {"the identity": order_1, "a point of order 2": order_2, "a point of order 8": bytes.fromhex(mixed)}
    return {
        "vectors": [{"jwk": to_jwk(key.public_key), "keyid": key.keyid} for key in KEYS.values()],
        "weak": [{"name": name, "problem": "weak-key", "jwk": to_jwk(point)} for name, point in weak.items()],
    }


def words() -> dict[str, object]:
    """The five words of enrolments."""
    gateway = DeviceKey.from_seed(bytes(range(64, 96)))
    cases = [
        (PRESENT.keyid, "1IG2tMH7J2wbJZnOf8LJzQitKf7LMvoAElsuDMVM54Y", "0198f3a2-7c41-7a53-9d3e-1f2a3b4c5d6e"),
        (PRESENT.keyid, gateway.keyid, "0198f3a2-7c41-7a53-9d3e-1f2a3b4c5d6e"),
        (PRESENT.keyid, gateway.keyid, "0198f3a2-7c41-7a53-9d3e-1f2a3b4c5d6f"),
        (NEXT.keyid, gateway.keyid, "ffffffff-ffff-7fff-bfff-ffffffffffff"),
    ]
    return {
        "vectors": [
            {
                "device_keyid": device,
                "gateway_keyid": told,
                "enrolment_id": enrolment,
                "words": list(enrolment_words(device, told, enrolment)),
            }
            for device, told, enrolment in cases
        ]
    }


def files() -> dict[str, str]:
    """Every vector file by name, as it must stand on disk."""
    return {
        "signed-requests.json": _text(signed_requests()),
        "refused-requests.json": _text(refused_requests()),
        "thumbprints.json": _text(thumbprints()),
        "enrolment-words.json": _text(words()),
    }


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    for name, text in files().items():
        (DIRECTORY / name).write_text(text, "utf-8")
