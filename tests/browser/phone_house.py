"""Private phones in front of a whole gateway, over a real Redis whose connection can be cut."""

from __future__ import annotations

import itertools
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import Page, expect

from tests.browser import kept_phones
from tests.browser.kept_phones import KeptPhones
from tests.gateway.house import House, Person, open_house
from tests.servers.link import Link
from tests.servers.redis import shared_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Request

PIN = "683105"
WORDS = {
    "en": {
        "clock in": "Clock in",
        "done": "Done",
        "wrong": "Personnel number or PIN is wrong.",
        "days": "My last 7 days",
        "left": "Seconds left",
    },
    "de": {
        "clock in": "Kommen",
        "done": "Fertig",
        "wrong": "Personalnummer oder PIN ist falsch.",
        "days": "Meine letzten 7 Tage",
        "left": "Sekunden",
    },
}


class Pocket:
    """Opens the page on phones, with touch, and keeps what a page does wrong and all that it asks for."""

    def __init__(self, browser: Browser, house: House, redis: Link) -> None:
        options = {
            "locale": "en-GB",
            "timezone_id": "Europe/Vienna",  # another name than the company's, and the same time
            "viewport": {"width": 390, "height": 844},
            "has_touch": True,
            "is_mobile": True,
        }
        self.house, self.redis = house, redis
        self.kept = KeptPhones(browser, options, self._watch)
        self.faults: list[str] = []
        self.requests: list[Request] = []
        self._numbers, self._scans = itertools.count(5001), itertools.count(1)

    @property
    def poster(self) -> str:
        return f"{self.house.gateway.administration.public_url}/stamp#t={self.house.link}"

    async def person(self, name: str = "Anna Albers") -> Person:
        """Somebody nobody has tried to be yet."""
        return await self.house.person(str(next(self._numbers)), PIN, name)

    async def scan(self, *, movable_time: bool = False) -> Page:
        """The poster's page as after a scan, on a phone that stays."""
        page = await self.kept.page(movable_time)
        # By a change of the fragment alone the page would not be loaded anew.
        await page.goto(self.poster.replace("#", f"?{next(self._scans)}#"))
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


async def sign_in(page: Page, person: Person, pin: str = PIN) -> None:
    await kept_phones.sign_in(page, person.number, pin)


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
        async with open_house(directory, redis_url=f"redis://127.0.0.1:{redis.port}") as house:
            pocket = Pocket(browser, house, redis)
            yield pocket
            await pocket.kept.switch_off()
    finally:
        await redis.cut()
