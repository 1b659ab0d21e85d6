"""What a form of a page sends: read within limits, and handed to the very models that read the interface's bodies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl

import pydantic
from aiohttp import BodyPartReader, MultipartReader, hdrs

from gateway.http.bodies import BODY_LIMIT, CLOSING, parse, read_body
from gateway.http.field_faults import field_errors
from gateway.http.files import FILE_SECONDS
from gateway.http.models import Body
from gateway.http.problems import FieldError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

BodyModel = TypeVar("BodyModel", bound=Body)

FIELDS_LIMIT: Final = 64
"""Fields of one form; none has a third of that."""

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"


class Form(Mapping[str, str]):
    """The fields of a form; one that is not there reads as empty, as browsers leave out boxes that are not ticked."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields = dict(fields or {})

    def __getitem__(self, name: str) -> str:
        return self._fields.get(name, "")

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def given(self, *names: str) -> dict[str, str]:
        """Return those of the fields that somebody filled in, without white space around them."""
        return {name: value for name in names if (value := self[name].strip())}

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field that are not empty."""
        return [line.strip() for line in self[name].splitlines() if line.strip()]


def read_model(model: type[BodyModel], values: Mapping[str, Any], *further: FieldError) -> BodyModel:
    """Return the model of the interface that these values make, by the interface's own rules.

    Raises Problem `bad-request` with every fault, `further` ones among them.
    """
    faults = list(further)
    try:
        body = parse(model, json.dumps(dict(values)).encode())
    except Problem as problem:
        if problem.name != "bad-request":
            raise
        faults = [*problem.errors, *faults]
    if faults:
        raise Problem("bad-request", errors=faults)
    return body


def read_filter(model: type[BodyModel], request: web.Request) -> BodyModel:
    """Return the model of a query that a form of filters made: empty fields and those of the page itself do not count.

    Raises Problem `bad-request` with every fault.
    """
    known = {field.alias or name for name, field in model.model_fields.items()}
    values = {name: value.strip() for name, value in request.query.items() if name in known and value.strip()}
    try:
        for value in values.values():
            value.encode()
        return model.model_validate_strings(values, strict=False)
    except pydantic.ValidationError as error:
        raise Problem("bad-request", errors=field_errors(error)) from None
    except UnicodeEncodeError:
        raise Problem("bad-request", cause="half a surrogate pair") from None


async def read_form(request: web.Request, limit: int = BODY_LIMIT, file: str | None = None) -> Form:
    """Return the fields of a posted form. `file`: the one that may hold a file, as text of whatever bytes it has.

    Raises Problem `bad-request`, `body-too-large`, `request-timeout` and `unsupported-media-type`.
    """
    kind = request.headers.get(hdrs.CONTENT_TYPE, "").partition(";")[0].strip().lower()
    if kind == MULTIPART:
        return Form(await _read_parts(request, limit, file))
    raw = await read_body(request)
    if kind != URLENCODED:
        if raw:
            raise Problem("unsupported-media-type", cause="not a form")
        return Form()
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_LIMIT)
    except ValueError:
        raise Problem("bad-request", cause="not a form in UTF-8") from None
    return Form(_each_once(pairs))


async def _read_parts(request: web.Request, limit: int, file: str | None) -> dict[str, str]:
    if (request.content_length or 0) > limit:
        raise Problem("body-too-large", cause="declared too large", headers=CLOSING)
    pairs: list[tuple[str, str]] = []
    left = limit
    try:
        async with asyncio.timeout(FILE_SECONDS):
            # Not request.multipart(): its limit is that of signed bodies.
            parts = MultipartReader(request.headers, request.content)
            while (part := await parts.next()) is not None:
                if not isinstance(part, BodyPartReader) or len(pairs) == FIELDS_LIMIT:
                    raise Problem("bad-request", cause="not a form")
                data = bytearray()
                while chunk := await part.read_chunk():
                    data += chunk
                    if len(data) > left:
                        raise Problem("body-too-large", cause="larger than it may be", headers=CLOSING)
                left -= len(data)
                name = part.name or ""
                name.encode()  # refuses half a surrogate pair, which no page could show again
                # Bytes of a file that are no UTF-8 stay what they are, for the importer to say so.
                pairs.append((name, bytes(data).decode(errors="surrogateescape" if name == file else "strict")))
    except TimeoutError:
        raise Problem("request-timeout", cause="the form did not arrive", headers=CLOSING) from None
    except (ValueError, AssertionError, RuntimeError):
        raise Problem("bad-request", cause="not a form") from None
    return _each_once(pairs)


def _each_once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Problem("bad-request", cause="a field twice")
    return fields
