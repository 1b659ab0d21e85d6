from __future__ import annotations

import asyncio
import json
import re
from typing import Annotated, Any

import pytest
from aiohttp import web
from pydantic import Field

from gateway.http import openapi
from gateway.http.fields import Id, PersonnelNumber, Pin
from gateway.http.models import Answer, Body, Rfc3339
from gateway.http.problem_types import PROBLEMS
from gateway.http.routes import ROUTES, Route, register


class Client(Body):
    name: str


class Login(Body):
    personnel_number: PersonnelNumber
    pin: Pin
    client: Client


class Listing(Body):
    limit: Annotated[int, Field(ge=1)] = 20
    user: Id


class Stamp(Answer):
    id: str
    at: Rfc3339


class Stamps(Answer):
    items: tuple[Stamp, ...]
    next_cursor: str | None = None


async def handler(_: web.Request) -> web.StreamResponse:
    return web.Response()


def make(method: str, path: str, access: Any = "public", **more: Any) -> Route:
    return Route(method=method, path=path, handler=handler, summary="Does it", tag="T", access=access, **more)


ALL = [
    make("HEAD", "/api/nonce"),
    make("POST", "/api/enrol", "enrolment", body=Login, answers={201: Stamp}, problems=("weak-key", "busy")),
    make("GET", "/api/device", "signed", answers={200: Stamp}),
    make("POST", "/api/action", "signed-session", body=Login, answers={201: Stamp, 200: Stamp}),
    make("GET", "/api/days", "phone-session", answers={200: Stamps}),
    make("GET", "/api/stamps/{id}", "account", query=Listing, answers={200: Stamps}),
    make("GET", "/stamp", answers={200: None}, produces="text/html"),
    make("GET", "/", answers={303: None}),
]


@pytest.fixture
def document() -> dict[str, Any]:
    made = json.loads(json.dumps(openapi.build(ALL, "0.1.0")))
    assert isinstance(made, dict)
    return made


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method} {path}": item for path, methods in document["paths"].items() for method, item in methods.items()}


def test_the_document_has_what_openapi_3_1_demands(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"]
    assert document["info"]["version"] == "0.1.0"
    assert set(document) <= {"openapi", "info", "paths", "components"}
    assert all(path.startswith("/") for path in document["paths"])
    assert all(re.fullmatch(r"[a-zA-Z0-9._-]+", name) for name in document["components"]["schemas"])


def test_every_operation_is_complete(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) == len(ALL)
    assert len({item["operationId"] for item in found.values()}) == len(ALL)
    for name, item in found.items():
        assert item["summary"]
        assert item["tags"] == ["T"]
        assert item["responses"]
        assert all(re.fullmatch(r"[1-5][0-9][0-9]", status) for status in item["responses"])
        assert all(response["description"] for response in item["responses"].values())
        named = re.findall(r"\{([a-z_]+)\}", name)
        assert named == [each["name"] for each in item.get("parameters", []) if each["in"] == "path"]
        assert all(each["required"] for each in item.get("parameters", []) if each["in"] == "path")


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document)
    assert found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_the_models_are_the_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Login"]["additionalProperties"] is False
    assert schemas["Login"]["required"] == ["personnel_number", "pin", "client"]
    assert schemas["Login"]["properties"]["pin"]["pattern"] == "^[0-9]{6,12}$"
    assert schemas["Stamp"]["properties"]["at"]["format"] == "date-time"


def test_each_access_names_its_security(document: dict[str, Any]) -> None:
    found = {name: item["security"] for name, item in operations(document).items()}
    assert found["head /api/nonce"] == []
    assert found["post /api/enrol"] == [{"kioskSignature": []}]
    assert found["post /api/action"] == [{"kioskSignature": [], "kioskSession": []}]
    assert found["get /api/days"] == [{"phoneSession": []}]
    schemes = document["components"]["securitySchemes"]
    assert set(schemes) == {"kioskSignature", "kioskSession", "phoneSession", "account"}
    assert "RFC 9421" in schemes["kioskSignature"]["description"]
    assert schemes["kioskSession"]["scheme"] == schemes["phoneSession"]["scheme"] == "bearer"


def test_the_refusals_are_grouped_by_status_with_what_access_and_body_bring_along(document: dict[str, Any]) -> None:
    responses = operations(document)["post /api/enrol"]["responses"]
    assert set(responses) == {"201", "400", "401", "413", "415", "500", "503"}
    assert "weak-key" in responses["400"]["description"]
    assert "bad-request" in responses["400"]["description"]
    assert "Retry-After" in responses["503"]["headers"]
    assert list(responses["401"]["content"]) == ["application/problem+json"]
    assert "403" in operations(document)["get /api/device"]["responses"]


def test_a_query_becomes_parameters(document: dict[str, Any]) -> None:
    parameters = operations(document)["get /api/stamps/{id}"]["parameters"]
    assert [(each["name"], each["in"], each["required"]) for each in parameters] == [
        ("id", "path", True),
        ("limit", "query", False),
        ("user", "query", True),
    ]


def test_a_page_is_of_its_own_media_type_and_no_content_has_none(document: dict[str, Any]) -> None:
    assert operations(document)["get /stamp"]["responses"]["200"]["content"] == {"text/html": {}}
    assert "content" not in operations(document)["head /api/nonce"]["responses"]["204"]


async def test_the_served_document_lists_itself(aiohttp_client: Any) -> None:
    app = web.Application()
    register(app, [*ALL, openapi.route(ALL, "0.1.0")])
    client = await aiohttp_client(app)
    async with client.get("/openapi.json") as response:
        assert response.content_type == "application/json"
        paths = (await response.json())["paths"]
    assert set(paths) == {route.path for route in app[ROUTES]}


async def test_the_document_is_written_once_however_many_ask_at_first(
    aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, count, build = web.Application(), 0, openapi.build

    def counting(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return build(*arguments)

    monkeypatch.setattr(openapi, "build", counting)
    register(app, [openapi.route(ALL, "0.1.0")])
    client = await aiohttp_client(app)

    async def size() -> int:
        async with client.get("/openapi.json") as response:
            return len(await response.read())

    assert len(set(await asyncio.gather(*(size() for _ in range(20))))) == 1
    assert count == 1


@pytest.mark.parametrize("path", ["api", "/api/", "/a//b", "/a/%41", "/a?b", "/{Id}", "/{id", ""])
def test_a_route_has_a_canonical_path(path: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        make("GET", path)


def test_a_route_names_only_problems_that_exist() -> None:
    with pytest.raises(ValueError, match="no-such"):
        make("GET", "/x", problems=("no-such", "busy"))


def test_the_implied_problems_exist() -> None:
    for names in openapi._BY_ACCESS.values():
        assert set(names) <= PROBLEMS.keys()
