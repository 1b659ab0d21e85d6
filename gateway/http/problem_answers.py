"""From any error to the problem that answers it, and from that to the answer (RFC 9457): one table for both tiers."""

from __future__ import annotations

import json
from typing import Final

import pydantic
from aiohttp import hdrs, http_exceptions, web
from multidict import istr

from crypto.device_keys import MalformedKey, WeakKey
from crypto.message_signatures import ACCEPT_SIGNATURE, SignatureRefused
from gateway.http.field_faults import FieldError, field_errors
from gateway.http.plain import PlainAnswer
from gateway.http.problems import Problem
from storage.ephemeral.connection import EphemeralUnavailable
from storage.errors import Conflict, StorageUnavailable

MEDIA_TYPE: Final = "application/problem+json"
ACCEPT_SIGNATURE_FIELD: Final = istr("Accept-Signature")

_BY_STATUS: Final = {
    400: "bad-request",
    403: "not-allowed",
    404: "not-found",
    405: "method-not-allowed",
    413: "body-too-large",
    415: "unsupported-media-type",
}


def problem_answer(problem: Problem, request_id: str, type_base: str = "") -> PlainAnswer:
    """Return the answer for a problem: problem+json, never cached, with the fields its status demands.

    ``type_base`` is put before ``/problems/<name>``; empty makes ``type`` an absolute path of this gateway.
    """
    kind = problem.type
    document: dict[str, object] = {
        "type": f"{type_base}/problems/{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        document["errors"] = [{"field": fault.field, "message": fault.message} for fault in problem.errors]
    document.update(problem.members)
    fields: dict[str, str] = {hdrs.CACHE_CONTROL: "no-store"}
    if problem.retry_after is not None:
        fields[hdrs.RETRY_AFTER] = str(problem.retry_after)
    if kind.challenge == "signature":
        fields[hdrs.WWW_AUTHENTICATE] = 'Signature realm="stampgate"'
        fields[ACCEPT_SIGNATURE_FIELD] = ACCEPT_SIGNATURE
    elif kind.challenge == "bearer":
        fields[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="stampgate"'
    fields.update(problem.headers)
    return PlainAnswer(kind.status, json.dumps(document, default=_plain).encode("ascii"), fields, MEDIA_TYPE)


def problem_response(problem: Problem, request_id: str, type_base: str = "") -> web.Response:
    """Return the same as aiohttp's."""
    return problem_answer(problem, request_id, type_base).response()


def from_error(error: Exception) -> Problem | None:
    """Return the problem that answers an error, or ``None`` for one that nobody expected."""
    match error:
        case Problem():
            return error
        case SignatureRefused():
            return Problem(error.problem, cause=error.cause)
        case WeakKey():
            return Problem("weak-key", cause="the public key is no safe point")
        case MalformedKey():
            return Problem("bad-request", errors=[FieldError("jwk", "must be an Ed25519 public key as a JWK")])
        case StorageUnavailable():
            return Problem("state-unavailable", cause="the database cannot be reached")
        case Conflict():
            # A service that knows which field it is says so itself; this is what two writers at once leave over.
            return Problem("conflict", cause=str(error))
        case EphemeralUnavailable():
            return Problem("state-unavailable", cause="Redis cannot be reached")
        case pydantic.ValidationError():
            return Problem("bad-request", errors=field_errors(error))
        case web.HTTPException():
            return _from_http_exception(error)
        case web.RequestPayloadError() | http_exceptions.HttpProcessingError():
            return Problem("bad-request", "The body ended early or is broken.", cause="broken transfer or coding")
        case _:
            return None


def _from_http_exception(error: web.HTTPException) -> Problem | None:
    """Map what aiohttp itself refuses; its own texts may repeat the input and are dropped."""
    if error.status < 400:
        return None
    headers: dict[str, str] | None = {hdrs.ALLOW: error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
    name = _BY_STATUS.get(error.status) or ("bad-request" if error.status < 500 else "internal-error")
    return Problem(name, headers=headers, cause=type(error).__name__)


def _plain(value: object) -> object:
    """Turn an answer model inside a problem into JSON values."""
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"{type(value).__name__} is no JSON value")
