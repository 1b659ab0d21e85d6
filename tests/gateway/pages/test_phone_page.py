"""The phone page as a client without a browser sees it: addresses, header fields, languages, size."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

from gateway.http.routes import register
from gateway.pages import phone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeAlias

    from aiohttp.test_utils import TestClient
    from pytest_aiohttp.plugin import AiohttpClient

    Client: TypeAlias = TestClient[web.Request, web.Application]

PAGE_BYTES = 50_000
"""What page, style sheet, script and icon may weigh together, unpacked."""

PACKED_BYTES = 17_000
"""The same as nearly every browser gets it."""


@pytest.fixture
async def client(aiohttp_client: AiohttpClient) -> Client:
    app = web.Application()
    register(app, phone.routes())
    return await aiohttp_client(app)


@pytest.fixture
async def raw(client: Client) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that takes what is packed as it comes."""
    async with aiohttp.ClientSession(client.make_url("/"), auto_decompress=False) as session:
        yield session


class _Addresses(HTMLParser):
    """Collects what the page loads, and whatever a strict Content-Security-Policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        if tag in ("link", "script", "img"):
            self.loaded.append(fields.get("href") or fields.get("src") or "")
        if tag == "style" or (tag == "script" and "src" not in fields):
            self.inline.append(tag)
        self.inline += [f"{tag} {name}" for name in fields if name == "style" or name.startswith("on")]


def _read(page: str) -> _Addresses:
    addresses = _Addresses()
    addresses.feed(page)
    return addresses


async def test_the_page_is_kept_by_nobody_framed_by_nobody_and_tells_no_address(
    client: Client,
) -> None:
    answer = await client.get("/stamp")
    assert answer.status == 200
    assert answer.content_type == "text/html"
    assert answer.headers["Content-Security-Policy"] == (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("language", ["en", "de"])
async def test_the_page_holds_nothing_inline_and_loads_only_its_own_files(client: Client, language: str) -> None:
    addresses = _read(await (await client.get("/stamp", params={"lang": language})).text())
    assert addresses.inline == []
    assert len(addresses.loaded) == 3
    for address in addresses.loaded:
        assert re.fullmatch(r"/static/stamp\.(css|js|svg)\?v=[0-9a-f]{16}", address)


async def test_everything_the_page_needs_weighs_less_than_50_kilobytes(
    client: Client,
) -> None:
    page = await (await client.get("/stamp", params={"lang": "de"})).read()
    parts = [await (await client.get(address)).read() for address in _read(page.decode()).loaded]
    assert len(page) + sum(map(len, parts)) < PAGE_BYTES


async def test_what_is_the_same_for_everybody_is_packed_for_browsers_that_take_it(
    client: Client, raw: aiohttp.ClientSession
) -> None:
    page, total = await (await client.get("/stamp?lang=de")).text(), 0
    for address in ("/stamp?lang=de", *_read(page).loaded):
        plain = await raw.get(address, headers={"Accept-Encoding": "br, gzip;q=0"})
        packed = await raw.get(address, headers={"Accept-Encoding": "br;q=1.0, GZIP;q=0.5"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert packed.headers["Vary"] == plain.headers["Vary"]
        body = await packed.read()
        assert gzip.decompress(body) == await plain.read()
        total += len(body)
    assert total < PACKED_BYTES


async def test_a_file_may_be_kept_for_ever_only_under_its_own_version(
    client: Client,
) -> None:
    page = await (await client.get("/stamp")).text()
    for address in _read(page).loaded:
        assert "immutable" in (await client.get(address)).headers["Cache-Control"]
        for other in (address.partition("?")[0], f"{address}0"):
            assert (await client.get(other)).headers["Cache-Control"] == "no-cache"


async def test_files_are_sent_as_what_they_are(client: Client) -> None:
    types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for suffix, content_type in types.items():
        answer = await client.get(f"/static/stamp.{suffix}")
        assert answer.content_type == content_type
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_page_speaks_the_language_of_the_browser_unless_the_address_asks_for_another(
    client: Client,
) -> None:
    german = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}
    answer = await client.get("/stamp", headers=german)
    assert answer.headers["Content-Language"] == "de"
    assert answer.headers["Vary"] == "Accept-Language, Accept-Encoding"
    assert '<html lang="de">' in (page := await answer.text())
    assert "Personalnummer" in page
    assert "Personnel number" not in page
    assert "Personnel number" in await (await client.get("/stamp?lang=en", headers=german)).text()


async def test_a_token_in_the_query_of_an_older_poster_is_not_repeated_in_the_page(
    client: Client,
) -> None:
    answer = await client.get("/stamp", params={"t": "<b>a-token</b>", "lang": "<b>de</b>"})
    assert answer.status == 200
    assert "a-token" not in await answer.text()
    assert "a-token" not in str(answer.headers)


async def test_without_javascript_the_page_says_what_to_do(client: Client) -> None:
    page = await (await client.get("/stamp?lang=en")).text()
    assert "<noscript><p" in page
    assert "This page needs JavaScript. Please switch it on, or use the terminal." in page
