"""The published protocol page: its worked examples are what this project's own code makes and accepts."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from crypto.device_keys import DeviceKey
from crypto.enrolment_words import enrolment_words
from crypto.message_signatures import OutgoingRequest, SignatureRefused, sign
from gateway.http.problem_types import PROBLEMS

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")
EXAMPLES = re.findall(r"```http\n((?:POST|GET) \S+ HTTP/1\.1\n.*?)```", PAGE, re.DOTALL)


def _named(name: str) -> str:
    found = re.search(rf"^{re.escape(name)} {{2,}}(.+)$", PAGE, re.MULTILINE)
    assert found is not None, name
    return found[1]


def _example_key() -> DeviceKey:
    seed = _named("private key (32 bytes, base64url)")
    return DeviceKey.from_seed(base64.urlsafe_b64decode(f"{seed}="))


def test_the_example_key_has_the_keyid_the_page_gives() -> None:
    key = _example_key()
    assert key.keyid == _named("keyid")
    assert base64.urlsafe_b64encode(key.public_key).decode().rstrip("=") == _named("public key (x)")


@pytest.mark.parametrize("example", EXAMPLES, ids=["with a body", "without a body"])
def test_an_example_request_is_what_the_signer_makes(example: str) -> None:
    head, _, body = example.partition("\n\n")
    start, *lines = head.splitlines()
    method, target, _ = start.split(" ")
    fields = dict(line.split(": ", 1) for line in lines)
    created = re.search(r";created=(\d+)", fields["Signature-Input"])
    nonce = re.search(r';nonce="([^"]+)"', fields["Signature-Input"])
    assert created is not None
    assert nonce is not None
    authority, authorization = fields.pop("Host"), fields.pop("Authorization", None)
    request = OutgoingRequest(method, authority, target, body.strip().encode(), authorization)
    assert sign(request, _example_key(), created=int(created[1]), nonce=nonce[1]) == fields


def test_the_example_words_are_those_both_sides_compute() -> None:
    words = enrolment_words(_named("device keyid"), _named("gateway keyid"), _named("enrolment id"))
    assert " ".join(words) == _named("words")


def test_every_refusal_of_a_signature_is_explained_with_its_status() -> None:
    table = PAGE.partition("## Problems")[2].partition("## Life of a terminal")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines() if line.startswith("| `")]
    statuses = {name: status for names, status in rows for name in re.findall(r"`([a-z-]+)`", names)}
    assert {refusal.problem for refusal in SignatureRefused.__subclasses__()} <= set(statuses)
    for name, status in statuses.items():
        assert str(PROBLEMS[name].status) in status, name
