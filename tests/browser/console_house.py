"""A whole gateway and people in front of its console: one house for a module, a context for each person."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from crypto.enrolment_words import enrolment_words
from tests.browser.axe import axe, take_over
from tests.gateway.house import House, MovableClock, serving
from tests.gateway.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, Page, StorageState

OWNER, PASSWORD = "olivia@rosenthal.example", "correct horse battery"
DEADLINE_MS = 10_000

FETCH = """async ([paths, language, credentials]) => {
    const options = { headers: { "Accept-Language": language }, credentials };
    const texts = [];
    for (const path of paths) texts.push(await (await fetch(path, options)).text());
    return texts;
}"""


@dataclass
class Consoles:
    """Opens the console as people's browsers do, and keeps what a page does wrong."""

    browser: Browser
    house: House
    exits: AsyncExitStack
    faults: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    session: StorageState | None = None
    """The cookies of an owner who has signed in."""
    kept: dict[str, Page] = field(default_factory=dict)
    """Pages that all tests use: the owner's, a stranger's and the mirror. To open one is dearer than to look at it."""

    @property
    def origin(self) -> str:
        return self.house.url

    async def found_company(self) -> None:
        """Have a company and its owner, who may sign in."""
        site = self.house.gateway.administration
        company = await site.companies.add("Rosenthal Bakery", actor="cli")
        owner = await site.people.add(company.id, full_name="Olivia Rosenthal", email=OWNER, role="owner", actor="cli")
        await site.accounts.set_password(owner.id, PASSWORD, actor="cli")
        self.house.company_id = company.id

    async def new(self, **options: Any) -> BrowserContext:
        defaults: dict[str, Any] = {
            "locale": "en-GB",
            "timezone_id": "Europe/Berlin",
            "viewport": {"width": 1280, "height": 800},
        }
        context = await self.browser.new_context(**(defaults | options))
        context.set_default_timeout(DEADLINE_MS)
        self.exits.push_async_callback(context.close)
        context.on("page", self._watch)
        return context

    async def open(self, path: str = "/console", *, clock: bool = False, **options: Any) -> Page:
        """Open a page in a browser of its own, one whose clock can be moved if so wished."""
        context = await self.new(**options)
        if clock:
            await context.clock.install()
        page = await context.new_page()
        await page.goto(self.origin + path)
        return page

    async def signed_in(self, path: str = "/console", *, own: bool = False, **options: Any) -> Page:
        """The owner at a page: in the browser of all tests, or in one of its `own`, of the same session."""
        if own or options:
            await self._owner()
            page = await self.open(path, storage_state=self.session, **options)
        else:
            page = await self._owner()
            await page.goto(self.origin + path)
        assert page.url == self.origin + path
        return page

    async def signed_in_anew(self, path: str = "/console", **options: Any) -> Page:
        """The owner at a page, in a session that may be ended."""
        return await self._by_the_form(path, **options)

    async def stranger(self, path: str) -> Page:
        """Somebody who has not signed in, at a page."""
        if "stranger" not in self.kept:
            self.kept["stranger"] = await (await self.new()).new_page()
        page = self.kept["stranger"]
        await page.goto(self.origin + path)
        return page

    async def mirror(self, *, width: int = 1280, height: int = 800) -> Page:
        """The page with axe-core in it that takes over what others have come to, in a window of this size."""
        if "mirror" not in self.kept:
            self.kept["mirror"] = await self.signed_in("/console/account", own=True)
        page = self.kept["mirror"]
        await page.set_viewport_size({"width": width, "height": height})
        await page.emulate_media(color_scheme="light")
        return page

    async def markup(self, path: str, language: str) -> str:
        """A page of the owner as it is sent."""
        return (await self.markups([path], language))[path]

    async def markups(self, paths: Iterable[str], language: str, *, signed_in: bool = True) -> dict[str, str]:
        """Pages of the owner or of a stranger as they are sent: for pages in which the script has nothing to do."""
        asked, credentials = list(paths), "same-origin" if signed_in else "omit"
        sent = await (await self.mirror()).evaluate(FETCH, [asked, language, credentials])
        return dict(zip(asked, sent, strict=True))

    @staticmethod
    async def shown(page: Page) -> str:
        """What a page has come to, scripts and all. Playwright's own `content` is dearer by a third of a page."""
        return str(await page.evaluate("document.documentElement.outerHTML"))

    async def judge(self, page: Page, part: str | None = None, **window: int) -> list[dict[str, Any]]:
        """Return what axe-core finds wrong with what `page` shows, in a window of some size."""
        mirror = await self.mirror(**window)
        await take_over(mirror, await self.shown(page))
        return list((await axe(mirror, part)).response["violations"])

    async def clear(self) -> None:
        """Close all pages that are not for all tests."""
        kept = [page.context for page in self.kept.values()]
        for context in self.browser.contexts:
            if context not in kept:
                await context.close()

    async def _owner(self) -> Page:
        if "owner" not in self.kept:
            self.kept["owner"] = await self._by_the_form("/console")
            self.session = await self.kept["owner"].context.storage_state()
        return self.kept["owner"]

    async def _by_the_form(self, path: str, **options: Any) -> Page:
        page = await self.open(f"/console/sign-in?next={path}", **options)
        await page.locator("#email").fill(OWNER)
        await page.locator("#password").fill(PASSWORD)
        await page.locator("main button").click()
        await page.wait_for_url(self.origin + path)
        return page

    async def enrol(self, code: str) -> tuple[Terminal, list[str]]:
        """Have a terminal use a code; return it with the five words on its screen."""
        terminal = Terminal(self.house.http, self.house.url, self.house.clock)
        reply = await terminal.enrol(code)
        assert reply.status == 201, reply
        return terminal, list(
            enrolment_words(terminal.key.keyid, reply.body["gateway_keyid"], reply.body["enrolment_id"])
        )

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._heard)
        page.on("request", lambda asked: None if self._is_own(asked.url) else self.foreign.append(asked.url))

    def _heard(self, said: Any) -> None:
        # That a form came back with faults is no fault of the page.
        if said.type in ("error", "warning") and "the server responded with a status of 4" not in said.text:
            self.faults.append(said.text)

    def _is_own(self, url: str) -> bool:
        return url.startswith((self.origin, "http://stamp.test:", "http://localhost:"))


@asynccontextmanager
async def consoles_of(browser: Browser, directory: Path) -> AsyncIterator[Consoles]:
    """Run a gateway without a company."""
    clock = MovableClock()
    async with (
        serving(directory, clock=clock) as (gateway, url),
        aiohttp.ClientSession() as http,
        AsyncExitStack() as exits,
    ):
        yield Consoles(browser, House(gateway, url, http, clock, "", ""), exits)
