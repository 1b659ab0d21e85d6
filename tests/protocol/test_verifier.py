"""What the gate lets in, and what a caller gets from it."""

from __future__ import annotations

from itertools import permutations
from os import urandom

import pytest

from crypto.device_keys import thumbprint
from crypto.message_signatures import (
    ACCEPT_SIGNATURE,
    ENROL_TAG,
    KIOSK_TAG,
    REKEY_TAG,
    ClockSkew,
    ContentDigestMismatch,
    IncomingRequest,
    NonCanonicalTarget,
    OutgoingRequest,
    SignatureInvalid,
    SignatureMalformed,
    UnknownAuthority,
    Verifier,
    combine,
    content_digest_of,
    normalise_authority,
    read_target,
    sign,
)
from crypto.nonces import Nonces
from tests.protocol.signed_requests import (
    AUTHORITY,
    AUTHORIZATION,
    BODY,
    KEY,
    NONCES,
    NOW,
    OTHER_KEY,
    TARGET,
    VERIFIER,
    Forge,
    accept,
    bare,
    field_of,
    with_field,
)


def arrived(request: OutgoingRequest, fields: dict[str, str], host: str = AUTHORITY) -> IncomingRequest:
    headers = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in fields.items())]
    if request.authorization is not None:
        headers.append((b"authorization", request.authorization.encode()))
    return IncomingRequest(request.method, request.target, headers, request.body)


@pytest.mark.parametrize("authorization", [None, AUTHORIZATION])
@pytest.mark.parametrize("body", [b"", BODY])
@pytest.mark.parametrize("target", [TARGET, f"{TARGET}?from=2026-01-01&to=%C3%A4", "/a/..b/.c/~d?/?"])
def test_what_a_terminal_signs_is_accepted(target: str, body: bytes, authorization: str | None) -> None:
    request = OutgoingRequest("POST", AUTHORITY, target, body, authorization)
    nonce = NONCES.mint(KEY.keyid, NOW)
    fields = sign(request, KEY, created=int(NOW), nonce=nonce)
    assert ("Content-Type" in fields) is bool(body)
    verified = accept(arrived(request, fields))
    assert (verified.keyid, verified.body, verified.authorization) == (KEY.keyid, body, authorization)
    assert (verified.nonce.value, verified.nonce.minted_at) == (nonce, int(NOW))


@pytest.mark.parametrize("order", list(permutations(["created", "nonce", "keyid", "tag"])))
def test_parameters_may_come_in_any_order(order: tuple[str, ...]) -> None:
    spelled = {"created": ";created={created}"} | {n: f';{n}="{{{n}}}"' for n in ("nonce", "keyid", "tag")}
    accept(Forge(parameters="".join(spelled[name] for name in order)).request())


@pytest.mark.parametrize("label", ["sig", "*", "a.b-c_d*9", "s" * 64])
def test_a_label_carries_no_meaning(label: str) -> None:
    accept(Forge(label=label).request())


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize(
    "other",
    [
        '("@method" "date";sf "x";key="a\\"b");created=1;expires=-2;keyid="k";alg="rsa-v1_5-sha256";nonce="\\\\"',
        "()",
        '();tag="somebody-else";flag;other=?0;token=a/b:c;decimal=1.5',
    ],
)
def test_signatures_of_others_are_ignored(other: str, ours_first: bool) -> None:
    request = Forge().request()
    inputs = [field_of(request, b"Signature-Input"), b"proxy=" + other.encode()]
    signatures = [field_of(request, b"Signature"), b"proxy=:c29tZWJvZHk=:"]
    if not ours_first:
        inputs.reverse()
    request = with_field(request, b"Signature-Input", b" \t, ".join(inputs))
    accept(with_field(request, b"Signature", b",".join(signatures)))


def test_created_may_be_off_by_a_minute_but_not_more() -> None:
    accept(Forge(created=int(NOW) - 59).request())
    accept(Forge(created=int(NOW) + 60).request())
    with pytest.raises(ClockSkew):
        accept(Forge(created=int(NOW) - 60).request())


def test_a_nonce_of_an_older_key_epoch_is_still_good() -> None:
    older = Nonces({7: bytes(32)}, 7, urandom)
    accept(Forge(nonce=older.mint(KEY.keyid, NOW)).request())


@pytest.mark.parametrize("host", ["GATEWAY.example", "gateway.example:443", "Gateway.Example:443", "127.0.0.1:8080"])
def test_the_host_is_compared_without_case_and_default_port(host: str) -> None:
    request = OutgoingRequest("GET", normalise_authority(host), TARGET)
    fields = sign(request, KEY, created=int(NOW), nonce=NONCES.mint(KEY.keyid, NOW))
    accept(arrived(request, fields, host))


def test_behind_http_the_default_port_is_80() -> None:
    verifier = Verifier(frozenset({"[::1]"}), NONCES, scheme="http")
    request = OutgoingRequest("GET", "[::1]", TARGET)
    fields = sign(request, KEY, created=int(NOW), nonce=NONCES.mint(KEY.keyid, NOW))
    accept(arrived(request, fields, "[::1]:80"), verifier=verifier)
    with pytest.raises(UnknownAuthority):
        accept(arrived(request, fields, "[::1]:443"), verifier=verifier)


@pytest.mark.parametrize(
    ("host", "scheme", "authority"),
    [
        ("Example.COM", "https", "example.com"),
        ("example.com:443", "https", "example.com"),
        ("example.com:443", "http", "example.com:443"),
        ("example.com:", "https", "example.com"),
        ("example.com:0080", "http", "example.com"),
        ("[2001:DB8::1]:8443", "https", "[2001:db8::1]:8443"),
        ("stamp_gate:8080", "http", "stamp_gate:8080"),
    ],
)
def test_an_authority_has_one_spelling(host: str, scheme: str, authority: str) -> None:
    assert normalise_authority(host, scheme) == authority


@pytest.mark.parametrize("host", ["", "a b", "https://a", "a/b", "a:b", "a@b", "[::1", "a:123456", "ä.example"])
def test_what_is_no_authority_is_refused(host: str) -> None:
    with pytest.raises(UnknownAuthority):
        normalise_authority(host)


def test_a_target_is_split_as_the_rfc_says() -> None:
    assert read_target("/api/a.b/...") == ("/api/a.b/...", "?")
    assert read_target("/api?a=%2F&b") == ("/api", "?a=%2F&b")


def test_two_signatures_of_a_key_change_are_both_found() -> None:
    request = OutgoingRequest("PUT", AUTHORITY, "/api/time/kiosk/device/key", b"{}")
    old = sign(request, KEY, created=int(NOW), nonce=NONCES.mint(KEY.keyid, NOW))
    new = sign(
        request,
        OTHER_KEY,
        created=int(NOW),
        nonce=NONCES.mint(OTHER_KEY.keyid, NOW),
        tag=REKEY_TAG,
        label="rekey",
    )
    incoming = arrived(request, combine(old, new))
    for tag, key in ((KIOSK_TAG, KEY), (REKEY_TAG, OTHER_KEY)):
        claimed = VERIFIER.read(incoming, tag)
        assert (claimed.tag, VERIFIER.verify(claimed, key.public_key, NOW).keyid) == (tag, key.keyid)


def test_signatures_of_different_requests_or_with_one_label_cannot_be_combined() -> None:
    def fields(body: bytes, label: str) -> dict[str, str]:
        return sign(OutgoingRequest("PUT", AUTHORITY, TARGET, body), KEY, created=1, nonce="n", label=label)

    with pytest.raises(SignatureMalformed):
        combine(fields(b"{}", "a"), fields(b"{}", "a"))
    with pytest.raises(SignatureMalformed):
        combine(fields(b"{}", "a"), fields(b"[]", "b"))


def test_at_enrolment_the_digest_can_be_checked_before_the_key_is_known() -> None:
    claimed = VERIFIER.read(bare(method="POST", tag=ENROL_TAG).request(), ENROL_TAG)
    assert VERIFIER.check_freshness(claimed, NOW).minted_at == int(NOW)
    assert VERIFIER.verify_digest(claimed) == b""
    assert claimed.keyid == thumbprint(KEY.public_key)
    wrong = VERIFIER.read(Forge(digest=content_digest_of(b"other")).request(), KIOSK_TAG)
    with pytest.raises(ContentDigestMismatch):
        VERIFIER.verify_digest(wrong)


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(32), bytes(33)])
def test_a_key_that_is_none_verifies_nothing(public_key: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        VERIFIER.verify(VERIFIER.read(Forge().request(), KIOSK_TAG), public_key, NOW)


def test_a_terminal_does_not_sign_what_the_gateway_would_refuse() -> None:
    with pytest.raises(NonCanonicalTarget):
        sign(OutgoingRequest("GET", AUTHORITY, "/a/../b"), KEY, created=1, nonce="n")
    for label, nonce in (("Sig", "n"), ("sig", 'n"'), ("sig", "n\n")):
        with pytest.raises(SignatureMalformed):
            sign(OutgoingRequest("GET", AUTHORITY, "/a"), KEY, created=1, nonce=nonce, label=label)
    with pytest.raises(SignatureMalformed):
        sign(OutgoingRequest("GET", AUTHORITY, "/a", authorization="Bearer a\nb"), KEY, created=1, nonce="n")


def test_a_refused_client_is_told_what_to_sign() -> None:
    assert ACCEPT_SIGNATURE == (
        'sig=("@method" "@authority" "@path" "@query" "content-digest");created;tag="stampgate-kiosk"'
    )
