"""Each way to bend a signed request that we know of, and the one problem it is refused with."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha512
from os import urandom

import pytest

from crypto.message_signatures import (
    ENROL_TAG,
    BadNonce,
    ClockSkew,
    ContentDigestMismatch,
    CoveredComponents,
    IncomingRequest,
    NonCanonicalTarget,
    SignatureInvalid,
    SignatureMalformed,
    SignatureMissing,
    SignatureParameters,
    SignatureRefused,
    UnknownAuthority,
)
from crypto.nonces import Nonces
from tests.protocol.signed_requests import (
    AUTHORIZATION,
    BODY,
    COMPONENTS,
    KEY,
    NONCES,
    NOW,
    OTHER_KEY,
    TARGET,
    Forge,
    accept,
    bare,
    digest_field,
    field_of,
    with_field,
)

SECOND = int(NOW)
FOREIGN_NONCES = Nonces({8: urandom(32)}, 8, urandom)

Attack = Callable[[], IncomingRequest]


def moved(**changes: object) -> Attack:
    """The wire is changed after signing."""

    def attack() -> IncomingRequest:
        honest = Forge().request()
        parts = {"method": honest.method, "target": honest.target, "headers": honest.headers, "body": honest.body}
        return IncomingRequest(**(parts | changes))  # type: ignore[arg-type]

    return attack


def rewritten(name: bytes, change: Callable[[bytes], bytes | None]) -> Attack:
    """One field is changed after signing."""

    def attack() -> IncomingRequest:
        honest = Forge().request()
        return with_field(honest, name, change(field_of(honest, name)))

    return attack


def forged(**changes: object) -> Attack:
    """A terminal with a good key signs something it must not."""
    return lambda: Forge(**changes).request()  # type: ignore[arg-type]


def bared(**changes: object) -> Attack:
    return lambda: bare(**changes).request()


def added(*fields: tuple[bytes, bytes]) -> Attack:
    return forged(further=fields)


def second_signature(first: Forge, second: Forge) -> Attack:
    """Two signatures on one request."""

    def attack() -> IncomingRequest:
        inputs, signatures = zip(first.signature_fields(), second.signature_fields(), strict=True)
        request = with_field(first.request(), b"Signature-Input", ", ".join(inputs).encode())
        return with_field(request, b"Signature", ", ".join(signatures).encode())

    return attack


def swap_last_character(value: bytes) -> bytes:
    # "…w==:" and "…x==:" decode to the same 64 bytes.
    return value[:-4] + bytes((value[-4] + 1,)) + value[-3:]


def flip_a_bit(value: bytes) -> bytes:
    signature = bytearray(b64decode(value[5:-1]))
    signature[3] ^= 1
    return b"sig=:" + b64encode(signature) + b":"


ORDER = ';nonce="{nonce}";keyid="{keyid}";tag="{tag}"'
WITHOUT_CREATED = ORDER
WITHOUT_NONCE = ';created={created};keyid="{keyid}";tag="{tag}"'
WITHOUT_KEYID = ';created={created};nonce="{nonce}";tag="{tag}"'
FULL = ';created={created};nonce="{nonce}";keyid="{keyid}";tag="{tag}"'

ATTACKS: dict[str, tuple[Attack, type[SignatureRefused]]] = {
    # What is covered is changed on the way.
    "method changed": (moved(method="PUT"), SignatureInvalid),
    "path changed": (moved(target="/api/time/kiosk/logout"), SignatureInvalid),
    "query added": (moved(target=TARGET + "?force=1"), SignatureInvalid),
    "authority changed to another of ours": (rewritten(b"Host", lambda _: b"127.0.0.1:8080"), SignatureInvalid),
    "body changed": (moved(body=BODY.replace(b"clock_in", b"clock_out")), ContentDigestMismatch),
    "body dropped": (moved(body=b""), CoveredComponents),
    "body and digest changed": (
        lambda: with_field(moved(body=b"{}")(), b"Content-Digest", digest_field(b"{}").encode()),
        SignatureInvalid,
    ),
    "authorization changed": (rewritten(b"Authorization", lambda value: value + b"x"), SignatureInvalid),
    "authorization dropped": (rewritten(b"Authorization", lambda _: None), CoveredComponents),
    "created changed": (
        rewritten(b"Signature-Input", lambda v: v.replace(b"%d" % SECOND, b"%d" % (SECOND + 1))),
        SignatureInvalid,
    ),
    "nonce exchanged for another good one": (
        rewritten(
            b"Signature-Input",
            lambda v: re.sub(b'nonce="[^"]*"', b'nonce="%s"' % NONCES.mint(KEY.keyid, NOW).encode(), v),
        ),
        SignatureInvalid,
    ),
    "parameters put in another order": (
        rewritten(
            b"Signature-Input",
            lambda v: v.replace(b';tag="stampgate-kiosk"', b"").replace(b";nonce", b';tag="stampgate-kiosk";nonce'),
        ),
        SignatureInvalid,
    ),
    "signature changed by a bit": (rewritten(b"Signature", flip_a_bit), SignatureInvalid),
    "signature of another key": (forged(key=OTHER_KEY, keyid=KEY.keyid), SignatureInvalid),
    # Signature fields.
    "no signature at all": (
        lambda: with_field(with_field(Forge().request(), b"Signature", None), b"Signature-Input", None),
        SignatureMissing,
    ),
    "no Signature": (rewritten(b"Signature", lambda _: None), SignatureMissing),
    "no Signature-Input": (rewritten(b"Signature-Input", lambda _: None), SignatureMissing),
    "labels differ": (rewritten(b"Signature", lambda value: b"other" + value[3:]), SignatureMalformed),
    "a signature without input": (
        rewritten(b"Signature", lambda value: value + b", other=:AAAA:"),
        SignatureMalformed,
    ),
    "an input without signature": (
        rewritten(b"Signature-Input", lambda value: value + b', other=("@method");tag="x"'),
        SignatureMalformed,
    ),
    "one label twice in both": (second_signature(Forge(), Forge(tag="other")), SignatureMalformed),
    "one label twice in Signature": (
        rewritten(b"Signature", lambda value: value + b", " + value),
        SignatureMalformed,
    ),
    "two signatures with our tag": (second_signature(Forge(), Forge(label="sig2")), SignatureMalformed),
    "another tag": (forged(tag=ENROL_TAG), SignatureMissing),
    "tag in another case": (forged(tag="Stampgate-Kiosk"), SignatureMissing),
    "no tag": (forged(parameters=';created={created};nonce="{nonce}";keyid="{keyid}"'), SignatureMissing),
    "tag as a token": (
        forged(parameters=';created={created};nonce="{nonce}";keyid="{keyid}";tag=stampgate-kiosk'),
        SignatureMalformed,
    ),
    "another signature with a textual created": (
        second_signature(Forge(), Forge(label="b", tag="x", parameters=';created="1";tag="{tag}"')),
        SignatureMalformed,
    ),
    "nine signatures": (
        lambda: with_field(
            rewritten(b"Signature", lambda v: v + b"".join(b", s%d=:AAAA:" % i for i in range(8)))(),
            b"Signature-Input",
            b", ".join([b'a%d=();tag="x"' % i for i in range(9)]),
        ),
        SignatureMalformed,
    ),
    "nine members of Signature": (
        rewritten(b"Signature", lambda v: v + b"".join(b", s%d=:AAAA:" % i for i in range(8))),
        SignatureMalformed,
    ),
    "an empty Signature-Input": (rewritten(b"Signature-Input", lambda _: b""), SignatureMalformed),
    "trailing bytes after the input": (rewritten(b"Signature-Input", lambda v: v + b" x"), SignatureMalformed),
    "trailing comma after the input": (rewritten(b"Signature-Input", lambda v: v + b","), SignatureMalformed),
    "trailing bytes after the signature": (rewritten(b"Signature", lambda v: v + b"AAAA"), SignatureMalformed),
    "trailing comma after the signature": (rewritten(b"Signature", lambda v: v + b", "), SignatureMalformed),
    "signature with a parameter": (rewritten(b"Signature", lambda v: v + b";a=1"), SignatureMalformed),
    "signature with stray bits": (rewritten(b"Signature", swap_last_character), SignatureMalformed),
    "signature without padding": (rewritten(b"Signature", lambda v: v.replace(b"=:", b":")), SignatureMalformed),
    "signature in base64url": (
        rewritten(b"Signature", lambda _: b"sig=:" + b"_" * 86 + b"==:"),
        SignatureMalformed,
    ),
    "signature of 63 bytes": (
        rewritten(b"Signature", lambda _: b"sig=:" + b64encode(bytes(63)) + b":"),
        SignatureMalformed,
    ),
    "signature of 65 bytes": (
        rewritten(b"Signature", lambda _: b"sig=:" + b64encode(bytes(65)) + b":"),
        SignatureMalformed,
    ),
    "signature as a string": (rewritten(b"Signature", lambda v: v.replace(b":", b'"')), SignatureMalformed),
    "Signature-Input over 2 KiB": (
        rewritten(b"Signature-Input", lambda v: v + b', a=("' + b"x" * 2048 + b'")'),
        SignatureMalformed,
    ),
    "Signature over 2 KiB": (
        rewritten(b"Signature", lambda v: v + b", a=:" + b"A" * 2048 + b":"),
        SignatureMalformed,
    ),
    "Signature-Input not ASCII": (
        rewritten(b"Signature-Input", lambda v: v.replace(b"sig=", b"sig\xe9=")),
        SignatureMalformed,
    ),
    "spaces before a parameter": (forged(parameters=FULL.replace(";nonce", "; nonce")), SignatureMalformed),
    "two spaces between components": (
        forged(component_list="(" + "  ".join(f'"{name}"' for name in COMPONENTS) + ")"),
        SignatureMalformed,
    ),
    "components as tokens": (forged(component_list="(" + " ".join(COMPONENTS[4:]) + ")"), SignatureMalformed),
    "twenty components": (forged(component_list='("a"' + ' "a"' * 19 + ")"), SignatureMalformed),
    # Covered components.
    "nothing covered": (forged(components=()), CoveredComponents),
    "query not covered": (forged(components=[name for name in COMPONENTS if name != "@query"]), CoveredComponents),
    "digest not covered": (
        forged(components=[name for name in COMPONENTS if name != "content-digest"]),
        CoveredComponents,
    ),
    "authorization sent but not covered": (forged(components=COMPONENTS[:6]), CoveredComponents),
    "content-type sent but not covered": (
        forged(components=(*COMPONENTS[:5], "authorization")),
        CoveredComponents,
    ),
    "authorization covered but not sent": (forged(authorization=None), CoveredComponents),
    "a further component": (
        forged(components=(*COMPONENTS, "date"), values={"date": "now"}),
        CoveredComponents,
    ),
    "a component twice": (forged(components=(*COMPONENTS, "@method")), CoveredComponents),
    "components in another order": (forged(components=COMPONENTS[::-1]), CoveredComponents),
    "a component with a parameter": (
        forged(component_list="(" + " ".join(f'"{name}"' for name in COMPONENTS) + ";sf)"),
        CoveredComponents,
    ),
    "a component of a response": (
        forged(component_list="(" + " ".join(f'"{name}"' for name in COMPONENTS).replace('d"', 'd";req', 1) + ")"),
        CoveredComponents,
    ),
    "content-type without a body": (
        bared(content_type="application/json", components=COMPONENTS[:6]),
        CoveredComponents,
    ),
    "content-type without a body, uncovered": (bared(content_type="application/json"), CoveredComponents),
    "body without content-type": (
        forged(content_type=None, components=(*COMPONENTS[:5], "authorization")),
        CoveredComponents,
    ),
    "body of another media type": (forged(content_type="text/plain"), CoveredComponents),
    "media type with a parameter": (forged(content_type="application/json; charset=utf-16"), CoveredComponents),
    "no Content-Digest": (rewritten(b"Content-Digest", lambda _: None), CoveredComponents),
    # Parameters.
    "alg given": (forged(parameters=FULL + ';alg="ed25519"'), SignatureParameters),
    "alg of another family": (forged(parameters=FULL + ';alg="hmac-sha256"'), SignatureParameters),
    "expires given": (forged(parameters=FULL + ";expires=1900000000"), SignatureParameters),
    "no created": (forged(parameters=WITHOUT_CREATED), SignatureParameters),
    "no nonce": (forged(parameters=WITHOUT_NONCE), SignatureParameters),
    "no keyid": (forged(parameters=WITHOUT_KEYID), SignatureParameters),
    "created twice": (forged(parameters=FULL + ";created={created}"), SignatureMalformed),
    "created as a string": (forged(created=f'"{SECOND}"'), SignatureParameters),
    "created as a decimal": (forged(created=f"{SECOND}.0"), SignatureParameters),
    "created with a leading zero": (forged(created=f"0{SECOND}"), SignatureParameters),
    "created below zero": (forged(created=-1), SignatureParameters),
    "created without a value": (forged(parameters=FULL.replace("={created}", "")), SignatureParameters),
    "created as a boolean": (forged(created="?1"), SignatureParameters),
    "created of seventeen digits": (forged(created=10**16), SignatureMalformed),
    "keyid with stray bits": (forged(keyid=KEY.keyid[:-1] + "V"), SignatureParameters),
    "keyid too short": (forged(keyid=KEY.keyid[:-1], nonce="x" * 46), SignatureParameters),
    "keyid as a token": (forged(parameters=FULL.replace('"{keyid}"', "a{keyid}")), SignatureParameters),
    "nonce with an escape": (forged(nonce='a\\"b'), SignatureParameters),
    "nonce as a token": (forged(parameters=FULL.replace('"{nonce}"', "{nonce}")), SignatureParameters),
    "nine parameters": (forged(parameters=FULL + ";a;b;c;d;e"), SignatureMalformed),
    # Time and nonce.
    "created 61 s ago": (forged(created=SECOND - 61), ClockSkew),
    "created in 61 s": (forged(created=SECOND + 62), ClockSkew),
    "created in the far future": (forged(created=10**14), ClockSkew),
    "nonce of 181 s ago": (lambda: Forge(nonce=NONCES.mint(KEY.keyid, NOW - 182)).request(), BadNonce),
    "nonce of the future": (lambda: Forge(nonce=NONCES.mint(KEY.keyid, NOW + 7)).request(), BadNonce),
    "nonce of another terminal": (lambda: Forge(nonce=NONCES.mint(OTHER_KEY.keyid, NOW)).request(), BadNonce),
    "nonce of another gateway": (lambda: Forge(nonce=FOREIGN_NONCES.mint(KEY.keyid, NOW)).request(), BadNonce),
    "nonce made up": (forged(nonce="AQgA" + "A" * 42), BadNonce),
    "nonce empty": (forged(parameters=FULL.replace("{nonce}", "")), BadNonce),
    # Digest.
    "digest of another body": (forged(digest=digest_field(b"{}")), ContentDigestMismatch),
    "digest by another algorithm": (
        forged(digest=f"sha-512=:{b64encode(sha512(BODY).digest()).decode()}:"),
        ContentDigestMismatch,
    ),
    "digest named as another algorithm": (forged(digest=digest_field(BODY, "md5")), ContentDigestMismatch),
    "two digests": (forged(digest=f"{digest_field(BODY)}, {digest_field(BODY, 'md5')}"), ContentDigestMismatch),
    "digest with stray bits": (
        forged(digest=digest_field(BODY)[:-3] + chr(ord(digest_field(BODY)[-3]) + 1) + "=:"),
        ContentDigestMismatch,
    ),
    "digest without padding": (forged(digest=digest_field(BODY).replace("=:", ":")), ContentDigestMismatch),
    "digest of no bytes missing its body": (bared(digest=digest_field(b" ")), ContentDigestMismatch),
    # Fields sent twice.
    **{
        f"{name.decode()} twice": (added((name, value)), SignatureMalformed)
        for name, value in {
            b"host": b"gateway.example",
            b"Content-Type": b"application/json",
            b"content-digest": digest_field(BODY).encode(),
            b"SIGNATURE": b"sig=:AAAA:",
            b"signature-input": b'sig2=("@method");tag="x"',
            b"authorization": AUTHORIZATION.encode(),
        }.items()
    },
    # Other fields.
    "content coding": (added((b"Content-Encoding", b"gzip")), SignatureMalformed),
    "authorization with a control character": (forged(authorization="Bearer a\x00b"), SignatureMalformed),
    "authorization empty": (rewritten(b"Authorization", lambda _: b""), SignatureMalformed),
    "authorization not ASCII": (rewritten(b"Authorization", lambda _: b"Bearer \xe9"), SignatureMalformed),
    "authorization with a line break": (forged(authorization='Bearer a\n"x": y'), SignatureMalformed),
    "method in lower case": (forged(method="post"), SignatureMalformed),
    "method with a line break": (forged(method='POST\n"@authority": x'), SignatureMalformed),
    "body over 64 KiB": (forged(body=b" " * (64 * 1024 + 1)), SignatureMalformed),
    # Authority.
    "foreign authority": (forged(host="evil.example"), UnknownAuthority),
    "foreign port": (forged(host="gateway.example:8443"), UnknownAuthority),
    "port of another scheme": (forged(host="gateway.example:80"), UnknownAuthority),
    "user in the authority": (forged(host="a@gateway.example"), UnknownAuthority),
    "trailing dot": (forged(host="gateway.example."), UnknownAuthority),
    "no Host": (rewritten(b"Host", lambda _: None), UnknownAuthority),
    # Target.
    "target not ASCII": (moved(target="/api/zeit/\u00e4"), NonCanonicalTarget),
    "query not ASCII": (moved(target="/api/time?a=\u00e4"), NonCanonicalTarget),
    "target with half a surrogate pair": (moved(target="/api/\udc80"), NonCanonicalTarget),
    **{
        f"target {target!r}": (forged(target=target), NonCanonicalTarget)
        for target in (
            "https://gateway.example/api/time/kiosk/action",
            "gateway.example:443",
            "*",
            "",
            "/",
            "//gateway.example/api",
            "/api//time",
            "/api/time/",
            "/api/./time",
            "/api/../time",
            "/api/time/..",
            "/api/%74ime",
            "/api/ti%2Fme",
            "/api/time;a=1",
            "/api/time ",
            "/api\\time",
            "/api/time\n",
            "/api/time?",
            "/api/time?a#b",
            "/api/time#b",
            "/api/time?a=%4",
            "/api/time?a=%zz",
            "/api/time?a b",
            '/api/time?a="b"',
        )
    },
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused_with_its_own_problem(name: str) -> None:
    attack, expected = ATTACKS[name]
    with pytest.raises(SignatureRefused) as refusal:
        accept(attack())
    assert type(refusal.value) is expected, refusal.value.cause
    assert refusal.value.problem == expected.problem


def test_the_table_of_attacks_attacks_something_that_is_otherwise_accepted() -> None:
    assert accept(Forge().request()).body == BODY
    assert accept(bare().request()).body == b""


def test_every_problem_has_a_name_of_its_own() -> None:
    problems = SignatureRefused.__subclasses__()
    assert len({problem.problem for problem in problems}) == len(problems) == 10


@pytest.mark.parametrize("name", ATTACKS)
def test_a_refusal_never_repeats_what_was_sent(name: str) -> None:
    request = ATTACKS[name][0]()
    with pytest.raises(SignatureRefused) as refusal:
        accept(request)
    text = f"{refusal.value!r} {refusal.value} {refusal.value.cause}"
    assert AUTHORIZATION not in text
    assert KEY.keyid not in text
    assert "\n" not in text


def test_a_refusal_names_the_key_as_soon_as_it_could_be_read() -> None:
    for name, readable in {
        "path changed": True,
        "nonce made up": True,
        "created 61 s ago": True,
        "alg given": True,
        "query not covered": True,
        "digest of another body": True,
        "target '/api//time'": False,
        "foreign authority": False,
        "keyid too short": False,
    }.items():
        with pytest.raises(SignatureRefused) as refusal:
            accept(ATTACKS[name][0]())
        assert refusal.value.keyid == (KEY.keyid if readable else None), name
