"""The PyPI library `http-message-signatures` as oracle: what we accept it accepts, what it signs so we accept.

It is no gate (it may read another path than a router routes): nothing is claimed about what it accepts and we refuse.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from time import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from http_message_signatures import HTTPMessageSigner, MappingKeyResolver
from http_message_signatures.algorithms import ED25519
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.message_signatures import (
    KIOSK_TAG,
    IncomingRequest,
    OutgoingRequest,
    SignatureRefused,
    VerifiedRequest,
    normalise_authority,
    sign,
)
from tests.protocol.oracle import Message, oracle_accepts
from tests.protocol.signed_requests import AUTHORITY, AUTHORIZATION, BODY, COMPONENTS, KEY, NONCES, VERIFIER, Forge
from tests.protocol.test_attacks import ATTACKS
from tests.samples import samples

PRIVATE_KEY = Ed25519PrivateKey.from_private_bytes(KEY.seed)
KEYS = MappingKeyResolver(public_keys={KEY.keyid: PRIVATE_KEY.public_key()}, private_keys={KEY.keyid: PRIVATE_KEY})

TARGETS = st.from_regex(
    re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,6}){1,4}(\?([a-z0-9=&/?:@!$'()*+,;._~-]|%[0-9A-Fa-f]{2}){1,12})?"),
    fullmatch=True,
)
SESSIONS = st.one_of(st.none(), st.from_regex(r"Bearer [!-~]{1,20}( [!-~]{1,5})?", fullmatch=True))
BODIES = st.one_of(st.just(b""), st.binary(max_size=60))


def accepted(request: IncomingRequest, now: float) -> VerifiedRequest:
    return VERIFIER.verify(VERIFIER.read(request, KIOSK_TAG), KEY.public_key, now)


@settings(max_examples=samples(50))
@given(st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS"]), TARGETS, BODIES, SESSIONS, st.integers(-50, 50))
def test_every_request_we_sign_and_accept_the_library_accepts(
    method: str, target: str, body: bytes, authorization: str | None, offset: int
) -> None:
    now = time()
    outgoing = OutgoingRequest(method, AUTHORITY, target, body, authorization)
    fields = sign(outgoing, KEY, created=int(now) + offset, nonce=NONCES.mint(KEY.keyid, now))
    headers = [(b"Host", AUTHORITY.encode()), *((name.encode(), value.encode()) for name, value in fields.items())]
    if authorization is not None:
        headers.append((b"authorization", authorization.encode()))
    request = IncomingRequest(method, target, headers, body)
    assert accepted(request, now).body == body
    assert oracle_accepts(request, AUTHORITY, KEYS) == KEY.keyid


@settings(max_examples=samples(50))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["other", "a*b", "sig", "z"]),
            st.sampled_from(['("@method")', "()", '("x";sf "y";key="k")', '("date" "date")', "(x)", '"x"']),
            st.sampled_from(
                ['tag="x"', "created=1", "created=1.5", "expires=?1", 'alg="x";keyid=7', 'nonce="\\""', "f"]
            ),
            st.sampled_from([":AAAA:", "::", ":AA==:", ":AA:", '"x"']),
        ),
        max_size=2,
    ),
    st.sampled_from([";created={created}", ";created={created};expires=1"]),
    st.permutations(["nonce", "keyid", "tag"]),
)
def test_among_signatures_of_others_we_accept_nothing_that_the_library_refuses(
    others: list[tuple[str, str, str, str]], created: str, order: list[str]
) -> None:
    now = time()
    parameters = created + "".join(f';{name}="{{{name}}}"' for name in order)
    signature_input, signature = Forge(
        created=int(now), nonce=NONCES.mint(KEY.keyid, now), parameters=parameters
    ).signature_fields()
    inputs = ", ".join([signature_input, *(f"{label}={items};{extra}" for label, items, extra, _ in others)])
    signatures = ", ".join([signature, *(f"{label}={value}" for label, _, _, value in others)])
    replaced = {b"Signature-Input": inputs.encode(), b"Signature": signatures.encode()}
    honest = Forge().request()
    request = IncomingRequest(
        honest.method, honest.target, [(name, replaced.get(name, value)) for name, value in honest.headers], honest.body
    )
    try:
        accepted(request, now)
    except SignatureRefused:
        return
    assert oracle_accepts(request, AUTHORITY, KEYS) == KEY.keyid


@pytest.mark.parametrize("body", [b"", BODY])
@pytest.mark.parametrize("authorization", [None, AUTHORIZATION])
@pytest.mark.parametrize("target", ["/api/time/kiosk/action", "/api/time/kiosk/days?from=2026-01-01&b=%20"])
@pytest.mark.parametrize("host", [AUTHORITY, f"{AUTHORITY}:443"])
def test_what_the_library_signs_by_our_profile_we_accept(
    host: str, target: str, authorization: str | None, body: bytes
) -> None:
    now = time()
    message = Message("POST", f"https://{host}{target}")
    covered = list(COMPONENTS[:5])
    if body:
        message.headers["Content-Type"] = "application/json"
        covered.append("content-type")
    if authorization is not None:
        message.headers["Authorization"] = authorization
        covered.append("authorization")
    HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=KEYS).sign(
        message,
        key_id=KEY.keyid,
        created=datetime.fromtimestamp(int(now), UTC),
        nonce=NONCES.mint(KEY.keyid, now),
        tag=KIOSK_TAG,
        include_alg=False,
        covered_component_ids=covered,
        body=body,
    )
    headers = [(name.encode(), value.encode()) for name, value in message.headers.items()]
    request = IncomingRequest("POST", target, [(b"Host", host.encode()), *headers], body)
    verified = accepted(request, now)
    assert (verified.keyid, verified.body, verified.authorization) == (KEY.keyid, body, authorization)
    assert normalise_authority(host) == AUTHORITY


def test_the_library_refuses_what_was_changed_on_the_way_too() -> None:
    """The oracle is awake: it does not accept just anything."""
    for name in ("path changed", "signature changed by a bit", "authorization changed", "body changed"):
        with pytest.raises(Exception, match=r".") as refusal:
            oracle_accepts(ATTACKS[name][0](), AUTHORITY, KEYS)
        assert type(refusal.value).__name__ == "InvalidSignature"
