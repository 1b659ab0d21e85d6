"""Private phones in front of a whole gateway, over a real Redis whose connection can be cut."""

from __future__ import annotations

import itertools
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.async_api import Page, expect

from tests.gateway.house import House, Person, open_house
from tests.servers.link import Link
from tests.servers.redis import shared_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Request

PIN = "683105"
DEADLINE_MS = 10_000
WORDS = {
    "en": {"number": "Personnel number", "sign in": "Sign in", "clock in": "Clock in", "done": "Done"},
    "de": {"number": "Personalnummer", "sign in": "Anmelden", "clock in": "Kommen", "done": "Fertig"},
}


@dataclass
class Pocket:
    """Opens the page on phones, with touch, and keeps what a page does wrong and all that it asks for."""

    browser: Browser
    house: House
    redis: Link
    exits: AsyncExitStack
    faults: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(5001))

    @property
    def poster(self) -> str:
        return f"{self.house.gateway.administration.public_url}/stamp#t={self.house.link}"

    async def person(self, name: str = "Anna Albers") -> Person:
        """Somebody nobody has tried to be yet."""
        return await self.house.person(str(next(self.numbers)), PIN, name)

    async def new(self, **options: Any) -> BrowserContext:
        """A new phone: in Berlin, in English unless `locale` says otherwise."""
        defaults: dict[str, Any] = {
            "locale": "en-GB",
            "timezone_id": "Europe/Berlin",
            "viewport": {"width": 390, "height": 844},
            "has_touch": True,
            "is_mobile": True,
        }
        context = await self.browser.new_context(**(defaults | options))
        context.set_default_timeout(DEADLINE_MS)
        self.exits.push_async_callback(context.close)
        context.on("page", self._watch)
        return context

    async def scan(self, context: BrowserContext | None = None, **options: Any) -> Page:
        """The poster's page in a new tab, as cameras open it: on `context`, or on a new phone."""
        page = await (context or await self.new(**options)).new_page()
        await page.goto(self.poster)
        return page

    async def later(self, seconds: float) -> None:
        """Let time pass at the gateway."""
        self.house.clock.move(seconds)
        await self.house.gateway.feed.refresh()  # what it had read by then is old now

    async def stamped(self, person: Person) -> list[str]:
        return [stamp.action for stamp in await self.house.stamps() if stamp.user_id == person.id]

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text) if "Failed to load" not in said.text else None)
        page.on("request", lambda asked: self.requests.append(asked))


async def sign_in(page: Page, person: Person, pin: str = PIN, language: str = "en") -> None:
    words = WORDS[language]
    await page.get_by_label(words["number"]).fill(person.number)
    await page.get_by_label("PIN", exact=True).fill(pin)
    await tap(page, words["sign in"])


async def tap(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).tap()


async def says(page: Page, text: str) -> None:
    await expect(page.get_by_role("alert")).to_have_text(text)


async def is_confirmed(page: Page, action: str = "Clock in") -> None:
    await expect(page.get_by_role("status")).to_contain_text(f"{action} recorded at")


@asynccontextmanager
async def pocket_of(browser: Browser, directory: Path) -> AsyncIterator[Pocket]:
    """Run a gateway with a company whose phone link is on."""
    server = shared_server()
    server.flush()
    redis = Link(server.port)
    await redis.mend()
    try:
        async with (
            open_house(directory, redis_url=f"redis://127.0.0.1:{redis.port}") as house,
            AsyncExitStack() as exits,
        ):
            yield Pocket(browser, house, redis, exits)
    finally:
        await redis.cut()
