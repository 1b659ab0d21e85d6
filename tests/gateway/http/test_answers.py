"""JSON answers over a raw socket: the short way out says the same as aiohttp's own, whatever the connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from gateway.http.answers import JsonAnswer
from tests.gateway.raw_http import read_reply, send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = b'{"state":"in"}'


async def short(_: web.Request) -> web.Response:
    return JsonAnswer(BODY, 201, {"Replay-Nonce": "n"})


async def long(_: web.Request) -> web.Response:
    return web.Response(body=BODY, status=201, headers={"Replay-Nonce": "n", "Content-Type": "application/json"})


async def with_cookie(_: web.Request) -> web.Response:
    answer = JsonAnswer(BODY)
    answer.set_cookie("name", "value")
    return answer


async def injected(_: web.Request) -> web.Response:
    return JsonAnswer(BODY, 200, {"X-Any": "a\r\nX-More: b"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = web.Application()
    for path, handler in (("/short", short), ("/long", long), ("/injected", injected), ("/cookie", with_cookie)):
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1]
    await runner.cleanup()


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.1", ""),
        ("1.1", "Connection: close\r\n"),
        ("1.0", ""),
        ("1.0", "Connection: keep-alive\r\n"),
    ],
)
async def test_says_the_same_as_any_other_answer(port: int, version: str, fields: str) -> None:
    replies = [
        await send(port, f"GET {path} HTTP/{version}\r\nHost: a\r\n{fields}\r\n".encode())
        for path in ("/short", "/long")
    ]
    for reply in replies:
        assert reply.headers.pop("date").endswith(" GMT")
    assert replies[0] == replies[1]
    assert replies[0].body == {"state": "in"}


async def test_a_head_request_gets_no_body(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HEAD /short HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
    assert answer.endswith(b"\r\n\r\n")


async def test_a_connection_stays_open_for_the_next_and_answers_keep_their_order(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    replies = [await read_reply(reader) for _ in range(3)]
    writer.close()
    assert [(reply.status, reply.body) for reply in replies] == [(201, {"state": "in"})] * 3
    assert all("connection" not in reply.headers for reply in replies)


async def test_a_cookie_is_not_forgotten(port: int) -> None:
    reply = await send(port, b"GET /cookie HTTP/1.1\r\nHost: a\r\n\r\n")
    assert reply.headers["set-cookie"].startswith("name=value")


async def test_a_line_break_never_makes_a_second_field(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /injected HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(4096), 10)
    writer.close()
    assert b"\nX-More" not in answer
