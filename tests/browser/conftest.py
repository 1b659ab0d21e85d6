"""One real Chromium for all modules, one fresh context (its own storage, its own cache) per test."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from gateway.http.routes import register
from gateway.pages import phone
from tests.browser.chromium import FLAGS, executable
from tests.browser.fake_phone_api import FakePhoneApi, Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "b3Vyb2Jvcm9z-a-token-of-the-poster_0123456789"
ANNA, ANNAS_PIN = "0417", "683105"
BEN, BENS_PIN = "23", "940172"
DEADLINE_MS = 10_000
"""How long a page may take to show what a test expects; generous, for machines with other work to do."""


@dataclass
class Phones:
    """Opens the page as people's phones do. Faults in a page's script or against its policy are kept in `faults`."""

    browser: Browser
    origin: str
    exits: AsyncExitStack
    faults: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    async def new(self, **options: Any) -> BrowserContext:
        """Return a new phone: German time, English unless `locale` says otherwise."""
        defaults: dict[str, Any] = {
            "locale": "en-GB",
            "timezone_id": "Europe/Berlin",
            "viewport": {"width": 390, "height": 760},
        }
        context = await self.browser.new_context(**(defaults | options))
        context.set_default_timeout(DEADLINE_MS)
        self.exits.push_async_callback(context.close)
        context.on("page", self._watch)
        return context

    async def open(self, address: str = f"/stamp#t={TOKEN}", **options: Any) -> Page:
        """Open `address` on a new phone."""
        page = await (await self.new(**options)).new_page()
        await page.goto(self.origin + address)
        return page

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on(
            "console", lambda said: self.faults.append(said.text) if "Content Security Policy" in said.text else None
        )
        page.on("request", lambda asked: None if asked.url.startswith(self.origin) else self.foreign.append(asked.url))


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="package")
async def api() -> FakePhoneApi:
    people = {ANNA: Person("Anna Albers", ANNAS_PIN), BEN: Person("Ben Brandt", BENS_PIN)}
    return FakePhoneApi(token=TOKEN, people=people)


@pytest_asyncio.fixture(loop_scope="package")
async def phones(browser: Browser, api: FakePhoneApi) -> AsyncIterator[Phones]:
    app = web.Application()
    register(app, phone.routes())
    app.add_subapp("/api/time/public", api.app())
    async with TestServer(app) as server, AsyncExitStack() as exits:
        opened = Phones(browser, str(server.make_url("/")).rstrip("/"), exits)
        yield opened
        assert opened.faults == []
        assert opened.foreign == []
