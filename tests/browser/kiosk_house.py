"""Wall terminals in front of a whole gateway: a browser context is a tablet, with its own key store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from playwright.async_api import Page, ViewportSize, expect

from storage import devices
from tests.browser.console_house import Consoles, consoles_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from storage.devices import Device

ANNA, ANNAS_PIN = "0417", "683105"
SIZE: ViewportSize = {"width": 1280, "height": 800}
"""Of the tablets, in the pixels of a style sheet."""
LOOKED = "**/kiosk/heartbeat"
"""The last that a terminal asks when it has begun to work: no request of its own is under way afterwards."""


@dataclass
class Terminals:
    """Opens the terminal page as tablets do."""

    consoles: Consoles
    hanging: Page | None = None
    """The page on the tablet of all tests that leave the tablet as they found it."""

    async def open(self, address: str = "/kiosk?lang=en", **options: Any) -> Page:
        """A new tablet on which nothing was ever opened; its time can be moved.

        Unless told otherwise it installs no service worker: that loads the whole page once more.
        """
        tablet = await self.consoles.new(**({"service_workers": "block"} | options))
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

    async def at_work(self, address: str = "/kiosk?lang=en") -> Page:
        """The page of a tablet that was enrolled once and for all tests, opened anew."""
        if self.hanging is None:
            self.hanging, _ = await self.enrolled("Hanging", service_workers="allow")
        await self.hanging.clock.install()
        async with self.hanging.expect_response(LOOKED):
            await self.hanging.goto(self.consoles.origin + address)
        await expect(self.hanging.locator("#idle")).to_be_visible()
        return self.hanging

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
        tablet = None if self.hanging is None else self.hanging.context
        for context in self.consoles.browser.contexts:
            if context is not tablet:
                await context.close()
        if self.hanging is None or tablet is None:
            return
        for page in tablet.pages:
            if page is not self.hanging:
                await page.close()
        await self.hanging.unroute_all(behavior="ignoreErrors")
        await self.hanging.set_viewport_size(SIZE)
        await tablet.set_offline(False)

    async def approve(self, page: Page, device: Device) -> None:
        """Hand over the thumbprint on the screen, and let the page find out."""
        house = self.consoles.house
        thumbprint = await page.locator("#thumbprint").inner_text()
        await house.gateway.administration.devices.approve(device.id, thumbprint=thumbprint, actor="cli")
        await house.told()
        async with page.expect_response(LOOKED):
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
    """Let the page's time pass at one go: whatever is due comes once, as when a tablet wakes up.

    The deadline of a request under way passes with it; the page asks again by itself where that does no harm.
    """
    await page.clock.fast_forward(milliseconds)
