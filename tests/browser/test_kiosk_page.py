"""The terminal page in a real browser over a real gateway: from an empty tablet to a stamp, and all that goes wrong."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import MappingKeyResolver
from playwright.async_api import Page, Request, Route, expect

from crypto import base64url
from crypto.enrolment_words import enrolment_words
from crypto.message_signatures import IncomingRequest
from gateway.pages.console.dates import Dates
from gateway.stamping.local_day import zone_named
from tests.browser.axe import axe
from tests.browser.kiosk_house import ANNA, ANNAS_PIN, Terminals, passes, sign_in, sign_in_on_the_keypad, terminals_of
from tests.browser.test_console import approve
from tests.gateway.conftest import patience
from tests.protocol.oracle import oracle_accepts

__all__ = ["patience"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

FAILED = "Failed to load resource"
BLOCKED = "Service Worker registration blocked"
"""What the browser itself says of every refused or lost request."""


SHADES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
BOXES = "all => all.map(one => one.getBoundingClientRect().toJSON())"
KEEP = """() => {
    axe.configure({ rules: [{ id: "color-contrast", enabled: false }] });
    const { view } = document.body.dataset, screen = document.createElement("div");
    screen.dataset.view = view;
    screen.style.position = "relative";
    window.screens ??= {};
    const parts = view in screens || Object.keys(screens).length === 0 ? "header, main" : "main";
    screen.append(...[...document.body.querySelectorAll(parts)].map(one => one.cloneNode(true)));
    for (const row of screen.querySelectorAll("tr:nth-child(n + 3)")) row.remove();
    screens[view] = screen;
}"""
"""Contrasts are the most of axe-core's work and of each element alone: they are judged at once, alike ones once."""
SHOW_KEPT = """() => {
    delete document.body.dataset.view;
    document.body.replaceChildren(...Object.values(screens));
    return Object.keys(screens);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Terminals]:
    async with terminals_of(browser, tmp_path_factory.mktemp("kiosk") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def terminals(house: Terminals) -> AsyncIterator[Terminals]:
    yield house
    faults = [said for said in house.consoles.faults if FAILED not in said and BLOCKED not in said]
    house.consoles.faults.clear()
    assert faults == []
    assert house.consoles.foreign == []
    await house.tidy()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def shows(page: Page, heading: str) -> None:
    await expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()


async def is_idle(page: Page) -> None:
    await expect(page.get_by_label("Personnel number")).to_be_visible()


async def stamp(page: Page, action: str) -> None:
    """Stamp, and let the confirmation end by itself."""
    await press(page, action)
    await expect(page.locator("#confirmed")).to_be_visible()
    async with page.expect_response("**/logout") as ended:
        await passes(page, 5500)
    assert (await ended.value).status == 204
    await is_idle(page)


def lost(after: int) -> Any:
    """A route that carries requests out and loses the first `after` answers."""
    left = [after]

    async def handle(route: Route) -> None:
        if left[0] > 0:
            left[0] -= 1
            await route.fetch()
            await route.abort()
        else:
            await route.continue_()

    return handle


@contextmanager
def sent_by(page: Page, path_end: str) -> Iterator[list[Request]]:
    """Collect the requests of a page to what ends so."""
    sent: list[Request] = []

    def keep(asked: Request) -> None:
        if asked.url.endswith(path_end):
            sent.append(asked)

    page.on("request", keep)
    try:
        yield sent
    finally:
        page.remove_listener("request", keep)


async def refuse(route: Route, status: int, problem: str) -> None:
    body = json.dumps({"type": f"https://stampgate.example/problems/{problem}", "title": problem, "status": status})
    headers = {"Retry-After": "9"} if status == 503 else {}
    await route.fulfill(status=status, content_type="application/problem+json", body=body, headers=headers)


# ── the way through ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_empty_tablet_is_enrolled_approved_in_the_console_and_stamps(terminals: Terminals) -> None:
    assert terminals.hanging is None, "it hangs for the tests that follow"
    code = await terminals.consoles.house.code("Hanging")
    page = await terminals.open(service_workers="allow")
    await page.get_by_label("Enrolment code").fill(code.lower().replace("-", " "))
    await press(page, "Enrol this terminal")
    await shows(page, "Waiting for approval")
    words = await page.locator("#word-list li").all_inner_texts()
    device = await terminals.device("Hanging")
    gateway_keyid = terminals.consoles.house.gateway.administration.secrets.gateway_key.keyid
    assert words == list(enrolment_words(str(device.keyid), gateway_keyid, str(device.enrolment_id)))

    console = await terminals.consoles.signed_in_anew(f"/console/terminals/{device.id}")
    await approve(console, words)
    await expect(console.get_by_role("status").first).to_contain_text("The terminal is approved.")
    await terminals.consoles.house.told()
    await passes(page, 2500)
    await is_idle(page)
    await expect(page.locator("#clock")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    await expect(page.locator("#company")).to_have_text("Rosenthal Bakery")

    await sign_in_on_the_keypad(page)
    await stamp(page, "Clock in")
    for action in ("Start break", "End break", "Clock out"):
        await sign_in(page)
        await stamp(page, action)
    recorded = [stamp.action for stamp in await terminals.consoles.house.stamps()]
    assert recorded == ["clock_in", "break_start", "break_end", "clock_out"]
    terminals.hanging = page  # for the tests that follow


async def test_a_code_in_the_fragment_leaves_the_address_bar_at_once(terminals: Terminals) -> None:
    code = await terminals.consoles.house.code("By link")
    page = await terminals.empty(f"/kiosk#enrol={code}")
    await expect(page.get_by_label("Enrolment code")).to_have_value(code)
    assert page.url == f"{terminals.consoles.origin}/kiosk"
    await press(page, "Enrol this terminal")
    await shows(page, "Waiting for approval")
    await terminals.consoles.house.gateway.administration.devices.deny(
        (await terminals.device("By link")).id, actor="cli"
    )
    await terminals.consoles.house.told()
    await passes(page, 2500)
    await shows(page, "The enrolment has ended")
    await press(page, "Enrol again")
    await shows(page, "Set up this terminal")


async def test_an_enrolment_that_was_given_up_takes_no_later_one_with_it(terminals: Terminals) -> None:
    page = await terminals.empty()
    for label in ("Given up", "Begun anew"):
        await page.get_by_label("Enrolment code").fill(await terminals.consoles.house.code(label))
        await press(page, "Enrol this terminal")
        await shows(page, "Waiting for approval")
        if label == "Given up":
            await press(page, "Give up and begin anew")
    words = await page.locator("#word-list").inner_text()
    given_up = await terminals.device("Given up")
    await terminals.consoles.house.gateway.administration.devices.deny(given_up.id, actor="cli")
    await terminals.consoles.house.told()
    for _ in range(3):
        async with page.expect_response("**/kiosk/device"):
            await passes(page, 2500)
    await page.reload()
    await expect(page.locator("#word-list")).to_have_text(words, use_inner_text=True)


async def test_giving_up_while_a_question_is_under_way_leads_back_to_the_code(terminals: Terminals) -> None:
    page = await terminals.empty()
    await page.get_by_label("Enrolment code").fill(await terminals.consoles.house.code("Given up meanwhile"))
    await page.evaluate(
        """() => {
            const send = fetch;
            window.fetch = (target, options) => String(target).endsWith("/kiosk/device")
                ? new Promise((_, reject) => (window.fail = () => reject(new TypeError("lost"))))
                : send(target, options);
            // The store takes its time: what is given up is still in it when the question has failed.
            let isFirst = true;
            const open = IDBFactory.prototype.open;
            window.slowly = () => (IDBFactory.prototype.open = function (...of) {
                const [asked, told, wait] = [open.apply(this, of), {}, isFirst ? 300 : 0];
                isFirst = false;
                asked.onsuccess = () => setTimeout(() => told.onsuccess(), wait);
                return Object.defineProperty(told, "result", { get: () => asked.result });
            });
        }"""
    )
    await press(page, "Enrol this terminal")
    await shows(page, "Waiting for approval")
    await page.wait_for_function("() => window.fail !== undefined")
    await page.evaluate("slowly(); document.getElementById('give-up').click(); fail()")
    await passes(page, 1_000)
    await shows(page, "Set up this terminal")


async def test_a_wrong_code_is_told_and_without_its_list_of_words_it_shows_no_wrong_ones(terminals: Terminals) -> None:
    page = await terminals.empty()
    field, problem = page.get_by_label("Enrolment code"), page.get_by_role("alert")
    await field.fill("AEIOU")
    await press(page, "Enrol this terminal")
    await expect(problem).to_contain_text("8 letters")
    await field.fill("BCDF-GHJK")
    await press(page, "Enrol this terminal")
    await expect(problem).to_contain_text("wrong, was used before, or is older")
    await field.fill(await terminals.consoles.house.code("Second try"))
    await page.route("**/static/bip39-english.txt*", lambda route: route.fulfill(status=404, body="404 page not found"))
    await press(page, "Enrol this terminal")
    await shows(page, "No connection")
    await page.unroute_all(behavior="wait")
    await passes(page, 6_000)
    await shows(page, "Waiting for approval")
    assert len(await page.locator("#word-list li").all_inner_texts()) == 5


async def test_with_its_storage_wiped_or_revoked_it_says_so_and_offers_to_enrol_again(terminals: Terminals) -> None:
    page = await terminals.empty()
    await terminals.enrolled(page, "Attic")
    await page.evaluate("new Promise(done => indexedDB.deleteDatabase('stampgate-kiosk').onsuccess = done)")
    await page.reload()
    await shows(page, "Set up this terminal")
    await expect(page.get_by_text("This terminal (“Attic”) was enrolled, but the browser has cleared")).to_be_visible()

    device = await terminals.enrolled(page, "Shed")
    await sign_in(page)
    await shows(page, "Anna Albers")
    await terminals.consoles.house.gateway.administration.devices.revoke(device.id, actor="cli")
    await terminals.consoles.house.told()
    await passes(page, 6_000)
    await shows(page, "This terminal was revoked")
    assert "Anna" not in await page.locator("body").inner_text()
    await press(page, "Enrol again")
    await shows(page, "Set up this terminal")
    await page.reload()
    await shows(page, "Set up this terminal")


async def test_it_speaks_its_companys_language_and_both_say_the_same_things(terminals: Terminals) -> None:
    page = await terminals.at_work("/kiosk")
    await expect(page.locator("html")).to_have_attribute("lang", "de")
    await page.get_by_label("Personalnummer").fill(ANNA)
    await page.get_by_label("PIN", exact=True).fill(ANNAS_PIN)
    await press(page, "Anmelden")
    await press(page, "Kommen")
    await shows(page, "Kommen gebucht")
    await press(page, "Fertig")
    await page.get_by_role("link", name="English").click()
    await sign_in(page)
    await press(page, "Clock out")
    await page.locator("#confirmed [data-done]").click()
    await expect(page.get_by_label("Personalnummer")).to_be_visible()

    named = "text => [...text.matchAll(/\\{\\w+\\}/g)].map(String).sort().join()"
    catalogues = await page.evaluate(
        f"""import('/static/kiosk-texts.js').then(({{ CATALOGUES }}) => Object.values(CATALOGUES).map(one => [
        ...Object.entries(one.texts).map(([name, text]) => [name, ({named})(text)]),
        ...Object.entries(one.faults).map(([name, parts]) => [name, ...parts.map({named})]),
        ].sort()))"""
    )
    assert catalogues[0] == catalogues[1]


async def test_a_library_that_nobody_here_wrote_accepts_what_the_browser_signs(terminals: Terminals) -> None:
    page = await terminals.at_work()
    async with page.expect_request("**/auth") as asked:
        await sign_in(page)
    sent = await asked.value
    keyid = str((await terminals.device("Hanging")).keyid)
    x = await page.evaluate(
        "import(document.querySelector('script').src.replace('kiosk.js', 'kiosk-keys.js')).then(keys => keys.load())"
        ".then(({key}) => key.jwk.x)"
    )
    public_key = Ed25519PublicKey.from_public_bytes(base64url.decode(x, 32))
    keys = MappingKeyResolver(public_keys={keyid: public_key}, private_keys={})
    fields = tuple((name.encode(), value.encode()) for name, value in (await sent.all_headers()).items())
    authority = terminals.consoles.origin.removeprefix("http://")
    request = IncomingRequest(sent.method, urlsplit(sent.url).path, fields, sent.post_data_buffer or b"")
    assert oracle_accepts(request, authority, keys) == keyid


# ── a session ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_walks_away_is_signed_out_and_leaves_nothing_behind(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await sign_in(page)
    await shows(page, "Anna Albers")
    await passes(page, 15_000)
    await page.keyboard.press("Shift")
    await passes(page, 15_000)
    await shows(page, "Anna Albers")
    async with page.expect_response("**/logout") as ended:
        await passes(page, 6_000)
    assert (await ended.value).status == 204
    await is_idle(page)
    assert "Anna" not in await page.locator("body").inner_text()
    assert "Anna" not in await page.content()


async def test_a_wrong_pin_is_told_at_once_and_at_the_next_sign_in(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await sign_in(page, pin="111222")
    await expect(page.get_by_role("alert")).to_have_text("Personnel number or PIN is wrong.")
    assert await page.get_by_label("PIN", exact=True).input_value() == ""
    await page.keyboard.type(ANNAS_PIN)  # a real keyboard: the focus is in the PIN already
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("There was one failed sign-in since your last one.")).to_be_visible()
    await press(page, "My last 7 days")
    await expect(page.locator("#day-rows tr")).to_have_count(7)
    await press(page, "Done")
    await is_idle(page)


async def test_a_lock_ends_at_the_same_minute_as_in_the_console(terminals: Terminals) -> None:
    house = terminals.consoles.house
    await house.person("0555", name="Locked Out")
    elsewhere = await house.terminal(label="Elsewhere")
    for _ in range(5):
        await elsewhere.sign_in("0555", "194827")
    page = await terminals.at_work()
    await sign_in(page, "0555", "194827")
    await expect(page.get_by_role("alert")).to_contain_text("Too many tries. Locked until")
    told = re.findall(r"\d\d:\d\d", await page.get_by_role("alert").inner_text())
    site, company_id = house.gateway.administration, house.company_id
    (lock,) = await site.lockouts.list_(company_id)
    zone = zone_named((await site.companies.get(company_id)).timezone)
    shown = Dates(zone, "en", house.clock(), str).until(lock.lockout.until)
    # Retry-After has whole seconds: a lock that ends right before a full minute may be told a minute later.
    later = Dates(zone, "en", house.clock(), str).until((lock.lockout.until or 0.0) + 5)
    assert told[0] in {re.findall(r"(\d\d:\d\d)<", end)[0] for end in (shown, later)}
    await site.lockouts.clear([lock.lockout.id], actor="cli")


async def test_people_change_their_own_pin(terminals: Terminals) -> None:
    await terminals.consoles.house.person("77", "592604", name="Ben Brandt")
    page = await terminals.at_work()

    async def change(new: str) -> None:
        await page.get_by_label("Current PIN").fill("592604")
        await page.get_by_label("New PIN", exact=True).fill(new)
        await page.get_by_label("New PIN once more").fill(new)
        await press(page, "Save the new PIN")

    async def types_on_the_screen(*keys: str, then: str) -> None:
        for key in keys:
            await press(page, key)
        await page.keyboard.insert_text(then)  # the focus has stayed in the field
        await press(page, "To the next field")

    await sign_in(page, "77", "592604")
    await press(page, "Change my PIN")
    await change("123456")
    await expect(page.get_by_role("alert")).to_contain_text("too easy to guess")
    await expect(page.get_by_text("6 to 12 digits without a pattern, no date")).to_be_visible()
    await types_on_the_screen("5", "8", "Delete the last digit", "9", then="2604")
    for _ in range(2):
        await types_on_the_screen("8", then="61253")
    await press(page, "Save the new PIN")
    await expect(page.get_by_role("alert")).to_contain_text("Your new PIN is saved.")
    await press(page, "Done")
    await sign_in(page, "77", "861253")
    await shows(page, "Ben Brandt")


async def test_after_a_lost_answer_a_stamp_is_made_once_and_no_pin_is_sent_again(terminals: Terminals) -> None:
    page = await terminals.at_work()
    before = len(await terminals.consoles.house.stamps())
    await page.route("**/auth", lost(1))
    with sent_by(page, "/auth") as sent:
        await sign_in(page)
        await expect(page.get_by_role("alert")).to_contain_text("No answer came, so you are not signed in.")
        await passes(page, 10_000)
        await sign_in(page)
        await shows(page, "Anna Albers")
    assert len(sent) == 2  # once each time

    await page.route("**/action", lost(1))
    with sent_by(page, "/action") as sent:
        await page.locator("#actions button:visible").first.click()
        await expect(page.locator("#confirmed")).to_be_visible()
    first, second = sent
    assert first.post_data == second.post_data
    assert first.headers["signature"] != second.headers["signature"]
    assert len(await terminals.consoles.house.stamps()) == before + 1


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_network_it_says_so_and_comes_back_by_itself_also_when_opened_anew(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await page.evaluate("navigator.serviceWorker.ready")
    await page.context.set_offline(True)
    await passes(page, 16_000)
    await shows(page, "No connection")
    await expect(page.get_by_text("Stamping is not possible now")).to_be_visible()
    await page.reload()
    await shows(page, "No connection")
    kept = await page.evaluate(
        """(async () => {
            const caching = await Promise.all((await caches.keys()).map(name => caches.open(name)));
            const requests = (await Promise.all(caching.map(cache => cache.keys()))).flat();
            return requests.map(({ url }) => new URL(url).pathname);
        })()"""
    )
    assert "/kiosk" in kept
    assert not [path for path in kept if path.startswith("/api/")]
    await page.context.set_offline(False)
    await passes(page, 31_000)
    await is_idle(page)
    await sign_in(page)
    await shows(page, "Anna Albers")


async def test_a_proxy_without_its_gateway_does_not_take_the_page_away(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await page.evaluate("navigator.serviceWorker.ready")
    (worker,) = page.context.service_workers
    await worker.evaluate("self.sends = self.fetch")
    await worker.evaluate("self.fetch = async () => new Response('404 page not found', { status: 404 })")
    try:
        await page.reload()
        await is_idle(page)
    finally:
        await worker.evaluate("self.fetch = self.sends")


async def test_only_one_window_of_a_terminal_is_at_work(terminals: Terminals) -> None:
    first = await terminals.at_work()
    second = await first.context.new_page()
    await second.goto(f"{terminals.consoles.origin}/kiosk?lang=en")
    await passes(second, 1000)
    await shows(second, "The terminal is open in another window")
    # One that takes a new version loses its place to no window behind it.
    await first.evaluate("navigator.serviceWorker.dispatchEvent(new Event('controllerchange'))")
    async with first.expect_navigation():
        await passes(first, 5000)
    await is_idle(first)
    await shows(second, "The terminal is open in another window")

    async with first.expect_navigation():  # it gives way, once, however often that is tapped
        taps = "[0, 5, 15, 40].forEach((wait) => setTimeout(() => document.getElementById('take-over').click(), wait))"
        await second.evaluate(taps)
    await is_idle(second)
    await passes(first, 1000)
    await shows(first, "The terminal is open in another window")
    await sign_in(second)
    await shows(second, "Anna Albers")
    await second.close()
    await sign_in(first)
    await shows(first, "Anna Albers")
    assert (await terminals.device("Hanging")).state == "active"


async def test_suspended_it_shows_nothing_of_the_person_and_resumed_it_goes_on_by_itself(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await sign_in(page)
    await press(page, "Change my PIN")
    await page.get_by_label("Current PIN").fill(ANNAS_PIN)
    async with terminals.suspended("Hanging"):
        await passes(page, 6_000)
        await shows(page, "This terminal is suspended")
        assert "Anna" not in await page.content()
        assert await page.locator("#current-pin").input_value() == ""
    await passes(page, 31_000)  # as long as it waits at most between two looks
    await is_idle(page)


async def test_an_answer_that_comes_after_the_session_is_not_shown(terminals: Terminals) -> None:
    page = await terminals.at_work()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await page.route("**/kiosk/days", hold)
    await sign_in(page)
    async with page.expect_request("**/kiosk/days"):
        await press(page, "My last 7 days")
    days = [{"date": "2025-11-21", "worked_seconds": 60, "break_seconds": 0, "stamps": [], "clock_out_missing": False}]
    async with terminals.suspended("Hanging"):
        await page.evaluate("window.dispatchEvent(new Event('online'))")
        await shows(page, "This terminal is suspended")
        await held[0].fulfill(json={"items": days})
        await expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
        await shows(page, "This terminal is suspended")
        await expect(page.locator("#day-rows tr")).to_have_count(0)


async def test_whoever_passes_by_cannot_throw_away_a_key_that_still_counts(terminals: Terminals) -> None:
    page = await terminals.at_work()
    await page.route("**/kiosk/device", lambda route: refuse(route, 401, "device-unknown"))
    await passes(page, 16_000)
    await shows(page, "The gateway does not know this terminal")
    await press(page, "Enrol again")
    await page.unroute_all(behavior="wait")
    await press(page, "Leave it as it is")
    await is_idle(page)
    await page.reload()
    await is_idle(page)


async def test_each_refusal_has_a_screen_and_a_wrong_clock_is_made_up_for(terminals: Terminals) -> None:
    page = await terminals.at_work()
    refused = (0, "")
    await page.route("**/kiosk/auth", lambda route: refuse(route, *refused))
    for problem, status, heading in (
        ("busy", 503, "There is a lot going on"),
        ("state-unavailable", 503, "Stamping is not possible right now"),
        ("key-expired", 403, "The key of this terminal has expired"),
        ("network-not-allowed", 403, "Wrong network"),
        ("clock-skew", 401, "The clock of this device is wrong"),
        ("device-unknown", 401, "The gateway does not know this terminal"),
        ("covered-components", 401, "The gateway did not accept this terminal's signature"),
    ):
        refused = (status, problem)
        await sign_in(page)
        await shows(page, heading)
        await expect(page.locator("#fault-advice")).not_to_be_empty()
        await page.get_by_role("button", name="Try again", exact=True).dispatch_event("click")
    await is_idle(page)
    await page.unroute_all(behavior="wait")
    await page.clock.set_system_time(0)
    await sign_in(page)
    await shows(page, "Anna Albers")


async def test_a_browser_that_cannot_be_a_terminal_is_told_why(terminals: Terminals) -> None:
    tablet = await terminals.consoles.new()
    await tablet.add_init_script(
        "if (isSecureContext)"
        " SubtleCrypto.prototype.generateKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))"
    )
    page = await tablet.new_page()
    await page.goto(f"http://stamp.test:{terminals.consoles.house.port}/kiosk?lang=en")
    await shows(page, "This page needs HTTPS")
    await expect(page.get_by_role("link", name="How to trust the certificate")).to_have_attribute("href", "/trust")
    await page.goto(f"{terminals.consoles.origin}/kiosk?lang=en")
    await shows(page, "This browser is too old")


# ── what it is made of ────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_screen_is_accessible_in_both_languages_and_shades(terminals: Terminals) -> None:
    page = await terminals.empty()

    async def check() -> None:
        await expect(page.locator("[aria-busy]")).to_have_count(0)  # what it asks the gateway for has come
        result = await axe(page)
        assert result.violations_count == 0, result.generate_report()
        await page.evaluate(KEEP)

    await check()
    await page.get_by_label("Enrolment code").fill(await terminals.consoles.house.code("Axe"))
    await press(page, "Enrol this terminal")
    await shows(page, "Waiting for approval")
    await check()
    await terminals.approve(page, await terminals.device("Axe"))
    await check()
    await page.get_by_role("link", name="Deutsch").click()
    await check()
    await page.get_by_role("link", name="English").click()
    await sign_in(page)
    await shows(page, "Anna Albers")
    await check()
    await press(page, "My last 7 days")
    await check()
    await press(page, "Back")
    await press(page, "Change my PIN")
    await check()
    await press(page, "Back")
    await page.locator("#actions button:visible").first.click()
    await expect(page.locator("#confirmed [data-done]")).to_be_visible()
    await check()
    views = ["enrol", "words", "idle", "signed-in", "days", "pin-change", "confirmed"]
    assert await page.evaluate(SHOW_KEPT) == views
    for shade in SHADES:
        await page.emulate_media(color_scheme=shade)
        result = await axe(page, rules=("color-contrast",))
        assert result.violations_count == 0, result.generate_report()


async def test_on_every_tablet_keys_are_large_labels_on_one_line_and_no_screen_too_wide(terminals: Terminals) -> None:
    page = await terminals.at_work()
    least = 18 / 25.4 * (1280**2 + 800**2) ** 0.5 / 10.1  # 18 mm on a screen of 10 inches
    boxes = await page.locator("#sign-in .keypad button, #sign-in > button").evaluate_all(BOXES)
    assert len(boxes) == 13
    assert all(box["bottom"] <= 800 for box in boxes)
    await sign_in(page)
    await expect(page.locator("#worked")).to_have_text(re.compile(r"^Worked today: (\d+\sh )?\d+\smin$"))
    boxes += await page.locator("#signed-in button:visible").evaluate_all(BOXES)
    assert len(boxes) > 13
    assert min(min(box["width"], box["height"]) for box in boxes) >= least

    async def fits(*sizes: tuple[int, int]) -> None:
        for width, height in sizes:
            await page.set_viewport_size({"width": width, "height": height})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width

    await press(page, "My last 7 days")
    await expect(page.locator("#day-rows tr")).to_have_count(7)
    lengths = page.locator("#day-rows td:nth-child(2), #day-rows td:nth-child(3)")
    assert {re.sub(r"\d+", "0", text) for text in await lengths.all_inner_texts()} <= {"0\xa0min", "0\xa0h 0\xa0min"}
    await fits((1920, 1080), (800, 1280), (390, 844))
    await press(page, "Done")
    for language in ("Deutsch", "English"):
        await page.get_by_role("link", name=language).click()
        assert await lines_of_labels(page, "#sign-in") == [1, 1]
        script = "all => all.map(one => one.getBoundingClientRect().top)"
        tops = await page.locator("#sign-in input").evaluate_all(script)
        assert tops[0] == tops[1]
        await sign_in(page)
        await page.locator("#show-pin").click()
        assert await lines_of_labels(page, "#pin-form") == [1, 1, 1]
        await fits((390, 844))
        await page.locator("#pin-form [data-done]").click()
    await is_idle(page)
    await fits((390, 844), (800, 1280), (1920, 1080))


async def lines_of_labels(page: Page, form: str) -> list[int]:
    script = "all => all.map(one => { const range = document.createRange(); range.selectNodeContents(one); "
    script += "return new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size; })"
    lines: list[int] = await page.locator(f"{form} label").evaluate_all(script)
    return lines


async def test_the_page_can_be_installed_and_its_key_cannot_be_read_out(terminals: Terminals) -> None:
    page = await terminals.at_work()
    scope = await page.evaluate("navigator.serviceWorker.ready.then(found => found.scope)")
    assert scope == f"{terminals.consoles.origin}/kiosk"
    manifest = await page.evaluate("fetch(document.querySelector('[rel=manifest]').href).then(got => got.json())")
    assert manifest["start_url"] == manifest["scope"] == "/kiosk"
    for icon in manifest["icons"]:
        assert await page.evaluate("address => fetch(address).then(got => got.status)", icon["src"]) == 200
    refused = await page.evaluate(
        "import(document.querySelector('script').src.replace('kiosk.js', 'kiosk-keys.js')).then(keys => keys.load())"
        ".then(({key}) => crypto.subtle.exportKey('pkcs8', key.privateKey)).then(() => null, error => error.name)"
    )
    assert refused == "InvalidAccessError"
