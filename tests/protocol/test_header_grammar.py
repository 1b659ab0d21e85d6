"""Our strict parser against the general one (`http-sf`), over fields that are nearly or entirely right."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from decimal import Decimal
from pathlib import Path
from string import ascii_lowercase, digits
from typing import Any
from unittest import mock

import http_sf
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crypto.message_signatures import KIOSK_TAG, IncomingRequest, SignatureRefused, verifier
from crypto.message_signatures.fields import read_plain, read_signature_input, read_signatures, select
from tests.protocol.signed_requests import AUTHORITY, COMPONENTS, KEY, NOW, TARGET, VERIFIER, Forge, digest_field
from tests.samples import samples

ROOT = Path(__file__).parents[2]
PRODUCT = ("crypto", "storage", "gateway", "kiosk_client")
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)
KEYS = st.tuples(st.sampled_from(f"{ascii_lowercase}*"), st.text(f"{ascii_lowercase}{digits}_.*-", max_size=5)).map(
    "".join
)
DECIMALS = st.integers(-100_000, 100_000).map(lambda hundredths: str(Decimal(hundredths).scaleb(-2)))
STRINGS = st.one_of(
    PRINTABLE.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.sampled_from(['""', '"a\\', '"a\\b"', '"\x7f"', '"\x00"', f'"{KEY.keyid}"', f'"{KIOSK_TAG}"', '"\u00e4"']),
)
BARE = st.one_of(
    STRINGS,
    st.integers(-(10**16), 10**16).map(str),
    DECIMALS,
    st.sampled_from(["?0", "?1", "?2", "tok/en:*", "-", "1.", "1.2345", "01", "--1", ":AA==:", "@1", "%", ""]),
)
PARAMETERS = st.lists(
    st.tuples(
        st.sampled_from([";", ";", ";", "; ", " ;", ""]),
        st.one_of(st.sampled_from(["created", "nonce", "keyid", "tag", "alg", "expires"]), KEYS),
        st.one_of(st.none(), BARE),
    ).map(lambda parts: parts[0] + parts[1] + ("" if parts[2] is None else f"={parts[2]}")),
    max_size=10,
).map("".join)
COMPONENT = st.tuples(st.one_of(st.sampled_from([f'"{name}"' for name in COMPONENTS]), BARE), PARAMETERS).map("".join)
INNER_LIST = st.one_of(
    st.lists(COMPONENT, max_size=4).map(lambda items: f"({' '.join(items)})"),
    st.integers(0, 7).map(lambda n: "(" + " ".join(f'"{name}"' for name in COMPONENTS[:n]) + ")"),
    st.sampled_from(["( )", '( "a")', '("a" )', '("a""b")', '("a"', "a", ""]),
)
INPUTS = st.lists(
    st.one_of(
        st.tuples(KEYS, INNER_LIST, PARAMETERS).map(lambda parts: f"{parts[0]}={parts[1]}{parts[2]}"),
        st.sampled_from(["a", "a=1", "A=()", "=()", "sig=()", Forge().signature_fields()[0]]),
    ),
    min_size=1,
    max_size=4,
)
# Fields that should be accepted: otherwise the comparison would seldom have anything to compare.
GOOD_BARE = st.one_of(
    PRINTABLE.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    st.integers(-(10**15) + 1, 10**15 - 1).map(str),
    DECIMALS,
    st.sampled_from(["?0", "?1", "tok/en:*", "*", "0", "-0", "007"]),
)
GOOD_PARAMETERS = st.dictionaries(KEYS, st.one_of(st.none(), GOOD_BARE), max_size=5).map(
    lambda found: "".join(f";{name}" + ("" if value is None else f"={value}") for name, value in found.items())
)
GOOD_COMPONENT = st.tuples(
    PRINTABLE.map(lambda text: '"' + text.replace("\\", "").replace('"', "") + '"'), GOOD_PARAMETERS
)
GOOD_LIST = st.lists(GOOD_COMPONENT.map("".join), max_size=4).map(lambda items: f"({' '.join(items)})")
GOOD_INPUTS = st.dictionaries(KEYS, st.tuples(GOOD_LIST, GOOD_PARAMETERS).map("".join), min_size=1, max_size=3).map(
    lambda members: [f"{label}={member}" for label, member in members.items()]
)
COMMAS = st.sampled_from([", ", ", ", ",", " \t,\t ", ",,", ";", " "])
BASE64 = st.one_of(
    st.binary(max_size=70).map(lambda data: b64encode(data).decode()),
    st.binary(min_size=64, max_size=64).map(lambda data: b64encode(data).decode()),
    st.text("AQgw+/=_-", max_size=8),
)
SIGNATURES = st.lists(
    st.tuples(KEYS, st.sampled_from(["=:", "=:", "=:", "=", ":"]), BASE64, st.sampled_from([":", ":", ":", "", ":;a"])),
    min_size=1,
    max_size=4,
).map(lambda members: ["".join(member) for member in members])


def general_value(spelled: str | None) -> object:
    """What a structured-field parser makes of a spelled parameter."""
    if spelled is None:
        return True
    if spelled.startswith('"'):
        return spelled[1:-1].replace('\\"', '"').replace("\\\\", "\\") if "\\" in spelled else spelled[1:-1]
    if spelled.startswith("?"):
        return spelled == "?1"
    if spelled[0] in "-0123456789":
        return Decimal(spelled) if "." in spelled else int(spelled)
    return http_sf.Token(spelled)


def refuse_duplicates(key: str, context: str) -> None:
    assert context == "parameter", f"a duplicate {context} {key} was accepted"


@settings(max_examples=samples(40))
@given(st.one_of(INPUTS, GOOD_INPUTS), COMMAS)
@example(['a=("\\\\\\"";x);y="\\\\"'], ",")
def test_what_our_parser_reads_from_signature_input_the_general_one_reads_too(members: list[str], comma: str) -> None:
    text = comma.join(members)
    try:
        ours = read_signature_input(text)
    except SignatureRefused:
        return
    general = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse_duplicates)
    assert isinstance(general, dict)
    members_of: dict[str, Any] = dict(general)
    assert [member.label for member in ours] == list(members_of)
    for member in ours:
        items, parameters = members_of[member.label]
        assert isinstance(items, list)
        expected = {name: general_value(value) for name, value in member.parameters.items()}
        if any("\\" in (value or "") for value in member.parameters.values()):
            assert expected.keys() == parameters.keys()
        else:
            assert expected == parameters
            assert {name: type(value) for name, value in expected.items()} == {
                name: type(value) for name, value in parameters.items()
            }
        read_again = read_signature_input(f"x={member.signature_params}")[0]
        assert (read_again.components, read_again.parameters) == (member.components, member.parameters)


@settings(max_examples=samples(40))
@given(SIGNATURES, COMMAS)
def test_what_our_parser_reads_from_signature_the_general_one_reads_too(members: list[str], comma: str) -> None:
    text = comma.join(members)
    try:
        ours = read_signatures(text)
    except SignatureRefused:
        return
    general = http_sf.parse(text.encode("ascii"), tltype="dictionary", on_duplicate_key=refuse_duplicates)
    assert {label: (b64decode(encoded, validate=True), {}) for label, encoded in ours.items()} == general
    assert all(b64encode(b64decode(encoded)).decode() == encoded for encoded in ours.values())


HONEST = Forge().request()
FOUR = ("created", "nonce", "keyid", "tag")


@settings(max_examples=samples(40))
@given(
    st.one_of(st.permutations(FOUR), st.lists(st.sampled_from(FOUR), min_size=3, max_size=5)),
    st.integers(0, 10**15 - 1),
    PRINTABLE,
    st.sampled_from([KIOSK_TAG, "other", ""]),
    st.sampled_from([(), COMPONENTS[:5], COMPONENTS[:6], (*COMPONENTS[:5], "authorization"), COMPONENTS]),
    st.sampled_from(["sig", "b"]),
    st.binary(min_size=63, max_size=65),
)
def test_the_short_way_through_the_parser_reads_what_the_long_way_reads(
    order: list[str], created: int, nonce: str, tag: str, components: tuple[str, ...], label: str, signature: bytes
) -> None:
    values: dict[str, object] = {
        "created": created,
        "nonce": f'"{nonce}"',
        "keyid": f'"{KEY.keyid}"',
        "tag": f'"{tag}"',
    }
    listed = " ".join(f'"{name}"' for name in components)
    signature_input = f"sig=({listed})" + "".join(f";{name}={values[name]}" for name in order)
    field = f"{label}=:{b64encode(signature).decode()}:"

    fields = {b"Signature-Input": signature_input.encode(), b"Signature": field.encode()}
    request = IncomingRequest(HONEST.method, HONEST.target, [*(dict(HONEST.headers) | fields).items()], HONEST.body)

    def outcome() -> object:
        try:
            return VERIFIER.read(request, KIOSK_TAG)
        except SignatureRefused as refusal:
            return type(refusal), refusal.cause, refusal.keyid

    short = outcome()
    with mock.patch.object(verifier, "read_plain", return_value=None):
        assert outcome() == short


def test_what_terminals_send_goes_the_short_way_through_the_parser() -> None:
    with mock.patch.object(verifier, "read_signature_input", side_effect=AssertionError("the long way")):
        VERIFIER.read(HONEST, KIOSK_TAG)


ANY_FIELD = st.sampled_from(
    [b"Host", b"Content-Type", b"Content-Digest", b"Signature", b"signature-input", b"Authorization", b"X", b"\xff"]
)


@settings(max_examples=samples(40))
@given(
    st.one_of(st.just("POST"), st.text(max_size=5)),
    st.one_of(st.just(TARGET), st.text(max_size=12), PRINTABLE.map(lambda text: f"/{text}")),
    st.lists(st.tuples(ANY_FIELD, st.binary(max_size=40)), max_size=4),
    st.booleans(),
    INPUTS.map(", ".join),
    SIGNATURES.map(", ".join),
    st.binary(max_size=30),
)
def test_whatever_is_sent_the_gate_raises_nothing_but_a_refusal(
    method: str,
    target: str,
    fields: list[tuple[bytes, bytes]],
    honest_fields: bool,
    signature_input: str,
    signature: str,
    body: bytes,
) -> None:
    if honest_fields:
        headers = [*HONEST.headers, *fields]
    else:
        made = {
            b"Host": AUTHORITY.encode(),
            b"Content-Digest": digest_field(body).encode(),
            b"Signature-Input": signature_input.encode(errors="surrogatepass"),
            b"Signature": signature.encode(),
        }
        headers = [*made.items(), *fields]
    try:
        claimed = VERIFIER.read(IncomingRequest(method, target, headers, body), KIOSK_TAG)
        VERIFIER.verify(claimed, KEY.public_key, NOW)
    except SignatureRefused as refusal:
        assert refusal.problem
        assert refusal.keyid in (None, KEY.keyid)


@settings(max_examples=samples(40))
@given(st.sampled_from([b"Signature-Input", b"Signature", b"Content-Digest", b"Host", b"Authorization"]), st.data())
def test_no_single_changed_byte_of_a_covered_field_is_accepted(name: bytes, data: st.DataObject) -> None:
    headers = dict(HONEST.headers)
    value = bytearray(headers[name])
    position = data.draw(st.integers(0, len(value) - 1))
    value[position] ^= data.draw(st.integers(1, 255))
    changed = bytes(value)
    if name == b"Host" and changed.lower() == headers[name].lower():
        return
    request = IncomingRequest(HONEST.method, HONEST.target, [*((headers | {name: changed}).items())], HONEST.body)
    with pytest.raises(SignatureRefused):
        VERIFIER.verify(VERIFIER.read(request, KIOSK_TAG), KEY.public_key, NOW)


@pytest.mark.parametrize(
    "field",
    [
        "sig=(" + '"a" ' * 500,
        "sig=()" + ";a=1" * 500,
        ",".join(f"a{number}=()" for number in range(250)),
        'sig=("' + "\\\\" * 1000,
        "sig=()" + ";a=" + "1" * 2000,
        "a" * 2048,
    ],
)
def test_two_kibibytes_of_nonsense_are_refused_in_one_pass(field: str) -> None:
    with pytest.raises(SignatureRefused):
        read_plain(field[:2048], "sig=:AAAA:", KIOSK_TAG)
        select(read_signature_input(field[:2048]), read_signatures("sig=:AAAA:"), KIOSK_TAG)


CLASS = re.compile(r"\[(?:\\.|[^\]\\])+\]")
POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{+[^{}]*(?:\{[^{}]*\})?[^{}]*\}+)\+")


def has_a_possessive_group(line: str) -> bool:
    return POSSESSIVE_GROUP.search(CLASS.sub("[]", line)) is not None


def test_no_quantifier_of_a_group_is_possessive() -> None:
    """Before Python 3.11.5 some of these match what they must not: the product would be safe on some machines only."""
    sources = [file for package in PRODUCT for file in (ROOT / package).rglob("*.py")]
    assert len(sources) > 200
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in sources
        for line in file.read_text().splitlines()
        if has_a_possessive_group(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", [r"(?:/(?!x)[a-z]++)++", r'rf"(?: {ONE}){{0,{MOST - 1}}}+)?"', r"(?:a|(b)){4}+)", r"(?:[()+]x)*+"]
)
def test_a_possessive_group_would_be_seen(line: str) -> None:
    assert has_a_possessive_group(line)
    assert not has_a_possessive_group(line.replace("}+", "}").replace(")++", ")+").replace(")*+", ")*"))
