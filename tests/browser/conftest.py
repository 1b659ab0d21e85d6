"""One real Chromium for all modules, and phones that tests take up one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright

from gateway.http.routes import register
from gateway.pages import phone
from tests.browser.chromium import FLAGS, executable
from tests.browser.fake_phone_api import FakePhoneApi, Person
from tests.browser.kept_phones import KeptPhones

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "b3Vyb2Jvcm9z-a-token-of-the-poster_0123456789"
ANNA, ANNAS_PIN = "0417", "683105"
BEN, BENS_PIN = "23", "940172"


class Phones:
    """Opens the page as people's phones do. Faults in a page's script or against its policy are kept in `faults`."""

    def __init__(self, browser: Browser) -> None:
        options = {"locale": "en-GB", "timezone_id": "Europe/Berlin", "viewport": {"width": 390, "height": 760}}
        self.kept = KeptPhones(browser, options, self._watch)
        self.origin = ""
        self.faults: list[str] = []
        self.foreign: list[str] = []

    async def open(self, address: str = f"/stamp#t={TOKEN}", *, movable_time: bool = False, **options: Any) -> Page:
        """Open `address`: on a new phone if it has `options`, else on one that stays."""
        page = await ((await self.kept.new(**options)).new_page() if options else self.kept.page(movable_time))
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


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def all_phones(browser: Browser) -> AsyncIterator[Phones]:
    phones = Phones(browser)
    yield phones
    await phones.kept.switch_off()


@pytest_asyncio.fixture(loop_scope="package")
async def phones(all_phones: Phones, api: FakePhoneApi) -> AsyncIterator[Phones]:
    """The phones, and a server of this test alone."""
    app = web.Application()
    register(app, phone.routes())
    app.add_subapp("/api/time/public", api.app())
    async with TestServer(app) as server:
        all_phones.origin = str(server.make_url("/")).rstrip("/")
        yield all_phones
        await all_phones.kept.put_back()
    wrong = [*all_phones.faults, *all_phones.foreign]
    all_phones.faults.clear()
    all_phones.foreign.clear()
    assert wrong == []
