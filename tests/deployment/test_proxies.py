"""Each proxy of deploy/, as its file says: the doctor finds nothing, stamps get through, mistakes are found."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.gateway.terminal import Terminal
from tests.servers.proxies import KINDS, NAME, Kind, Proxy, proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.deployment.conftest import Published, Ran
    from tests.gateway.house import House

Rows = dict[str, list[dict[str, str]]]


class Loopback(AbstractResolver):
    """Finds every name on this machine."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        assert host == NAME
        return [
            {
                "hostname": host,
                "host": "127.0.0.1",
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self) -> None:
        """Hold nothing."""


async def doctor(published: Published, running: Proxy, *options: str) -> Ran:
    return await asyncio.to_thread(published.shell.run, "doctor", "proxy", running.url, *running.options, *options)


@contextlib.contextmanager
def before(published: Published, kind: Kind, *changes: tuple[str, str]) -> Iterator[Proxy]:
    """Start the proxy with its file of deploy/, changed."""

    def change(text: str) -> str:
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        return text

    with proxy(kind, published.directory / kind, published.house.port, published.port, change) as running:
        yield running


async def examined(published: Published, running: Proxy) -> tuple[int, Rows]:
    """Return the doctor's exit code and rows."""
    ran = await doctor(published, running, "--json")
    found: dict[str, Any] = ran.json
    rows: Rows = {}
    for row in found["checks"]:
        rows.setdefault(row["about"], []).append(row)
    assert found["faults"] == sum(row["level"] == "fault" for row in found["checks"])
    return ran.code, rows


def faults(rows: Rows) -> set[str]:
    return {about for about, found in rows.items() if any(row["level"] == "fault" for row in found)}


async def stamp_through(running: Proxy, house: House) -> None:
    await house.person("1042")
    connector = aiohttp.TCPConnector(resolver=Loopback(), ssl=running.tls)
    async with aiohttp.ClientSession(connector=connector) as http:
        terminal = Terminal(http, running.url, house.clock)
        assert (await terminal.enrol(await house.code(allowed_networks=["127.0.0.1/32"]))).status == 201
        await house.approve(terminal)
        assert (await terminal.sign_in("1042", "907311")).status == 200
        assert (await terminal.act("clock_in")).status == 201
        elsewhere = await terminal.send(
            "GET",
            "/api/time/kiosk/device",
            b"",
            terminal.headers("GET", "/api/time/kiosk/device", nonce=await terminal.nonce())
            | {"X-Forwarded-For": "203.0.113.9", "Connection": "close, X-Forwarded-For"},
        )
        assert elsewhere.status == 200, elsewhere  # the proxy's word counts, not the terminal's
        (stamp,) = await house.stamps()
        assert (stamp.action, stamp.tier) == ("clock_in", "kiosk")


@pytest.mark.parametrize("kind", KINDS)
async def test_the_doctor_finds_nothing_wrong_and_signed_stamps_get_through(published: Published, kind: Kind) -> None:
    with before(published, kind) as running:
        code, rows = await examined(published, running)
        await stamp_through(running, published.house)
    assert (code, faults(rows)) == (0, set()), rows
    assert {row["level"] for found in rows.values() for row in found} == {"ok"}
    assert len(rows["target"]) >= 15
    for row in rows["target"]:  # all three hand on even what nobody may sign
        assert row["seen"] == row["sent"]
    assert rows["TLS"][0]["seen"] in ("TLSv1.2", "TLSv1.3")


@dataclass(frozen=True)
class Mistake:
    """Something changed in a file of deploy/, what the doctor finds by it, and a word of its advice on the first."""

    what: str
    changes: list[tuple[str, str]]
    found: list[str]
    advice: str


BAD: list[tuple[Kind, list[Mistake]]] = [
    (
        "nginx",
        [
            Mistake(
                "slashes merged and the target rebuilt",
                [
                    ("merge_slashes off;", "merge_slashes on;"),
                    ("proxy_pass http://stampgate;", "proxy_pass http://stampgate/;"),
                ],
                ["target"],
                "proxy_pass without a path",
            ),
            Mistake("the port lost from Host", [("$http_host", "$host")], ["Host", "authority"], "$http_host"),
            Mistake(
                "a client's word believed",
                [("proxy_set_header X-Forwarded-For $remote_addr;", "")],
                ["a forged address", "client address"],
                "$remote_addr",
            ),
            Mistake(
                "a small body limit",
                [("client_max_body_size 128k", "client_max_body_size 16k")],
                ["large body"],
                "128k",
            ),
        ],
    ),
    (
        "nginx",
        [
            Mistake(
                "HTTP/1.0 behind",
                [("proxy_http_version 1.1;", "proxy_http_version 1.0;")],
                ["version"],
                "1.1",
            ),
            Mistake(
                "pages of its own",
                [("proxy_intercept_errors off;", "proxy_intercept_errors on; error_page 401 503 /error.html;")],
                ["answer"],
                "proxy_intercept_errors",
            ),
        ],
    ),
    (
        "caddy",
        [
            Mistake(
                "a rewritten path",
                [("reverse_proxy 1", "uri strip_suffix /plain\n\treverse_proxy 1")],
                ["target"],
                "uri",
            ),
            Mistake(
                "another authority",
                [("lb_retries 0", "lb_retries 0\n\t\theader_up Host x.example")],
                ["authority", "Host"],
                "PUBLIC_URL",
            ),
            Mistake(
                "session tokens taken away",
                [("lb_retries 0", "lb_retries 0\n\t\theader_up -Authorization")],
                ["Authorization"],
                "header_up",
            ),
            Mistake("requests sent again", [("keepalive off", "keepalive 60s")], ["sent once"], "keepalive off"),
        ],
    ),
    (
        "haproxy",
        [
            Mistake(
                "a normalised path",
                [
                    (
                        "http-request set-header X",
                        "http-request set-path %[path,regsub(//,/)]\n    http-request set-header X",
                    )
                ],
                ["target"],
                "set-path",
            ),
            Mistake(
                "nobody's address told",
                [("http-request set-header X-Forwarded-For %[src]", "http-request del-header X-Forwarded-For")],
                ["client address"],
                "set-header X-Forwarded-For",
            ),
            Mistake(
                "requests sent again",
                [("retry-on conn-failure", "retry-on all-retryable-errors")],
                ["sent once"],
                "retry-on",
            ),
        ],
    ),
    (
        "haproxy",
        [Mistake("a short patience", [("timeout server 30s", "timeout server 1s")], ["patience"], "timeout server")],
    ),
]
"""Mistakes of one file that the doctor finds at different places, so that none can stand for another."""


@pytest.mark.parametrize(
    ("kind", "mistakes"), BAD, ids=[f"{kind}: {', '.join(one.what for one in mistakes)}" for kind, mistakes in BAD]
)
async def test_the_doctor_finds(published: Published, kind: Kind, mistakes: list[Mistake]) -> None:
    places = [about for mistake in mistakes for about in mistake.found]
    assert len(places) == len(set(places))
    with before(published, kind, *(change for mistake in mistakes for change in mistake.changes)) as running:
        code, rows = await examined(published, running)
    assert code == 1
    assert faults(rows) == set(places), rows
    for mistake in mistakes:
        found = [row for row in rows[mistake.found[0]] if row["level"] == "fault"]
        assert mistake.advice in " ".join(row["change"] for row in found), mistake.what


async def test_compressed_answers_are_worth_a_note(published: Published) -> None:
    gzip = ("gzip off;", "gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;")
    with before(published, "nginx", gzip) as running:
        code, rows = await examined(published, running)
    assert code == 0
    assert [row["level"] for row in rows["compression"]] == ["ok", "note"]


async def test_a_proxy_that_is_not_trusted_is_named_and_the_table_says_what_to_change(published: Published) -> None:
    addresses = published.house.gateway.addresses
    addresses._trusted = ()
    with before(published, "nginx", ("proxy_pass http://stampgate;", "proxy_pass http://stampgate/;")) as running:
        ran = await doctor(published, running)
    assert ran.code == 1
    assert "to be mended" in ran.err
    lines = ran.out.splitlines()
    (changed,) = [line for line in lines if "/a/../b" in line]
    assert changed.startswith("fault")
    assert "proxy_pass without a path" in changed
    (address,) = [line for line in lines if "client address" in line]
    assert address.startswith("fault")
    assert "STAMPGATE_TRUSTED_PROXIES=127.0.0.1" in address


async def test_a_gateway_that_is_away_a_stranger_and_a_bad_certificate_are_told_apart(published: Published) -> None:
    with proxy("nginx", published.directory / "nginx", 1, published.port) as running:
        away = await doctor(published, running)
        assert "is the gateway running" in away.out
        strange = await asyncio.to_thread(
            published.shell.run, "doctor", "proxy", running.url, "--connect", f"127.0.0.1:{running.port}"
        )
        assert "TLS: " in strange.out
    nowhere = await doctor(published, running)
    assert "reached" in nowhere.out
    assert {away.code, strange.code, nowhere.code} == {1}


def test_what_is_typed_wrongly_is_one_line(ready: Any) -> None:
    assert "public URL" in ready.refused("doctor", "proxy", "ftp://x", code=2)
    assert "--connect" in ready.refused("doctor", "proxy", "https://x.example", "--connect", "nowhere", code=2)
