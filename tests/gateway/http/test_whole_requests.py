"""What is read without a parser, aiohttp's parser reads alike: thousands of requests that are nearly ordinary."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpRequestParser
from aiohttp.http_writer import HttpVersion11

from crypto.message_signatures.header_lines import USUAL_NAMES
from gateway.http.connections import NOT_READ_WHOLE
from gateway.http.whole_requests import BYTES_AT_MOST, FIELDS_AT_MOST, read_whole
from tests.samples import samples

if TYPE_CHECKING:
    from gateway.http.whole_requests import Fields

LINE: Final = b"POST /api/echo HTTP/1.1\r\n"
BODY: Final = b'{"action": "clock_in"}'
ORDINARY: Final = [
    b"Host: stamp.example.com",
    b"User-Agent: stampgate-kiosk",
    b"Content-Digest: sha-256=:X3LtoQUtZOmwS74rVrb553gHasDF8dyRwV/Q38B/org=:",
    b'Signature-Input: sig=("@method" "@path");created=1795716473;nonce="AQFr";tag="stampgate-kiosk"',
    b"Content-Type: application/json",
    b"Content-Length: 22",
]
ODD_LINES: Final = [
    *(b"", b" ", b"X", b"X:", b": x", b":", b"X : y", b" X: y", b"\tX: y", b"X: a\r\n b", b"X: a\n b", b"X\xe4: y"),
    *(b"X: \xe4\xff", b"X: a\x00b", b"X: a\x7fb", b"X: \x0b", b"X:\t y \t", b"X: a\rb", b"X: a\nHost: y"),
    *(b"Content-Length: 22", b"Content-Length: 022", b"Content-Length: +22", b"Content-Length: 22, 22"),
    *(b"Content-Length: 21", b"Content-Length:22", b"content-length: 22 ", b"Transfer-Encoding: chunked"),
    *(b"Connection: close", b"Connection: keep-alive", b"Connection: x", b"Connection: upgrade", b"Upgrade: websocket"),
    *(b"Proxy-Connection: close", b"proxy-connection: keep-alive"),
    *(b"Expect: 100-continue", b"Content-Encoding: gzip", b"Host: other", b"hOST: other", b"Sec-WebSocket-Key1: x"),
    *(b"X-Forwarded-For: 203.0.113.7", b"x-forwarded-for: 203.0.113.8"),
]
BYTES: Final = b'\r\n\t :\x00\x0b\x7f\x80\xffaA0,;="(){}'


def by_aiohttp(loop: asyncio.AbstractEventLoop, data: bytes) -> tuple[Fields, bytes] | None:
    """Return what aiohttp's parser reads if it is one whole request that it would not treat in any special way."""
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16, auto_decompress=False)
    ((message, payload),), upgraded, tail = parser.feed_data(data)
    assert not (upgraded or tail or message.upgrade or message.chunked or message.should_close or message.compression)
    assert (message.method, message.path, message.version) == ("POST", "/api/echo", HttpVersion11)
    body = payload.read_nowait() if payload.is_eof() else None
    assert body is not None, "the body is not there"
    return list(message.raw_headers), body


def made(fields: list[bytes], body: bytes = BODY) -> bytes:
    return LINE + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def altered(chance: random.Random) -> bytes:
    fields, body = ORDINARY.copy(), BODY
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        at = chance.randrange(len(fields) + 1)
        match chance.randrange(4):
            case 0:
                fields[at:at] = [chance.choice(ODD_LINES)]
            case 1:
                fields[at : at + 1] = [chance.choice(ODD_LINES)]
            case 2:
                fields[at : at + 1] = []
            case _:
                body = chance.choice([b"", b"{}", BODY + b"\r\n", BODY + LINE, b"\r\n\r\n", BODY])
    data = bytearray(made(fields, body))
    for _ in range(chance.choice([0, 0, 1, 2])):
        at = chance.randrange(len(LINE), len(data))
        data[at : at + chance.choice([0, 1, 1, 2])] = bytes(chance.choices(BYTES, k=chance.choice([0, 1, 1, 2])))
    return bytes(data)


async def test_what_is_read_here_aiohttp_reads_alike() -> None:
    chance, loop, accepted = random.Random(20261126), asyncio.get_running_loop(), 0
    drawn = samples(6_000)
    for _ in range(drawn):
        data = altered(chance)
        ours = read_whole(data, NOT_READ_WHOLE)
        if ours is not None:
            accepted += 1
            assert ours == by_aiohttp(loop, data), data
    assert drawn / 5 < accepted < drawn * 4 / 5


@pytest.mark.parametrize("odd", sorted({*ODD_LINES} - {b"X:", b"X: \xe4\xff", b"X:\t y \t", b"Connection: keep-alive"}))
def test_what_is_odd_is_left_for_the_parser(odd: bytes) -> None:
    fields = [*ORDINARY[:-1], b"X-Forwarded-For: 203.0.113.9", ORDINARY[-1]]
    assert read_whole(made(fields), NOT_READ_WHOLE) is not None
    assert read_whole(made([*fields[:3], odd, *fields[3:]]), NOT_READ_WHOLE) is None
    if not odd.lower().startswith(b"x-forwarded-for"):  # odd because it is there twice
        assert read_whole(made([*ORDINARY[:3], odd, *ORDINARY[3:]]), NOT_READ_WHOLE) is None


def test_what_terminals_send_every_time_has_no_meaning_of_its_own() -> None:
    assert NOT_READ_WHOLE.isdisjoint(name.lower() for name in USUAL_NAMES)


def test_a_body_is_exactly_as_long_as_is_said() -> None:
    for body in (BODY[:-1], BODY + b" ", b"", BODY + made(ORDINARY)):
        assert read_whole(made(ORDINARY, body), NOT_READ_WHOLE) is None
    assert read_whole(made(ORDINARY[:-1]), NOT_READ_WHOLE) is None
    assert read_whole(made(ORDINARY[:-1], b""), NOT_READ_WHOLE) is not None


def test_nothing_is_read_before_all_of_it_is_there() -> None:
    whole = made(ORDINARY)
    assert read_whole(whole, NOT_READ_WHOLE) is not None
    assert [end for end in range(len(whole)) if read_whole(whole[:end], NOT_READ_WHOLE) is not None] == []


def test_only_what_is_within_all_limits_of_aiohttp_is_read() -> None:
    def of_size(total: int) -> bytes:
        return made([*ORDINARY, b"X: " + b"x" * (total - len(made([*ORDINARY, b"X: "])))])

    assert len(of_size(BYTES_AT_MOST)) == BYTES_AT_MOST
    assert read_whole(of_size(BYTES_AT_MOST), NOT_READ_WHOLE) is not None
    assert read_whole(of_size(BYTES_AT_MOST + 1), NOT_READ_WHOLE) is None
    many = [*ORDINARY, *(b"X%d:" % number for number in range(FIELDS_AT_MOST - len(ORDINARY) - 1))]
    assert read_whole(made(many), NOT_READ_WHOLE) is not None
    assert read_whole(made([*many, b"Y:", b"Z:"]), NOT_READ_WHOLE) is None
