"""Request bodies: the only way from bytes to a model. Every fault is found at once, and no answer repeats the input."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar
from urllib.parse import parse_qsl

import pydantic
from multidict import istr

from gateway.http.field_faults import BODY, UNKNOWN_FIELD, FieldError, FieldFault, field_errors, safe_field
from gateway.http.models import Body
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

BODY_LIMIT: Final = 64 * 1024
"""Bytes; what the signed protocol lets a body have."""

JSON_LIMIT: Final = 4 * 1024
"""Bytes of JSON that are parsed. The largest request of the product has a quarter; every unknown field of a larger one
would cost the loop time and the answer a line."""

BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive: the server's own timeouts watch idle connections and heads, not bodies."""

FAULTS_SHOWN: Final = 32
"""Faults named in one answer; nobody mends more by hand."""

QUERY_FIELDS_LIMIT: Final = 32
"""Parameters in one query; no route has half as many."""

# Not aiohttp's own: models are parsed where no server is, and importing one takes a command line long
CONNECTION: Final = istr("Connection")
CONTENT_ENCODING: Final = istr("Content-Encoding")
CONTENT_TYPE: Final = istr("Content-Type")
CLOSING: Final[Mapping[str, str]] = {CONNECTION: "close"}
"""Of an answer to a body that is not read to its end: no further request of this connection could be told from it."""
_JSON_TYPE: Final = re.compile(r'application/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?', re.ASCII | re.IGNORECASE)
GIVEN_TWICE: Final = "is given more than once"

BodyModel = TypeVar("BodyModel", bound=Body)


def parse(model: type[BodyModel], raw: bytes) -> BodyModel:
    """Return the model read from JSON bytes.

    Raises:
        Problem: ``bad-request`` with every fault at once: not UTF-8, not JSON, nested too deep, a key given twice,
            and each field that is missing, unknown or of the wrong form.
    """
    if not raw:
        _refuse("is empty; a JSON object is needed")
    if len(raw) > JSON_LIMIT:
        raise Problem("body-too-large", cause="more JSON than any request has")
    errors: list[FieldError] = []
    body: BodyModel | None = None
    try:
        body = model.__pydantic_validator__.validate_json(raw)
    except pydantic.ValidationError as error:
        errors = field_errors(error)
        if any(fault["type"] == "json_invalid" for fault in error.errors(include_url=False, include_input=False)):
            _refuse("must be valid JSON in UTF-8")
    # The model's parser lets the last of two equal keys win; two readers of one body must not see different things.
    # It has bounded the depth, so the second parser cannot overflow.
    try:
        _SECOND_READER.decode(raw.decode())
    except FieldFault as fault:
        errors.append(FieldError(str(fault), GIVEN_TWICE))
    except (ValueError, RecursionError):
        _refuse("must be valid JSON in UTF-8")
    if body is None or errors:
        _raise_faults(errors)
    return body


def parse_query(model: type[BodyModel], request: web.Request) -> BodyModel:
    """Return the model read from the query of the raw request target.

    Raises:
        Problem: ``bad-request`` with every fault at once; a parameter given twice is one.
    """
    raw = request.raw_path.partition("?")[2]
    errors: list[FieldError] = []
    values: dict[str, str] = {}
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_LIMIT)
        for name, value in pairs:
            value.encode()
            if name in values:
                errors.append(FieldError(safe_field(name), GIVEN_TWICE))
            values[name] = value
    except ValueError:
        raise Problem("bad-request", errors=[FieldError("query", "must be a valid query in UTF-8")]) from None
    query: BodyModel | None = None
    try:
        query = model.model_validate_strings(values, strict=False)
    except pydantic.ValidationError as error:
        errors += field_errors(error)
    if query is None or errors:
        _raise_faults(errors)
    return query


async def read_body(request: web.Request, limit: int = BODY_LIMIT) -> bytes:
    """Return the body's bytes as they were sent.

    Raises:
        Problem: ``body-too-large``, or ``unsupported-media-type`` for a content encoding (a digest or a limit over
            bytes that somebody unpacks on the way means nothing).
    """
    if CONTENT_ENCODING in request.headers:
        raise Problem("unsupported-media-type", cause="a content encoding")
    if (request.content_length or 0) > limit:
        raise Problem("body-too-large", cause="declared too large", headers=CLOSING)
    if request.content.is_eof():  # it came with the head, as nearly every one does
        raw = request.content.read_nowait()
    else:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                raw = await request.read()
        except TimeoutError:
            raise Problem("request-timeout", cause="the body did not arrive", headers=CLOSING) from None
    if len(raw) > limit:
        raise Problem("body-too-large", cause="larger than it may be", headers=CLOSING)
    return raw


async def read_json(request: web.Request, model: type[BodyModel], limit: int = JSON_LIMIT) -> BodyModel:
    """Return the model read from an unsigned request.

    Raises:
        Problem: see ``read_body`` and ``parse``; ``unsupported-media-type`` if the body is not said to be JSON.
    """
    # Not `request.content_type`: that runs Python's mail header parser, which some values keep busy for half a second.
    if _JSON_TYPE.fullmatch(",".join(request.headers.getall(CONTENT_TYPE, ()))) is None:
        raise Problem("unsupported-media-type", cause="not application/json")
    return parse(model, await read_body(request, limit))


async def read_json_if_any(request: web.Request, model: type[BodyModel]) -> BodyModel:
    """Return the model read from a request, or the one with nothing in it when there is no body. Raises as `read_json`.

    For acts that need no word, but take one.
    """
    return await read_json(request, model) if request.body_exists else model()


def _refuse_twice(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise FieldFault(safe_field(name))
        seen.add(name)


def _not_json(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON (RFC 8259 §6)")


# Made once: json.loads makes a decoder for each call that has hooks.
_SECOND_READER: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_twice, parse_constant=_not_json, parse_int=len, parse_float=len
)


def _refuse(message: str) -> NoReturn:
    raise Problem("bad-request", errors=[FieldError(BODY, message)], cause=f"body {message}")


def _raise_faults(errors: list[FieldError]) -> NoReturn:
    # The log names our own fields only: an unknown one is the client's text.
    names = [fault.field for fault in errors if fault.message not in (UNKNOWN_FIELD, GIVEN_TWICE)]
    shown = errors[:FAULTS_SHOWN]
    if len(errors) > len(shown):
        shown.append(FieldError(BODY, f"has {len(errors) - len(shown)} more faults"))
    raise Problem("bad-request", errors=shown, cause=f"{len(errors)} faults: {', '.join(names[:8])}".rstrip(": "))
