from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field

from gateway.http.answers import json_response
from gateway.http.bodies import parse, parse_query
from gateway.http.fields import Form, Id, PersonnelNumber, Pin, Token, is_id
from gateway.http.models import Answer, Body, Rfc3339, rfc3339
from gateway.http.problems import Problem
from tests.samples import samples

UUID = "0198a0e2-1111-7aaa-8bbb-0123456789ab"


class Action(StrEnum):
    IN = "clock_in"
    OUT = "clock_out"


class Client(Body):
    name: Annotated[str, Field(min_length=1, max_length=8)]
    version: str


class Everything(Body):
    personnel_number: PersonnelNumber
    pin: Pin
    stamp_id: Id
    action: Action
    client: Client
    offset: Annotated[int, Field(ge=-10, le=10)] = 0
    share: float = 0.0
    flag: bool = False
    networks: Annotated[tuple[str, ...], Field(max_length=2)] = ()
    words: Annotated[dict[str, str], Field(default_factory=dict)]
    paper: Literal["a4", "a3"] = "a4"


GOOD: dict[str, object] = {
    "personnel_number": "0042",
    "pin": "493817",
    "stamp_id": UUID.upper(),
    "action": "clock_in",
    "client": {"name": "kiosk", "version": "1"},
}


def faults(model: type[Body], raw: bytes) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        parse(model, raw)
    assert refused.value.name == "bad-request"
    found = {fault.field: fault.message for fault in refused.value.errors}
    assert found
    assert len(found) == len(refused.value.errors)
    return found


def test_a_right_body_becomes_its_model() -> None:
    body = parse(Everything, json.dumps(GOOD).encode())
    assert body.personnel_number == "0042"
    assert body.stamp_id == UUID
    assert body.action is Action.IN
    assert body.client.name == "kiosk"


def test_every_fault_is_told_at_once_and_in_plain_words() -> None:
    raw = json.dumps(
        {
            "personnel_number": "12345678901234",
            "pin": 123456,
            "stamp_id": "x",
            "action": "toggle",
            "client": {"name": "", "colour": "red"},
            "offset": 11,
            "share": "half",
            "flag": "yes",
            "networks": ["a", "b", "c"],
            "words": [],
            "paper": "a0",
            "extra": 1,
        }
    ).encode()
    assert faults(Everything, raw) == {
        "personnel_number": "must be 1 to 12 digits",
        "pin": "must be text",
        "stamp_id": "must be a UUID",
        "action": "must be one of: clock_in, clock_out",
        "client.name": "must not be empty",
        "client.version": "is required",
        "client.colour": "is not a known field",
        "offset": "must be at most 10",
        "share": "must be a number",
        "flag": "must be true or false",
        "networks": "must have at most 2 entries",
        "words": "must be an object",
        "paper": "must be one of: a4, a3",
        "extra": "is not a known field",
    }


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"pin": "12345"}, "pin", "must be 6 to 12 digits"),
        ({"pin": "١٢٣٤٥٦"}, "pin", "must be 6 to 12 digits"),
        ({"pin": "123456\n"}, "pin", "must be 6 to 12 digits"),
        ({"offset": -11}, "offset", "must be at least -10"),
        ({"offset": 1.0}, "offset", "must be a whole number"),
        ({"offset": True}, "offset", "must be a whole number"),
        ({"client": {"name": "kiosk-seven", "version": "1"}}, "client.name", "must have at most 8 characters"),
        ({"client": {"name": "a\x00b", "version": "1"}}, "client.name", "must not contain control characters"),
        ({"client": {"name": "a", "version": "x" * 1025}}, "client.version", "must have at most 1024 characters"),
        ({"client": []}, "client", "must be an object"),
        ({"client": None}, "client", "must be an object"),
        ({"networks": ["\x85"]}, "networks", "must not contain control characters"),
        ({"words": {"\x00": "a"}}, "words", "must not contain control characters"),
        ({"words": {"2": "a\x7f"}}, "words", "must not contain control characters"),
        ({"words": {"2": 5}}, "words.2", "must be text"),
        ({"words": {"Secret Word": 5}}, "words.*", "must be text"),
        ({"4938171": 1}, "*", "is not a known field"),
    ],
)
def test_one_fault_names_its_field_and_what_it_must_be(change: dict[str, object], field: str, message: str) -> None:
    assert faults(Everything, json.dumps({**GOOD, **change}).encode()) == {field: message}


DEEP = b'{"personnel_number":' + b"[" * 1900


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"\xff\xfe{\x00",
        b'{"pin":"\xff"}',
        b'{"pin":"\xed\xa0\x80"}',
        rb'{"pin":"\ud800"}',
        rb'{"\udc00":1}',
        b"\xef\xbb\xbf{}",
        b'{"offset":NaN}',
        b'{"nothing":Infinity}',
        b'{"offset":' + b"9" * 4000 + b"}",
        b'{"share":1e999999}',
        b'{"nothing":' + b"9" * 4000 + b"}",
        b'{"offset":99999999999999999999999999}',
        DEEP,
        DEEP + b"]" * 1900 + b"}",
        b'{"a":' * 650 + b"1" + b"}" * 650,
        b"{'pin': 1}",
        b'{"pin":1,}',
        b'{"pin":1} x',
        json.dumps(GOOD).encode("utf-16"),
    ],
)
def test_nothing_that_can_be_sent_is_more_than_a_bad_request(raw: bytes) -> None:
    assert faults(Everything, raw)


def test_more_json_than_any_request_has_is_not_parsed() -> None:
    with pytest.raises(Problem) as refusal:
        parse(Everything, b'{"nothing":"' + b"x" * 4096 + b'"}')
    assert refusal.value.name == "body-too-large"


def test_many_faults_are_counted_and_the_first_named() -> None:
    raw = b"{" + b",".join(b'"x%d":0' % number for number in range(400)) + b',"x399":1}'
    with pytest.raises(Problem) as refusal:
        parse(Everything, raw)
    named = refusal.value.errors
    assert len(named) == 33
    assert named[-1].message.endswith("more faults")


class Lenient(Body):
    model_config = ConfigDict(extra="ignore")


@pytest.mark.parametrize("raw", [b'{"x":' + b"[" * 150 + b"]" * 150 + b"}"])
def test_what_a_model_ignores_cannot_hurt(raw: bytes) -> None:
    assert parse(Lenient, raw) == Lenient()


@pytest.mark.parametrize("raw", [b'{"x":NaN}', b'{"x":' + b"[" * 2000 + b"]" * 2000 + b"}", b'{"x":{"y":1,"y":2}}'])
def test_an_ignored_field_must_still_be_json(raw: bytes) -> None:
    assert faults(Lenient, raw)


@given(st.binary(max_size=200))
def test_random_bytes_are_a_bad_request(raw: bytes) -> None:
    assert faults(Everything, raw)


@settings(max_examples=samples(30), deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "words", "share"]) | st.text(), inner),
        max_leaves=12,
    )
)
def test_random_json_is_a_bad_request(value: object) -> None:
    assert faults(Everything, json.dumps(value).encode())


def test_a_key_given_twice_is_refused_at_any_depth_beside_the_other_faults() -> None:
    raw = b'{"personnel_number":"1","pin":"493817","pin":"593817","client":{"name":"a","name":"b","version":"1"}}'
    assert faults(Everything, raw)["name"] == "is given more than once"
    assert faults(Client, b'{"name":"a","version":"1","version":"1"}') == {"version": "is given more than once"}


def test_a_fault_never_repeats_what_was_sent() -> None:
    secret = "493817"
    for raw in (
        {**GOOD, "action": secret},
        {**GOOD, "personnel_number": secret * 3},
        {**GOOD, "client": secret},
        {**GOOD, secret: secret},
        {**GOOD, "words": {secret: 1}},
        {**GOOD, "stamp_id": secret},
    ):
        with pytest.raises(Problem) as refused:
            parse(Everything, json.dumps(raw).encode())
        assert secret not in repr(refused.value.errors) + refused.value.cause + refused.value.detail
        assert refused.value.__suppress_context__ or secret not in repr(refused.value.__context__)


def test_the_log_gets_our_own_field_names_only() -> None:
    with pytest.raises(Problem) as refused:
        parse(Client, b'{"name":"","hunterpass":1}')
    assert refused.value.cause == "3 faults: name, version"


def test_a_body_shows_nothing_in_its_repr() -> None:
    body = parse(Everything, json.dumps(GOOD).encode())
    assert "493817" not in repr(body) + str(body) + f"{body}"


def query(text: str) -> Listing:
    return parse_query(Listing, make_mocked_request("GET", f"/api/users{text}"))


class Listing(Body):
    name: Annotated[str, Form("[a-z]{1,8}", "must be 1 to 8 letters")] = "all"
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def test_a_query_becomes_its_model() -> None:
    assert query("") == Listing()
    assert query("?name=abc&limit=7") == Listing(name="abc", limit=7)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            "?limit=0&name=&x=1",
            {"limit": "must be at least 1", "name": "must be 1 to 8 letters", "x": "is not a known field"},
        ),
        ("?limit=many", {"limit": "must be a whole number"}),
        ("?limit=" + "9" * 5000, {"limit": "is too large"}),
        ("?limit=1&limit=2", {"limit": "is given more than once"}),
        ("?name=%ff", {"query": "must be a valid query in UTF-8"}),
        ("?name=%00", {"name": "must be 1 to 8 letters"}),
        ("?name=\udcff", {"query": "must be a valid query in UTF-8"}),
        ("?" + "&".join(f"a{n}=1" for n in range(40)), {"query": "must be a valid query in UTF-8"}),
    ],
)
def test_a_wrong_query_names_every_fault(text: str, found: dict[str, str]) -> None:
    with pytest.raises(Problem) as refused:
        query(text)
    assert {fault.field: fault.message for fault in refused.value.errors} == found


class Person(Answer):
    name: str
    email: str | None = None
    since: Rfc3339


def test_an_answer_leaves_out_what_is_none_and_writes_instants_in_utc() -> None:
    response = json_response(Person(name="Ä", since=1_769_846_400.1239), 201, {"X-A": "b"})
    assert response.status == 201
    assert response.content_type == "application/json"
    assert response.headers["X-A"] == "b"
    assert isinstance(response.body, bytes)
    assert json.loads(response.body) == {"name": "Ä", "since": "2026-01-31T08:00:00.124Z"}


@pytest.mark.parametrize(
    ("at", "text"),
    [(0, "1970-01-01T00:00:00.000Z"), (1.9996, "1970-01-01T00:00:02.000Z"), (1e9 + 0.001, "2001-09-09T01:46:40.001Z")],
)
def test_instants_are_rounded_to_milliseconds(at: float, text: str) -> None:
    assert rfc3339(at) == text


def test_a_form_tells_its_schema_what_it_is() -> None:
    class Login(Body):
        pin: Pin
        token: Token

    schema = Login.model_json_schema()["properties"]["pin"]
    assert schema["pattern"] == "^[0-9]{6,12}$"
    assert schema["format"] == "password"
    assert schema["description"] == "Must be 6 to 12 digits."


@pytest.mark.parametrize(
    ("text", "answer"), [(UUID, True), (UUID.upper(), False), ("x", False), ("{" + UUID + "}", False)]
)
def test_an_id_in_a_path_is_canonical(text: str, answer: bool) -> None:
    assert is_id(text) is answer
