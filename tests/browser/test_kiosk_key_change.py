"""A terminal's browser changes its key by itself, is never locked out by it, and a copied profile is found by it."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from storage import devices
from tests.browser.chromium import FLAGS, executable
from tests.browser.kiosk_house import Terminals, passes, sign_in, terminals_of
from tests.gateway.conftest import patience

__all__ = ["patience"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from playwright.async_api import Browser

    from storage.devices import Device

pytestmark = pytest.mark.asyncio(loop_scope="package")

DAY = 86_400.0
CHECK_MS = 31_000
CHANGES_AGAIN_MS = 3_601_000
"""After it a page that has changed its key changes it once more."""
KEPT = """import(document.querySelector('script').src.replace('kiosk.js', 'kiosk-keys.js'))
.then(keys => keys.load()).then(({ key, nextKey }) => [key.keyid, nextKey])"""

ATTEMPTS = 3
"""So often a terminal asks what it may ask again, before it looks for another way."""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminals]:
    async with terminals_of(browser, tmp_path_factory.mktemp("kiosk") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def terminals(house: Terminals) -> AsyncIterator[Terminals]:
    yield house
    await house.tidy()


async def stored(terminals: Terminals, device: Device) -> Device:
    async with terminals.consoles.house.gateway.administration.database.read() as connection:
        found = await devices.get(connection, device.id)
    assert found is not None
    return found


async def waits_until_its_key_is_old(terminals: Terminals, page: Page, milliseconds: int = CHANGES_AGAIN_MS) -> None:
    """33 days pass for the gateway, the page looks again and offers another key."""
    terminals.consoles.house.clock.move(33 * DAY)
    await terminals.consoles.house.gateway.feed.refresh()
    # Whichever of a tablet's windows it is.
    async with page.context.expect_event("request", lambda asked: asked.method == "PUT"):
        await passes(page, milliseconds)


async def works(page: Page) -> None:
    await expect(page.locator("#idle")).to_be_visible()
    await expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()


async def keeps_working_with_a_new_key(terminals: Terminals, page: Page, before: Device) -> None:
    await works(page)
    await expect(page.locator("#fault")).to_be_hidden()
    after = await stored(terminals, before)
    assert after.keyid != before.keyid
    assert after.state == "active"
    assert await page.evaluate(KEPT) == [after.keyid, None]  # what the page has when it is opened anew


@pytest.mark.parametrize("opened_anew", [True, False], ids=["opened anew", "left open"])
@pytest.mark.parametrize("step", ["the offer", "the first use"])
async def test_a_lost_answer_at_a_key_change_locks_no_terminal_out(
    terminals: Terminals, step: str, opened_anew: bool
) -> None:
    page = await terminals.at_work()
    before = await terminals.device("Hanging")
    has_offered, losses = asyncio.Event(), asyncio.Semaphore(0)

    async def lose(route: Route) -> None:
        wanted = route.request.method == "PUT" if step == "the offer" else has_offered.is_set()
        answer = await route.fetch()
        if answer.ok and wanted:
            await route.abort()
            losses.release()
        else:
            await route.fulfill(response=answer)
        if answer.ok and route.request.method == "PUT":
            has_offered.set()

    await page.route("**/kiosk/device**", lose)
    await waits_until_its_key_is_old(terminals, page)
    async with asyncio.timeout(10):
        await losses.acquire()
    if opened_anew:
        await page.unroute_all(behavior="wait")
        await page.reload()
    else:
        for _ in range(ATTEMPTS - 1):  # until it has given up asking
            await passes(page, 1000)
            async with asyncio.timeout(10):
                await losses.acquire()
        await page.unroute_all(behavior="wait")
        terminals.consoles.house.clock.move(60)
        await terminals.consoles.house.gateway.feed.refresh()
        await passes(page, CHECK_MS)
    await keeps_working_with_a_new_key(terminals, page, before)


async def test_a_key_of_a_month_is_changed_by_itself_also_for_a_window_that_takes_over(terminals: Terminals) -> None:
    page, device = await terminals.at_work(), await terminals.device("Hanging")
    other = await page.context.new_page()
    await other.goto(f"{terminals.consoles.origin}/kiosk?lang=en")
    await passes(other, 1000)
    await expect(other.get_by_role("heading", name="The terminal is open in another window")).to_be_visible()
    await waits_until_its_key_is_old(terminals, page)
    await keeps_working_with_a_new_key(terminals, page, device)
    terminals.consoles.house.clock.move(60)
    await terminals.consoles.house.gateway.feed.refresh()
    await other.get_by_role("button", name="Use this window").click()
    await works(other)
    assert (await stored(terminals, device)).state == "active"


@asynccontextmanager
async def tablets(browser: Browser) -> AsyncIterator[Callable[[Path], Awaitable[Page]]]:
    """Opens browsers that keep their profiles on disk."""
    async with AsyncExitStack() as exits:

        async def open_(profile: Path) -> Page:
            context = await browser.browser_type.launch_persistent_context(
                profile, executable_path=executable(), args=list(FLAGS), locale="en-GB"
            )
            exits.push_async_callback(context.close)
            await context.clock.install()
            return context.pages[0]

        yield open_


async def test_a_copied_profile_is_found_at_the_next_key_change(
    terminals: Terminals, browser: Browser, tmp_path: Path
) -> None:
    house, address = terminals.consoles.house, f"{terminals.consoles.origin}/kiosk?lang=en"
    async with tablets(browser) as opened:
        page = await opened(tmp_path / "genuine")
        await page.goto(address)
        device = await terminals.enrolled(page, "Copied")
        await page.context.close()
        keys = Path("Default") / "IndexedDB"
        shutil.copytree(tmp_path / "genuine" / keys, tmp_path / "copy" / keys)
        page = await opened(tmp_path / "genuine")
        await page.goto(address)
        await expect(page.locator("#idle")).to_be_visible()
        await waits_until_its_key_is_old(terminals, page, CHECK_MS)
        await works(page)
        assert (await stored(terminals, device)).keyid != device.keyid
        await page.context.close()

        house.clock.move(60)
        copy = await opened(tmp_path / "copy")
        await copy.goto(address)
        await expect(copy.get_by_role("heading", name="This terminal is suspended")).to_be_visible()
    assert (await stored(terminals, device)).state == "suspended"
    assert "device.key_reused" in await house.audit_names()
