"""Wall terminals in front of a whole gateway: a browser context is a tablet, with its own key store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playwright.async_api import Page, expect

from storage import devices
from tests.browser.console_house import Consoles, consoles_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext

    from storage.devices import Device

ANNA, ANNAS_PIN = "0417", "683105"
STEP_MS, STEP_REAL_SECONDS = 1000, 0.02


@dataclass
class Terminals:
    """Opens the terminal page as tablets do."""

    consoles: Consoles
    hanging: BrowserContext | None = None
    """The tablet of all tests that leave it as they found it."""

    async def open(self, address: str = "/kiosk?lang=en", **options: Any) -> Page:
        """A new tablet on which nothing was ever opened; its time can be moved."""
        tablet = await self.consoles.new(**options)
        page = await tablet.new_page()
        await page.clock.install()
        await page.goto(self.consoles.origin + address)
        return page

    async def enrolled(self, label: str = "Gate", **options: Any) -> tuple[Page, Device]:
        """A tablet that shows the clock."""
        house = self.consoles.house
        code = await house.code(label)
        page = await self.open(**options)
        await page.locator("#code").fill(code)
        await page.locator("#enrol-form button[type=submit]").click()
        await expect(page.locator("#thumbprint")).not_to_be_empty()
        device = await self.device(label)
        await self.approve(page, device)
        return page, device

    async def at_work(self) -> Page:
        """The page of a tablet that was enrolled once and for all tests."""
        if self.hanging is None:
            page, _ = await self.enrolled("Hanging")
            self.hanging = page.context
            return page
        page = await self.hanging.new_page()
        await page.clock.install()
        await page.goto(self.consoles.origin + "/kiosk?lang=en")
        await expect(page.locator("#idle")).to_be_visible()
        return page

    @asynccontextmanager
    async def suspended(self, label: str) -> AsyncIterator[None]:
        """Have a terminal suspended, and resume it in the end."""
        house, device = self.consoles.house, await self.device(label)
        await house.gateway.administration.devices.suspend(device.id, actor="cli")
        await house.told()
        try:
            yield
        finally:
            await house.gateway.administration.devices.resume(device.id, actor="cli")
            await house.told()

    async def tidy(self) -> None:
        """Switch off what a test has opened: no tablet of one goes on asking in the next."""
        for context in self.consoles.browser.contexts:
            if context is not self.hanging:
                await context.close()
        for page in self.hanging.pages if self.hanging else ():
            await page.close()

    async def approve(self, page: Page, device: Device) -> None:
        """Hand over the thumbprint on the screen, and let the page find out."""
        house = self.consoles.house
        thumbprint = await page.locator("#thumbprint").inner_text()
        await house.gateway.administration.devices.approve(device.id, thumbprint=thumbprint, actor="cli")
        await house.told()
        await passes(page, 2500)
        await expect(page.locator("#idle")).to_be_visible()

    async def device(self, label: str) -> Device:
        """The newest terminal of a name, with what console and API do not show while it waits for approval."""
        site, company = self.consoles.house.gateway.administration, self.consoles.house.company_id
        async with site.database.read() as connection:
            found = await devices.list_(connection, company)
        return [device for device in found if device.label == label][-1]


async def sign_in(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    """Sign in as a test that is about something else does; whoever types on the keypad waits for forty events."""
    await page.locator("#number").fill(number)
    await page.locator("#pin").fill(pin)
    await page.locator("#sign-in > button").click()


async def sign_in_on_the_keypad(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    """Type on the keypad, as people do; in English."""
    for field, digits in (("#number", number), ("#pin", pin)):
        await page.locator(field).click()
        for digit in digits:
            await page.get_by_role("button", name=digit, exact=True).click()
    await page.get_by_role("button", name="Sign in", exact=True).click()


@asynccontextmanager
async def terminals_of(browser: Browser, directory: Path) -> AsyncIterator[Terminals]:
    """Run a gateway with a company and somebody who stamps."""
    async with consoles_of(browser, directory) as consoles:
        await consoles.found_company()
        await consoles.house.person(ANNA, ANNAS_PIN, name="Anna Albers")
        yield Terminals(consoles)


async def passes(page: Page, milliseconds: int) -> None:
    """Let the page's time pass in steps: at one go the deadline of a request under way would pass before its answer."""
    for begin in range(0, milliseconds, STEP_MS):
        await page.clock.run_for(min(STEP_MS, milliseconds - begin))
        await asyncio.sleep(STEP_REAL_SECONDS)
