"""Phones that lie ready, and a short way to sign in: a new phone takes a browser as long as the way to a stamp."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser, BrowserContext, Page

DEADLINE_MS = 10_000
"""How long a page may take to show what a test expects; generous, for machines with other work to do."""

SUBMIT = """(form, [number, pin]) => {
    [form.elements["stamp-number"].value, form.elements["stamp-code"].value] = [number, pin];
    form.requestSubmit();
}"""


async def sign_in(page: Page, number: str, pin: str) -> None:
    """Sign in as a test that is about something else does: to type and to press takes a browser three times as long."""
    await page.locator("body:not([aria-busy]) #sign-in:not([hidden])").evaluate(SUBMIT, [number, pin])


@dataclass
class KeptPhones:
    """One phone for all tests, another whose time can be moved, and new ones for tests that are about new phones."""

    browser: Browser
    options: dict[str, Any]
    watch: Callable[[Page], None]
    kept: dict[bool, Page] = field(default_factory=dict)
    used: list[Page] = field(default_factory=list)
    opened: list[BrowserContext] = field(default_factory=list)

    async def new(self, **options: Any) -> BrowserContext:
        """A phone that goes after the test."""
        context = await self._unpack(**options)
        self.opened.append(context)
        return context

    async def page(self, movable_time: bool = False) -> Page:
        """The tab of a phone that stays, with nothing of earlier tests in its storage."""
        page = self.kept.get(movable_time)
        if page is None or page.is_closed():  # other tests of the same browser may have switched it off
            page = self.kept[movable_time] = await (await self._unpack()).new_page()
        self.used.append(page)
        if movable_time:
            await page.clock.install()  # the present again
        return page

    async def put_back(self) -> None:
        """Switch off what is new, and undo what was done to the phones that stay."""
        while self.opened:
            await self.opened.pop().close()
        while self.used:
            page = self.used.pop()
            for other in page.context.pages:
                if other is not page:
                    await other.close()
            await page.context.set_offline(False)
            await page.context.unroute_all()
            await page.unroute_all()
            await page.evaluate("localStorage.clear()")

    async def switch_off(self) -> None:
        await self.put_back()
        for page in self.kept.values():
            await page.context.close()

    async def _unpack(self, **options: Any) -> BrowserContext:
        context = await self.browser.new_context(**(self.options | options))
        context.set_default_timeout(DEADLINE_MS)
        context.on("page", self.watch)
        return context
