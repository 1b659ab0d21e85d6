"""The short way of a connection against aiohttp's own: the same answers, counts and log lines, whatever is sent."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from gateway.application import make_application
from gateway.http.bodies import BODY_LIMIT
from gateway.http.connections import SHORT_WAYS, Runner, ShortWays
from gateway.http.middlewares import Outer
from gateway.http.plain import PlainAnswer, PlainRequest
from gateway.http.plain_handler import PlainHandler
from gateway.http.problems import Problem
from gateway.http.routes import Route, register
from gateway.metrics import Metrics
from tests.gateway.log_lines import LogLines, logging_configured
from tests.samples import samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.gateway.house import House

ANSWER_SECONDS = 10.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Watched(PlainHandler):
    """Counts what comes aiohttp's way."""

    __slots__ = ("long",)

    def __init__(self, rule: Callable[..., Any]) -> None:
        super().__init__(rule)
        self.long = 0

    async def handle(self, request: web.Request) -> web.Response:
        self.long += 1
        return await super().handle(request)


class Site:
    """A server with a route of each kind, reached with or without the short way."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.port = 0
        self.handled = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.handlers = {
            ("POST", "/api/echo"): Watched(self._echo),
            ("GET", "/api/echo"): Watched(self._echo),
            ("POST", "/api/waits"): Watched(self._waits),
            ("POST", "/api/nothing"): Watched(self._nothing),
            ("GET", "/api/refused"): Watched(self._refused),
            ("GET", "/api/closes"): Watched(self._closes),
            ("GET", "/api/breaks"): Watched(self._breaks),
            ("GET", "/api/odd"): Watched(self._odd),
        }

    def routes(self) -> list[Route]:
        return [
            Route(method=method, path=path, handler=handler, summary="", tag="", access="signed")
            for (method, path), handler in self.handlers.items()
        ]

    @property
    def long(self) -> int:
        return sum(handler.long for handler in self.handlers.values())

    async def _echo(self, request: PlainRequest) -> PlainAnswer:
        self.handled += 1
        seen = [request.method, request.raw_path, request.body.decode("latin-1"), request.remote]
        fields = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.raw_headers]
        return PlainAnswer(201, json.dumps([seen, fields, dict(request.headers)]).encode(), {"Replay-Nonce": "n"})

    async def _waits(self, request: PlainRequest) -> PlainAnswer:
        self.begun.set()
        await self.go_on.wait()
        return await self._echo(request)

    async def _nothing(self, _: PlainRequest) -> PlainAnswer:
        return PlainAnswer(204)

    async def _refused(self, _: PlainRequest) -> PlainAnswer:
        raise Problem("busy", retry_after=3, headers={"Replay-Nonce": "n"}, cause="no room")

    async def _closes(self, _: PlainRequest) -> PlainAnswer:
        raise Problem("bad-request", headers={"Connection": "close"})

    async def _breaks(self, _: PlainRequest) -> PlainAnswer:
        raise RuntimeError("secret")

    async def _odd(self, _: PlainRequest) -> PlainAnswer:
        return PlainAnswer(200, b"{}", {"X-Odd": "one\r\nSet-Cookie: two"})


@asynccontextmanager
async def running(*, short: bool, **options: Any) -> AsyncIterator[tuple[Site, web.AppRunner]]:
    site = Site()
    outer = Outer(site.metrics, monotonic=lambda: 1.0)
    app = web.Application(middlewares=[outer.middleware()], client_max_size=BODY_LIMIT + 1)
    register(app, site.routes())
    ways = ShortWays(outer, site.metrics, site.routes())
    app[SHORT_WAYS] = ways
    make = Runner if short else web.AppRunner
    runner = make(app, access_log=None, auto_decompress=False, **options)
    await runner.setup()
    try:
        server = web.TCPSite(runner, "127.0.0.1", 0)
        await server.start()
        site.port = runner.addresses[0][1]
        yield site, runner
    finally:
        site.go_on.set()
        await runner.cleanup()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[LogLines]:
    with logging_configured(capsys) as made:
        yield made


def post(path: str, body: bytes = b"{}", *fields: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def get(path: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/{version}", "Host: x", *fields, "", ""]).encode("latin-1")


ORDINARY = {
    "a body": post("/api/echo"),
    "an empty body": post("/api/echo", b""),
    "no body": get("/api/echo"),
    "a field twice": get("/api/echo", "X-A: 1", "x-a: 2", "X-A: \xe4"),
    "no content": post("/api/nothing"),
    "a refusal": get("/api/refused"),
    "a failure": get("/api/breaks"),
    "a connection to close after it": get("/api/closes"),
    "said to be kept alive": get("/api/echo", "Connection: keep-alive"),
}

UNUSUAL = {
    "HTTP/1.0": post("/api/echo", version="1.0"),
    "HTTP/1.0 kept alive": get("/api/echo", "Connection: keep-alive", version="1.0"),
    "a connection to close": get("/api/echo", "Connection: close"),
    "a connection to close for a proxy": get("/api/echo", "Proxy-Connection: close"),
    "an expectation": post("/api/echo", b"{}", "Expect: 100-continue"),
    "another expectation": post("/api/echo", b"{}", "Expect: a miracle"),
    "chunks": post("/api/echo", b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    + b"2\r\n{}\r\n0\r\n\r\n",
    "a coding": post("/api/echo", b"{}", "Content-Encoding: gzip"),
    "a query": get("/api/echo?a=b"),
    "an empty query": get("/api/echo?"),
    "another spelling": get("/api/%65cho"),
    "an absolute target": get("http://x/api/echo"),
    "an upgrade": get("/api/echo", "Connection: upgrade", "Upgrade: websocket"),
    "another method": get("/api/echo", method="DELETE"),
    "HEAD": get("/api/echo", method="HEAD"),
    "another path": get("/api/nowhere"),
    "no host": b"GET /api/echo HTTP/1.1\r\n\r\n",
    "two lengths": post("/api/echo", b"{}", "Content-Length: 3"),
    "no request": b"\x16\x03\x01 hello\r\n\r\n",
    "too much": post("/api/echo", b" " * (BODY_LIMIT + 1)),
    "as much as may be": post("/api/echo", b" " * BODY_LIMIT),
}


def without_chance(answer: bytes) -> Any:
    """Take an answer apart; what is drawn or read from a clock is left out."""
    continued, goes_on, rest = answer.partition(CONTINUE)
    if goes_on:
        return CONTINUE, continued, without_chance(rest)
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.decode("latin-1").split("\r\n")
    known = [field for field in fields if not field.startswith(("X-Request-Id: ", "Date: "))]
    names = sorted(field.partition(":")[0] for field in fields)
    text = body.decode("latin-1")
    if "application/problem+json" in head.decode("latin-1") and text:
        document = json.loads(text)
        assert f"X-Request-Id: {document.pop('request_id')}" in fields
        # The request's id has one length, so the length of the document is compared as well.
        return status, sorted(known), names, document
    return status, sorted(known), names, text


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection whose other end waits for a request already, as it does for all but the very first."""
    streams = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.sleep(0.005)
    return streams


async def exchange(port: int, data: bytes, before: bytes = b"") -> bytes:
    """Send `data` on a fresh connection, or after the answer to `before`, and return the answer."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(port)
        try:
            if before:
                writer.write(before)
                answer = await reader.read(65536)
                while not _is_whole(answer, before):
                    answer += await reader.read(65536)
            writer.write(data)
            answer = await reader.read(65536)
            while b"Content-Length: " in answer and not _is_whole(answer, data):
                answer += await reader.read(65536)
            return answer
        finally:
            writer.close()


def _is_whole(answer: bytes, request: bytes) -> bool:
    answer = answer.removeprefix(CONTINUE)
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end or request.startswith(b"HEAD"):
        return bool(end)
    return len(body) >= int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)


def told(lines: LogLines) -> list[dict[str, Any]]:
    chance = ("timestamp", "request_id", "exception")
    return [{name: value for name, value in event.items() if name not in chance} for event in lines.events()]


def counted(metrics: Metrics) -> set[tuple[str, tuple[tuple[str, str], ...], float]]:
    return {
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.value and not sample.name.endswith("_created")
    }


BEFORE = pytest.mark.parametrize(
    "before",
    [b"", get("/api/echo"), get("/api/echo?before")],
    ids=["at first", "after the ordinary", "after the unusual"],
)
"""What was sent on the connection before: from the first unusual request on, aiohttp's parser reads all."""


@BEFORE
async def test_both_ways_answer_count_and_log_alike(before: bytes, lines: LogLines) -> None:
    """Each case on a connection of its own; the counts are those of all cases so far."""
    async with running(short=True) as (short, _), running(short=False) as (long, _):
        for name, data in (ORDINARY | UNUSUAL).items():
            outcomes = []
            for site in (short, long):
                answer = await exchange(site.port, data, before)
                outcomes.append((without_chance(answer), counted(site.metrics), told(lines), site.handled))
            assert outcomes[0] == outcomes[1], name


@BEFORE
async def test_the_ordinary_takes_the_short_way(before: bytes, lines: LogLines) -> None:
    async with running(short=True) as (site, _):
        for name, data in ORDINARY.items():
            so_far = site.long
            await exchange(site.port, data, before)
            assert site.long - so_far == (b"?" in before), name


@pytest.mark.parametrize("name", [name for name in ORDINARY if name != "a field twice"])
async def test_until_something_unusual_came_no_parser_sees_a_byte(
    name: str, lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(short=True) as (site, _), asyncio.timeout(ANSWER_SECONDS):
        expected = without_chance(await exchange(site.port, ORDINARY[name]))
        monkeypatch.setattr(web.RequestHandler, "data_received", lambda *_: pytest.fail("the parser was fed"))
        assert without_chance(await exchange(site.port, ORDINARY[name])) == expected


KEPT_OPEN = [data for name, data in ORDINARY.items() if name != "a connection to close after it"] + [
    UNUSUAL[name] for name in ("chunks", "a coding", "a query", "another spelling", "another path")
]


async def test_wherever_a_connection_is_cut_its_requests_are_answered_alike(lines: LogLines) -> None:
    """Several requests, their bytes arriving in pieces that begin and end anywhere: each may hold parts of two."""
    async with running(short=True) as (short, _), running(short=False) as (long, _):
        for seed in range(samples(20)):
            chance = random.Random(seed)
            stream = b"".join(chance.choice(KEPT_OPEN) for _ in range(6))
            stream += chance.choice([get("/api/closes"), UNUSUAL["a connection to close"]])
            cuts = sorted(chance.choices(range(len(stream)), k=chance.choice([0, 2, 8])))
            ends = [0, *cuts, *([] if chance.random() < 0.5 else _ends_of_requests(stream)), len(stream)]
            outcomes = [await _in_pieces(site.port, stream, sorted(set(ends))) for site in (short, long)]
            assert len(outcomes[0]) == 7, seed
            assert outcomes[0] == outcomes[1], seed


async def _in_pieces(port: int, stream: bytes, ends: list[int]) -> list[Any]:
    """Send `stream` on a fresh connection, cut at `ends`, and return its answers."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(port)
        for start, end in itertools.pairwise(ends):
            writer.write(stream[start:end])
            await writer.drain()
            await asyncio.sleep(0.002)
        answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
        writer.close()
    return [without_chance(b"HTTP/1.1 " + answer) for answer in answers]


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /api/refused HTTP/1.1\r\nHost: x\r\nX-Begun: ",
        b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(get("/api/echo")),
        b"POST /api/echo?a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(get("/api/echo")),
        b"POST /api/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(get("/api/echo")),
        b"GET",
        b"\r\n",
    ],
    ids=["a field", "a body", "another's body", "a chunk", "a method", "an empty line"],
)
async def test_what_looks_like_a_request_inside_another_is_a_part_of_it(begun: bytes, lines: LogLines) -> None:
    outcomes = []
    for short in (True, False):
        async with running(short=short) as (site, _), asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await connected(site.port)
            for piece in (begun, get("/api/echo"), b"\r\n0\r\n\r\n" if b"chunked" in begun else b""):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            outcomes.append((without_chance(await reader.read(65536)), counted(site.metrics), site.handled))
            writer.close()
    assert outcomes[0] == outcomes[1]


def _ends_of_requests(stream: bytes) -> list[int]:
    return [found.start() for found in re.finditer(rb"(GET|POST) /", stream)]


@pytest.mark.parametrize(
    "name", ["HTTP/1.0", "a connection to close", "an expectation", "chunks", "a coding", "a query", "an upgrade"]
)
async def test_the_unusual_goes_the_way_of_aiohttp(name: str, lines: LogLines) -> None:
    async with running(short=True) as (site, _):
        await exchange(site.port, UNUSUAL[name])
        assert site.long == 1


async def test_a_body_that_comes_later_goes_the_way_of_aiohttp(lines: LogLines) -> None:
    async with running(short=True) as (site, _), asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(site.port)
        head, _, body = post("/api/echo", b'{"a": 1}').partition(b"\r\n\r\n")
        for part in (head[:10], head[10:] + b"\r\n\r\n", body):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.05)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201")
        assert site.long == 1
        writer.close()


@pytest.mark.parametrize("short", [True, False])
async def test_requests_sent_before_the_last_was_answered_are_answered_in_their_order(
    short: bool, lines: LogLines
) -> None:
    async with running(short=short) as (site, _), asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(site.port)
        for round_ in range(3):
            writer.write(post("/api/waits", b"first"))
            await site.begun.wait()
            for part in (post("/api/echo", b"second"), post("/api/nothing"), post("/api/echo", b"third")[:20]):
                writer.write(part)
                await asyncio.sleep(0.02)
            assert site.handled == round_ * 3
            site.go_on.set()
            writer.write(post("/api/echo", b"third")[20:])
            bodies = []
            for _ in range(4):
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]
                bodies.append(json.loads(await reader.readexactly(int(length)))[0][2] if length else None)
            assert bodies == ["first", "second", None, "third"]
            site.go_on.clear()
            site.begun.clear()
        writer.close()


@pytest.mark.parametrize("short", [True, False])
async def test_whoever_hangs_up_disturbs_nobody(short: bool, lines: LogLines) -> None:
    async with running(short=short) as (site, _), asyncio.timeout(ANSWER_SECONDS):
        _, writer = await connected(site.port)
        writer.write(post("/api/waits"))
        await site.begun.wait()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        site.go_on.set()
        assert b" 201 " in await exchange(site.port, post("/api/echo"))
        assert site.handled == 2
        assert ("stampgate_requests_total", (("method", "POST"), ("route", "/api/waits"), ("status", "201")), 1.0) in (
            counted(site.metrics)
        )
    assert told(lines) == []


@pytest.mark.parametrize("short", [True, False])
async def test_a_request_under_way_is_finished_when_the_server_ends(short: bool, lines: LogLines) -> None:
    async with running(short=short, shutdown_timeout=ANSWER_SECONDS) as (site, runner), asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(site.port)
        writer.write(post("/api/waits"))
        await site.begun.wait()
        ending = asyncio.create_task(runner.cleanup())
        await asyncio.sleep(0.05)
        assert not ending.done()
        site.go_on.set()
        await ending
        assert (await reader.read()).startswith(b"HTTP/1.1 201")
        writer.close()


@pytest.mark.parametrize("short", [True, False])
async def test_a_request_that_takes_too_long_does_not_hold_the_end_up(short: bool, lines: LogLines) -> None:
    async with running(short=short, shutdown_timeout=0.1) as (site, runner), asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(site.port)
        writer.write(post("/api/waits"))
        await site.begun.wait()
        await runner.cleanup()
        assert await reader.read() == b""
        site.go_on.set()
        await asyncio.sleep(0.05)
        assert site.handled == 0
        writer.close()


@pytest.mark.parametrize("short", [True, False])
async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(short: bool, lines: LogLines) -> None:
    async with running(short=short, keepalive_timeout=0.1) as (site, _), asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await connected(site.port)
        writer.write(post("/api/waits"))
        await site.begun.wait()
        await asyncio.sleep(0.35)
        site.go_on.set()
        assert b" 201 " in await reader.readuntil(b"\r\n\r\n")
        await reader.read()  # returns when the other end closes
        writer.close()


async def test_a_field_of_two_lines_is_never_sent(lines: LogLines) -> None:
    async with running(short=True) as (site, _):
        assert b"Set-Cookie" not in await exchange(site.port, get("/api/odd"))


async def test_all_a_terminal_asks_for_signed_can_be_had_the_short_way(house: House) -> None:
    ways = make_application(house.gateway)[SHORT_WAYS].by_route
    assert {path for _, path in ways} == {
        f"/api/time/kiosk/{name}"
        for name in (
            "enrolments",
            "device",
            "heartbeat",
            "auth",
            "status",
            "days",
            "action",
            "pin",
            "logout",
            "device/key",
        )
    }
