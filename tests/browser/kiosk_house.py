"""Wall terminals in front of a whole gateway: a browser context is a tablet, with its own key store."""

from __future__ import annotations

import time
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
WIPED = """localStorage.clear();
sessionStorage.clear();
new Promise((done, failed) => {
    const wiping = indexedDB.deleteDatabase('stampgate-kiosk');
    wiping.onsuccess = () => done();
    wiping.onerror = wiping.onblocked = () => failed(new Error("not wiped"));
})"""

LEFT = """([address, now]) => {
    const isControlled = navigator.serviceWorker.controller !== null;
    if (location.href !== address || Date.now() < now || !isControlled) return "otherwise";
    const done = [...document.querySelectorAll("[data-done]")].find(one => one.checkVisibility());
    if (done) return "signed in";
    const isFree = document.body.dataset.view === "idle" && !document.body.hasAttribute("aria-busy");
    const fields = ["number", "pin", "sign-in-problem"].map(id => document.getElementById(id));
    return isFree && fields.every(one => !one.value && !one.textContent) ? "as it was" : "otherwise";
}"""
"""How a test has left the page of all tests. Time may have gone on in it, never back."""

SIGN_IN = """async ([number, pin]) => {
    const { body } = document;
    for (let waited = 0; body.dataset.view !== "idle" || body.hasAttribute("aria-busy"); waited += 1) {
        if (waited === 500) throw new Error("nobody can sign in here");
        await new Promise(done => setTimeout(done, 10));
    }
    for (const [id, digits] of [["number", number], ["pin", pin]]) {
        document.getElementById(id).value = digits;
        document.getElementById(id).dispatchEvent(new Event("input"));
    }
    document.getElementById("sign-in").requestSubmit();
}"""


@dataclass
class Terminals:
    """Opens the terminal page as tablets do."""

    consoles: Consoles
    hanging: Page | None = None
    """The page on the tablet of all tests that leave the tablet as they found it."""
    spare: Page | None = None
    """The page on the tablet of all tests that enrol one: wiped before each."""

    async def open(self, address: str = "/kiosk?lang=en", **options: Any) -> Page:
        """A new tablet on which nothing was ever opened; its time can be moved.

        Unless told otherwise it installs no service worker: that loads the whole page once more.
        """
        tablet = await self.consoles.new(**({"service_workers": "block"} | options))
        page = await tablet.new_page()
        await page.clock.install()
        await page.goto(self.consoles.origin + address)
        return page

    async def empty(self, address: str = "/kiosk?lang=en") -> Page:
        """The page of a tablet on which nothing is stored."""
        if self.spare is None:
            self.spare = await self.open(address)
        else:
            await self.spare.evaluate(WIPED)
            await self.spare.goto(self.consoles.origin + address)
        return self.spare

    async def enrolled(self, page: Page, label: str) -> Device:
        """Enrol a tablet that shows the form for the code; it shows the clock in the end."""
        await page.locator("#code").fill(await self.consoles.house.code(label))
        await page.locator("#enrol-form button[type=submit]").click()
        await expect(page.locator("#thumbprint")).not_to_be_empty()
        device = await self.device(label)
        await self.approve(page, device)
        return device

    async def at_work(self, address: str = "/kiosk?lang=en") -> Page:
        """The page of a tablet that was enrolled once and for all tests; nobody is signed in.

        It is opened anew only where a test has left it otherwise: that is dearer than many a test.
        """
        if self.hanging is None:
            self.hanging = await self.open(service_workers="allow")
            await self.enrolled(self.hanging, "Hanging")
        else:
            left = await self.hanging.evaluate(LEFT, [self.consoles.origin + address, time.time() * 1000])
            if left == "signed in":
                async with self.hanging.expect_response("**/logout"):
                    await self.hanging.locator("[data-done]:visible").dispatch_event("click")
            if left != "otherwise":
                await expect(self.hanging.locator("#idle")).to_be_visible()
                return self.hanging
        await self.hanging.evaluate("navigator.serviceWorker.ready")
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
        kept = [page for page in (self.hanging, self.spare) if page is not None]
        tablets = [page.context for page in kept]
        for context in self.consoles.browser.contexts:
            if context not in tablets:
                await context.close()
                continue
            for page in context.pages:
                if page not in kept:
                    await page.close()
        for page in kept:
            await page.unroute_all(behavior="ignoreErrors")
        if self.hanging is not None:
            if self.hanging.viewport_size != SIZE:
                await self.hanging.set_viewport_size(SIZE)
            await self.hanging.context.set_offline(False)

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
    await page.evaluate(SIGN_IN, [number, pin])


async def sign_in_on_the_keypad(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    """Begin each number on the keypad, as people do, and go on with a keyboard; in English."""
    for field, digits in (("#number", number), ("#pin", pin)):
        await page.locator(field).click()
        for digit in digits[:3]:
            await page.get_by_role("button", name=digit, exact=True).click()
        await page.keyboard.insert_text(digits[3:])
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
