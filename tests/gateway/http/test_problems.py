from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from aiohttp import http_exceptions, web

import gateway
from crypto.device_keys import MalformedKey, WeakKey
from crypto.message_signatures import NonCanonicalTarget, SignatureRefused
from gateway.http.models import Answer
from gateway.http.problem_answers import from_error, problem_response
from gateway.http.problems import PROBLEMS, FieldError, Problem
from storage.ephemeral.connection import EphemeralUnavailable
from storage.errors import Conflict, StorageUnavailable

PROTOCOL = {
    "signature-missing": 401,
    "signature-malformed": 401,
    "covered-components": 401,
    "signature-parameters": 401,
    "signature-invalid": 401,
    "content-digest-mismatch": 401,
    "non-canonical-target": 400,
    "unknown-authority": 400,
    "bad-nonce": 401,
    "clock-skew": 401,
    "nonce-replayed": 401,
    "device-unknown": 401,
    "device-pending": 403,
    "device-suspended": 403,
    "device-revoked": 403,
    "key-expired": 403,
    "network-not-allowed": 403,
    "enrolment-code-invalid": 400,
    "weak-key": 400,
    "key-reused": 400,
    "state-unavailable": 503,
    "busy": 503,
    "action-not-valid": 409,
    "stamp-id-reused": 409,
    "link-not-valid": 404,
    "login-failed": 401,
    "login-throttled": 429,
    "session-expired": 401,
    "confirmation-required": 403,
    "words-mismatch": 409,
}


def body_of(response: web.Response) -> dict[str, object]:
    assert isinstance(response.body, bytes)
    document = json.loads(response.body)
    assert isinstance(document, dict)
    return document


def test_the_table_holds_every_published_name_with_its_status() -> None:
    assert {name: PROBLEMS[name].status for name in PROTOCOL} == PROTOCOL


def test_every_signature_refusal_of_crypto_is_in_the_table() -> None:
    for refusal in SignatureRefused.__subclasses__():
        assert refusal.problem in PROBLEMS


def test_every_problem_that_the_gateway_raises_by_name_is_in_the_table() -> None:
    used = set()
    for path in Path(gateway.__file__).parent.rglob("*.py"):
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)) if "Problem(" in source else ():
            match node:
                case ast.Call(func=ast.Name(id="Problem"), args=[ast.Constant(value=name), *_]):
                    used.add(name)
    assert used
    assert used - PROBLEMS.keys() == set()


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_answer_has_the_members_and_fields_its_status_demands(name: str) -> None:
    response = problem_response(Problem(name), "request-1")
    document = body_of(response)
    assert document["type"] == f"/problems/{name}"
    assert document["status"] == response.status == PROBLEMS[name].status
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == "request-1"
    assert response.content_type == "application/problem+json"
    assert response.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in response.headers) == (response.status in (429, 503))
    assert ("WWW-Authenticate" in response.headers) == (response.status == 401)


def test_a_signature_refusal_says_which_signature_is_wanted() -> None:
    response = problem_response(Problem("bad-nonce", headers={"Replay-Nonce": "n"}), "r")
    assert response.headers["WWW-Authenticate"] == 'Signature realm="stampgate"'
    assert "stampgate-kiosk" in response.headers["Accept-Signature"]
    assert response.headers["Replay-Nonce"] == "n"


def test_a_login_refusal_challenges_with_bearer_and_no_signature() -> None:
    response = problem_response(Problem("login-failed"), "r")
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="stampgate"'
    assert "Accept-Signature" not in response.headers


def test_details_errors_and_further_members_are_in_the_document() -> None:
    class Now(Answer):
        state: str
        since: float | None = None

    problem = Problem(
        "action-not-valid", "Not now.", errors=[FieldError("action", "is wrong")], current_status=Now(state="in"), n=1
    )
    document = body_of(problem_response(problem, "r", "https://docs.example"))
    assert document["type"] == "https://docs.example/problems/action-not-valid"
    assert document["detail"] == "Not now."
    assert document["errors"] == [{"field": "action", "message": "is wrong"}]
    assert document["current_status"] == {"state": "in"}
    assert document["n"] == 1


def test_retry_after_may_be_given_and_is_never_below_a_second() -> None:
    assert problem_response(Problem("busy", retry_after=7), "r").headers["Retry-After"] == "7"
    assert problem_response(Problem("busy", retry_after=0), "r").headers["Retry-After"] == "1"


def test_a_further_member_cannot_take_the_place_of_a_standard_one() -> None:
    with pytest.raises(TypeError):
        Problem("action-not-valid", status={"state": "in"})


def test_an_unknown_name_is_a_defect() -> None:
    with pytest.raises(KeyError):
        Problem("no-such-problem")


def test_a_member_that_is_no_json_is_a_defect() -> None:
    with pytest.raises(TypeError):
        problem_response(Problem("busy", odd=object()), "r")


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (Problem("busy"), "busy"),
        (NonCanonicalTarget("why"), "non-canonical-target"),
        (WeakKey("x"), "weak-key"),
        (MalformedKey("x"), "bad-request"),
        (StorageUnavailable("x"), "state-unavailable"),
        (EphemeralUnavailable("x"), "state-unavailable"),
        (Conflict("users.email"), "conflict"),
        (web.HTTPNotFound(), "not-found"),
        (web.HTTPForbidden(), "not-allowed"),
        (web.HTTPRequestEntityTooLarge(1), "body-too-large"),
        (web.HTTPGone(), "bad-request"),
        (web.HTTPBadGateway(), "internal-error"),
        (web.RequestPayloadError(), "bad-request"),
        (http_exceptions.TransferEncodingError("x"), "bad-request"),
    ],
)
def test_every_expected_error_has_its_problem(error: Exception, name: str) -> None:
    problem = from_error(error)
    assert problem is not None
    assert problem.name == name


def test_the_cause_of_a_signature_refusal_goes_to_the_log_and_not_into_the_answer() -> None:
    problem = from_error(NonCanonicalTarget("its path is odd"))
    assert problem is not None
    assert problem.cause == "its path is odd"
    assert b"odd" not in json.dumps(body_of(problem_response(problem, "r"))).encode()


def test_a_method_that_is_not_allowed_keeps_its_allow_field() -> None:
    problem = from_error(web.HTTPMethodNotAllowed("PUT", ["GET"]))
    assert problem is not None
    assert problem.headers == {"Allow": "GET"}


@pytest.mark.parametrize("error", [ValueError("x"), web.HTTPFound("/")])
def test_what_is_no_refusal_has_no_problem(error: Exception) -> None:
    assert from_error(error) is None
