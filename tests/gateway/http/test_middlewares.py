from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.http import bodies, health, openapi, problem_pages
from gateway.http.answers import json_response
from gateway.http.bodies import parse_query, read_body, read_json
from gateway.http.fields import PersonnelNumber, Pin, Token
from gateway.http.middlewares import REQUEST_ID, outer, request_id
from gateway.http.models import Answer, Body
from gateway.http.problems import Problem
from gateway.http.routes import ROUTES, Route, register
from gateway.metrics import Metrics
from tests.gateway.log_lines import LogLines, logging_configured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

PIN, NUMBER, TOKEN = "493817", "770042001", "tOkEn" * 8 + "abc"
SECRETS = (PIN, NUMBER, TOKEN, "secret")


class Login(Body):
    token: Token
    personnel_number: PersonnelNumber
    pin: Pin


class Search(Body):
    token: Token


class Name(Answer):
    name: str


class Clock:
    """A clock that a handler can push forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Gateway:
    """A running server with one route of each kind, and everything it logged and counted."""

    def __init__(self, port: int, lines: LogLines, metrics: Metrics) -> None:
        self.port = port
        self.lines = lines
        self.metrics = metrics

    async def send(self, raw: bytes | str) -> tuple[int, dict[str, str], bytes]:
        """Send raw bytes, return status, fields (lower-case names) and body of the first answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *fields = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            length = 0 if raw[:4] in (b"HEAD", "HEAD") else int(headers.get("content-length", 0))
            return int(status.split()[1]), headers, await reader.readexactly(length)
        finally:
            writer.close()

    async def get(self, target: str, method: str = "GET", *fields: str) -> tuple[int, dict[str, str], bytes]:
        lines = "".join(f"{field}\r\n" for field in fields)
        return await self.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n")

    async def post(
        self, target: str, body: bytes, content_type: str = "application/json", *fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        lines = "".join(f"{field}\r\n" for field in fields)
        lines += f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        head = f"POST {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n"
        return await self.send(head.encode("latin-1") + body)


def problem_of(answer: tuple[int, dict[str, str], bytes]) -> dict[str, Any]:
    status, headers, body = answer
    assert headers["content-type"] == "application/problem+json"
    document = json.loads(body)
    assert document["status"] == status
    assert document["request_id"] == headers["x-request-id"]
    assert isinstance(document, dict)
    return document


def routes(clock: Clock) -> list[Route]:
    async def login(request: web.Request) -> web.StreamResponse:
        body = await read_json(request, Login)
        raise Problem("login-failed", cause=f"wrong for a body of {len(body.pin)} digits")

    async def search(request: web.Request) -> web.StreamResponse:
        parse_query(Search, request)
        return json_response(Name(name="found"))

    async def person(request: web.Request) -> web.StreamResponse:
        assert request_id(request) == request[REQUEST_ID]
        return json_response(Name(name=request.match_info["id"]))

    async def raises(request: web.Request) -> web.StreamResponse:
        raise RuntimeError(f"{request.path_qs} {await request.text()} {PIN}")

    async def redirects(_: web.Request) -> web.StreamResponse:
        raise web.HTTPSeeOther("/elsewhere")

    async def waits(_: web.Request) -> web.StreamResponse:
        clock.now += 1.5
        return web.Response(text="late", headers={"Cache-Control": "private"})

    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RuntimeError(PIN)

    async def streams(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write_eof(b"whole")
        return response

    async def cancelled(_: web.Request) -> web.StreamResponse:
        raise asyncio.CancelledError

    async def reads(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await read_body(request, 100))

    def route(method: str, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Route:
        return Route(method=method, path=path, handler=handler, summary="x", tag="x", access="public")

    return [
        route("POST", "/api/login", login),
        route("GET", "/api/search", search),
        route("GET", "/api/people/{id}", person),
        route("GET", "/page/{id}", person),
        route("POST", "/api/raises", raises),
        route("GET", "/redirects", redirects),
        route("GET", "/api/waits", waits),
        route("GET", "/breaks-off", breaks_off),
        route("GET", "/streams", streams),
        route("GET", "/cancelled", cancelled),
        route("POST", "/reads", reads),
    ]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[LogLines]:
    with logging_configured(capsys) as lines:
        yield lines


@pytest.fixture
async def gateway(lines: LogLines) -> AsyncIterator[Gateway]:
    clock, metrics = Clock(), Metrics()
    app = web.Application(middlewares=[outer(metrics, monotonic=clock)])
    register(app, routes(clock))
    register(app, problem_pages.routes())
    register(app, health.routes({"database": lambda: asyncio.sleep(0)}))
    registered = app[ROUTES]
    register(app, [openapi.route(registered, "0.1.0")])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield Gateway(runner.addresses[0][1], lines, metrics)
    await runner.cleanup()


async def test_an_answer_carries_its_request_id_and_the_security_fields(gateway: Gateway) -> None:
    status, headers, body = await gateway.get("/api/people/7")
    assert (status, body) == (200, b'{"name":"7"}')
    assert headers["x-request-id"][14] == "7"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert gateway.lines.text() == ""


async def test_only_the_api_is_never_cached_and_a_route_may_say_otherwise(gateway: Gateway) -> None:
    assert "cache-control" not in (await gateway.get("/page/7"))[1]
    assert (await gateway.get("/api/waits"))[1]["cache-control"] == "private"


async def test_what_does_not_exist_is_a_problem(gateway: Gateway) -> None:
    assert problem_of(await gateway.get("/nothing"))["type"] == "/problems/not-found"
    answer = await gateway.get("/api/login", "PUT")
    assert problem_of(answer)["type"] == "/problems/method-not-allowed"
    assert answer[1]["allow"] == "POST"
    assert (await gateway.get("/nothing", "HEAD"))[0] == 404


async def test_a_public_page_answers_head(gateway: Gateway) -> None:
    assert (await gateway.get("/page/7", "HEAD"))[0] == 200


@pytest.mark.parametrize(
    "target",
    [
        "/api/people/7/../8",
        "/api/../page/7",
        "/%61pi/people/7",
        "/api/people/%37",
        "/api//people/7",
        "/api/people/7/",
        "/api/people/7?",
        "/api/people/7#x",
        "/api/./people/7",
        "/api/people/{id}",
        "/api/nothing/%00",
        "http://x/api/people/7",
        "/api/people/7;a=b",
    ],
)
async def test_a_target_under_api_that_is_not_canonical_is_refused_before_routing_counts(
    gateway: Gateway, target: str
) -> None:
    assert problem_of(await gateway.get(target))["type"] == "/problems/non-canonical-target"


@pytest.mark.parametrize("target", ["/page/../api/people/7", "/page/%2e%2e/api/people/7", "//api/people/7"])
async def test_a_detour_to_api_leads_nowhere(gateway: Gateway, target: str) -> None:
    assert problem_of(await gateway.get(target))["status"] in (400, 404)


async def test_pages_may_have_targets_of_any_form(gateway: Gateway) -> None:
    assert (await gateway.get("/page/%37"))[2] == b'{"name":"7"}'


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/json; charset=utf-16"])
async def test_a_body_that_is_not_said_to_be_json_is_415(gateway: Gateway, content_type: str) -> None:
    answer = await gateway.post("/api/login", b"{}", content_type)
    assert problem_of(answer)["type"] == "/problems/unsupported-media-type"


async def test_a_packed_body_is_415(gateway: Gateway) -> None:
    for coding in ("gzip", "identity", "br"):
        answer = await gateway.post("/reads", b"{}", "application/json", f"Content-Encoding: {coding}")
        assert answer[0] == 415 or (answer[0] == 400 and coding != "identity")


async def test_a_body_may_be_as_large_as_its_limit_and_no_larger(gateway: Gateway) -> None:
    assert (await gateway.post("/reads", b"x" * 100))[2] == b"x" * 100
    answer = await gateway.post("/reads", b"x" * 101)
    assert problem_of(answer)["type"] == "/problems/body-too-large"
    chunked = (
        "POST /reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + "x" * 101 + "\r\n0\r\n\r\n"
    )
    assert problem_of(await gateway.send(chunked))["status"] == 413
    huge = "POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
    assert problem_of(await gateway.send(huge))["status"] == 413


async def test_a_body_that_is_no_json_or_has_faults_is_400_with_every_fault(gateway: Gateway) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 4_000, b'{"pin":NaN}', b'{"a":"\\ud800"}'):
        assert problem_of(await gateway.post("/api/login", body))["type"] == "/problems/bad-request"
    document = problem_of(await gateway.post("/api/login", b'{"pin":"1","x":2}'))
    assert document["errors"] == [
        {"field": "token", "message": "is required"},
        {"field": "personnel_number", "message": "is required"},
        {"field": "pin", "message": "must be 6 to 12 digits"},
        {"field": "x", "message": "is not a known field"},
    ]


async def test_a_body_that_never_arrives_does_not_hold_its_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    head = "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    answer = await gateway.send(head)
    assert problem_of(answer)["type"] == "/problems/request-timeout"
    assert answer[1]["connection"] == "close"


@pytest.mark.parametrize(
    "value",
    [
        "application/json;" + "a=b;" * 1500,
        "application/json" + "(" * 500,
        "application/json; charset=latin-1",
        "text/plain",
        "application/json, application/json",
        "",
    ],
)
async def test_a_media_type_is_json_or_refused_without_being_parsed(gateway: Gateway, value: str) -> None:
    started = time.perf_counter()
    answer = await gateway.post("/api/login", b"{}", value)
    assert problem_of(answer)["type"] == "/problems/unsupported-media-type"
    assert time.perf_counter() - started < 0.2


@pytest.mark.parametrize(
    "value", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_in_any_spelling_is_read(gateway: Gateway, value: str) -> None:
    assert problem_of(await gateway.post("/api/login", b"{}", value))["type"] == "/problems/bad-request"


def test_nothing_runs_the_mail_header_parser_on_what_a_client_sent() -> None:
    package = Path(bodies.__file__).parent.parent
    for source in package.rglob("*.py"):
        text = source.read_text("utf-8")
        assert "request.content_type" not in text.replace("`request.content_type`", ""), source
        assert "request.charset" not in text, source


async def test_a_body_broken_on_its_way_is_no_failure_of_ours(gateway: Gateway) -> None:
    head = "POST /reads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert (await gateway.send(head + "zz\r\nnonsense\r\n"))[0] == 400


async def test_an_expectation_is_met_or_ignored(gateway: Gateway) -> None:
    assert (await gateway.get("/page/7", "GET", "Expect: secret"))[0] == 200
    assert (await gateway.post("/reads", b"x", "text/plain", "Expect: 100-continue"))[0] == 100


async def test_an_unexpected_exception_is_a_500_that_says_nothing_but_its_place_is_logged(
    gateway: Gateway,
) -> None:
    answer = await gateway.post("/api/raises?secret=1", PIN.encode())
    document = problem_of(answer)
    assert document["type"] == "/problems/internal-error"
    assert PIN.encode() not in answer[2]
    (event,) = gateway.lines.events()
    assert event["event"] == "failed"
    assert event["level"] == "error"
    assert event["route"] == "/api/raises"
    assert event["request_id"] == document["request_id"]
    assert "in raises" in event["exception"]
    assert event["exception"].endswith("builtins.RuntimeError")
    assert PIN not in json.dumps(event)


async def test_a_redirect_passes_as_it_is(gateway: Gateway) -> None:
    status, headers, _ = await gateway.get("/redirects")
    assert (status, headers["location"]) == (303, "/elsewhere")
    assert headers["x-content-type-options"] == "nosniff"
    assert gateway.lines.text() == ""


async def test_a_slow_request_is_logged_although_it_went_well(gateway: Gateway) -> None:
    await gateway.get("/api/waits")
    (event,) = gateway.lines.events()
    assert event["event"] == "slow request"
    assert event["duration_ms"] == 1500


async def test_half_an_answer_is_broken_off(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /breaks-off HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.endswith(b"4\r\nhalf\r\n")
    assert b"problem" not in answer
    assert PIN not in gateway.lines.text()


async def test_a_stream_that_has_begun_is_left_alone(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /streams HTTP/1.0\r\nHost: x\r\n\r\n")
    assert (await reader.read()).endswith(b"whole")
    writer.close()


async def test_a_cancelled_handler_stays_cancelled(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /cancelled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    assert gateway.metrics.registry.get_sample_value("stampgate_refusals_total", {"problem": "internal-error"}) is None


async def test_a_client_that_left_is_counted_and_not_reported(gateway: Gateway) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"POST /reads HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhalf")
    await writer.drain()
    writer.transport.abort()
    labels = {"route": "/reads", "method": "POST", "status": "499"}
    async with asyncio.timeout(5):
        while gateway.metrics.registry.get_sample_value("stampgate_requests_total", labels) != 1:  # noqa: ASYNC110 no event
            await asyncio.sleep(0.01)
    assert "internal-error" not in gateway.lines.text()


async def test_refusals_are_logged_and_counted_by_route_template_and_problem(gateway: Gateway) -> None:
    await gateway.get("/api/search?token=short")
    await gateway.get("/nothing/here")
    (first, second) = gateway.lines.events()
    assert first["event"] == "refused"
    assert first["level"] == "info"
    assert (first["method"], first["route"], first["status"]) == ("GET", "/api/search", 400)
    assert (first["problem"], first["cause"]) == ("bad-request", "1 faults: token")
    assert second["route"] == "unmatched"
    value = gateway.metrics.registry.get_sample_value
    assert value("stampgate_refusals_total", {"problem": "bad-request"}) == 1
    assert value("stampgate_requests_total", {"route": "unmatched", "method": "GET", "status": "404"}) == 1


async def test_no_pin_token_number_or_query_ever_reaches_the_log(gateway: Gateway) -> None:
    query = f"?token={TOKEN}&pin={PIN}&secret"
    for target in (
        "/api/search",
        "/api/login",
        f"/api/people/{PIN}/../x",
        f"/stamp/{TOKEN}",
        "/api/waits",
        "/page/%zz",
    ):
        for method in ("GET", "PUT", "POST", "HEAD", f"X{PIN}"):
            await gateway.get(target + query, method, f"Authorization: Bearer {TOKEN}", f"Cookie: a={TOKEN}")
    values: list[object] = [PIN, NUMBER, TOKEN, [PIN], {PIN: TOKEN}, None, int(PIN), float(NUMBER)]
    for field in ("token", "personnel_number", "pin", PIN, TOKEN, "secret"):
        for value in values:
            good = {"token": TOKEN, "personnel_number": NUMBER, "pin": PIN}
            await gateway.post("/api/login" + query, json.dumps({**good, field: value}).encode())
    await gateway.post("/api/login", f"pin={PIN}".encode(), f"text/{TOKEN}")
    await gateway.post("/api/raises" + query, PIN.encode())
    # What the HTTP parser itself refuses: its errors quote the request.
    for raw in (
        f"GET /api/search{query}\x01 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /{PIN} {TOKEN} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\n{TOKEN}\x00: {PIN}\r\n\r\n",
        f"GET /{PIN}{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"{PIN}{TOKEN}\r\n\r\n",
    ):
        assert (await gateway.send(raw))[0] == 400
    text = gateway.lines.text()
    assert text.count('"refused"') > 50
    assert '"failed"' in text
    for secret in SECRETS:
        assert secret not in text


async def test_the_parser_refusals_are_not_shouted_about(gateway: Gateway) -> None:
    await gateway.send(f"GET / {PIN} HTTP/1.1\r\n\r\n")
    (event,) = gateway.lines.events()
    assert (event["event"], event["level"], event["status"]) == ("refused", "info", 400)
    assert event["cause"] == "BadStatusLine"
    assert logging.getLogger("aiohttp.access").disabled
