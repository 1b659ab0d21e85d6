"""The OpenAPI 3.1 document, built from the routes and the very models that read and write the bodies."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from gateway.accounts.roles import PERMISSIONS
from gateway.http.problem_types import PROBLEMS
from gateway.http.routes import Access, Route

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import BaseModel

JsonObject = dict[str, Any]
References = Mapping[tuple[Any, JsonSchemaMode], JsonObject]
"""Each model, as it is read or written, to its ``$ref``."""

REF: Final = "#/components/schemas/{model}"
PROBLEM_REF: Final = "#/components/schemas/Problem"

_SIGNED: Final = (
    "non-canonical-target",
    "unknown-authority",
    "signature-missing",
    "signature-malformed",
    "covered-components",
    "signature-parameters",
    "signature-invalid",
    "content-digest-mismatch",
    "bad-nonce",
    "clock-skew",
    "nonce-replayed",
    "state-unavailable",
)
_DEVICE: Final = (
    "device-unknown", "device-pending", "device-suspended", "device-revoked", "key-expired", "network-not-allowed"
)  # fmt: skip

_BY_ACCESS: Final[dict[Access, tuple[str, ...]]] = {
    "public": (),
    "enrolment": _SIGNED,
    "signed": (*_SIGNED, *_DEVICE),
    "signed-session": (*_SIGNED, *_DEVICE, "session-expired"),
    "phone-session": ("session-expired", "state-unavailable"),
    "account": ("not-signed-in", "not-allowed", "confirmation-required", "state-unavailable"),
}

_SECURITY: Final[dict[Access, list[dict[str, list[str]]]]] = {
    "public": [],
    "enrolment": [{"kioskSignature": []}],
    "signed": [{"kioskSignature": []}],
    "signed-session": [{"kioskSignature": [], "kioskSession": []}],
    "phone-session": [{"phoneSession": []}],
    "account": [{"account": []}],
}

_SCHEMES: Final[JsonObject] = {
    "kioskSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Signature",
        "description": (
            "HTTP Message Signature (RFC 9421) with the terminal's Ed25519 key, together with Signature-Input and "
            "Content-Digest (RFC 9530). Covered, in this order: @method, @authority, @path, @query, content-digest, "
            "content-type if there is a body, authorization if it is sent. Parameters: created, nonce (from "
            "Replay-Nonce), keyid (RFC 7638 thumbprint) and tag stampgate-kiosk, or stampgate-enrol at enrolment."
        ),
    },
    "kioskSession": {
        "type": "http",
        "scheme": "bearer",
        "description": "The session_token of POST /api/time/kiosk/auth. It is good on that terminal only.",
    },
    "phoneSession": {
        "type": "http",
        "scheme": "bearer",
        "description": "The session_token of POST /api/time/public/auth. It lives 120 seconds.",
    },
    "account": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": (
            "The token of POST /api/auth/login. It lives 24 hours, and ends with its session: a copy of the "
            "signature alone is no use."
        ),
    },
}

_PROBLEM_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "description": "A refusal (RFC 9457). Further members are possible.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["/problems/bad-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "request_id": {"type": "string", "format": "uuid"},
        "errors": {
            "type": "array",
            "description": "Every fault of the input at once.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def build(routes: Sequence[Route], version: str) -> JsonObject:
    """Return the document for all routes; ``version`` is the product's."""
    models = _models(routes)
    references, definitions = models_json_schema(models, ref_template=REF)
    schemas = definitions.get("$defs", {})
    paths: dict[str, JsonObject] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, references)
    used = {scheme for route in routes for choice in _SECURITY[route.access] for scheme in choice}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Stampgate",
            "version": version,
            "description": "A time-stamping gateway that decides how far a stamp can be trusted.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": dict(paths),
        "components": {
            "schemas": {**schemas, "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {name: scheme for name, scheme in _SCHEMES.items() if name in used},
        },
    }


def route(routes: Sequence[Route], version: str) -> Route:
    """Return the route that serves the document; it lists itself too."""
    document = b""
    writing = asyncio.Lock()

    def written() -> bytes:
        return json.dumps(build((*routes, own), version), ensure_ascii=False).encode()

    async def serve(_: web.Request) -> web.StreamResponse:
        nonlocal document
        async with writing:  # once, however many ask for it at first: anybody may
            if not document:  # not at the start, which it would double; in a thread, for it takes long
                document = await asyncio.to_thread(written)
        return web.Response(body=document, content_type="application/json")

    own = Route(
        method="GET",
        path="/openapi.json",
        handler=serve,
        summary="This document.",
        tag="Operations",
        access="public",
        answers={200: None},
    )
    return own


def _models(routes: Iterable[Route]) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    found: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {}
    for each in routes:
        if each.body is not None:
            found[each.body, "validation"] = None
        for answer in each.answers.values():
            if answer is not None:
                found[answer, "serialization"] = None
    return list(found)


def _operation(route: Route, references: References) -> JsonObject:
    operation: JsonObject = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "security": _SECURITY[route.access],
        "responses": _responses(route, references),
    }
    if parameters := [*_path_parameters(route), *_query_parameters(route)]:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": references[route.body, "validation"]}},
        }
    elif route.takes_file is not None:
        operation["requestBody"] = {"required": True, "content": {route.takes_file: {"schema": {"type": "string"}}}}
    if route.permission is not None:
        roles = ", ".join(sorted(PERMISSIONS[route.permission].roles))
        operation["description"] = f"Permission {route.permission}: {roles}."
    return operation


def _operation_id(route: Route) -> str:
    words = route.path.replace("{", "by-").replace("}", "").replace(".", "-").strip("/").replace("/", "-") or "root"
    return f"{route.method.lower()}-{words}"


def _path_parameters(route: Route) -> list[JsonObject]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.path_parameters
    ]


def _query_parameters(route: Route) -> list[JsonObject]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template=REF)
    required, definitions = schema.get("required", []), schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _query_schema(property_, definitions)}
        for name, property_ in schema.get("properties", {}).items()
    ]


def _query_schema(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    """Return the schema of one parameter: whole, as it stands alone, and never null, since it is left out instead."""
    if "$ref" in schema:
        return _query_schema(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    choices = [_query_schema(each, definitions) for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    own = {name: value for name, value in schema.items() if name != "anyOf" and value is not None}
    if len(choices) == 1:
        return {**choices[0], **own}
    return {**own, "anyOf": choices} if choices else own


def _responses(route: Route, references: References) -> dict[str, JsonObject]:
    responses: dict[str, JsonObject] = {}
    for status, model in route.answers.items():
        response: JsonObject = {"description": HTTPStatus(status).phrase}
        if model is not None:
            response["content"] = {"application/json": {"schema": references[model, "serialization"]}}
            if route.downloads is not None:
                response["content"][route.downloads] = {}
        elif status not in (HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED):
            response["content"] = {media_type: {} for media_type in route.produces.split(", ")}
        responses[str(status)] = response
    by_status: dict[int, list[str]] = defaultdict(list)
    for name in dict.fromkeys((*route.problems, *_implied_problems(route))):
        by_status[PROBLEMS[name].status].append(name)
    for status, names in sorted(by_status.items()):
        responses[str(status)] = _refusal(names)
    return responses


def _implied_problems(route: Route) -> tuple[str, ...]:
    """Return what access, body and query can be refused for besides the route's own problems."""
    implied = [*_BY_ACCESS[route.access], "internal-error"]
    if route.path.startswith("/api/"):
        implied.append("non-canonical-target")
    takes_body = route.body is not None or route.takes_file is not None
    if takes_body or route.query is not None:
        implied.append("bad-request")
    if takes_body:
        implied += ["body-too-large"] if "signed" in route.access else ["body-too-large", "unsupported-media-type"]
    return tuple(implied)


def _refusal(names: list[str]) -> JsonObject:
    kinds = [PROBLEMS[name] for name in names]
    response: JsonObject = {
        "description": " · ".join(f"{kind.name}: {kind.title}" for kind in kinds),
        "content": {"application/problem+json": {"schema": {"$ref": PROBLEM_REF}}},
    }
    if any(kind.retry_after is not None for kind in kinds):
        response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return response
