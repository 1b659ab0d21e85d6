"""The console in a real browser over a real gateway: from signing up to the first stamp, and what must hold there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Page, Route, ViewportSize, expect

from tests.browser.axe import axe, beyond_the_edge, read_all, take_over, take_over_all
from tests.browser.console_house import OWNER, PASSWORD, Consoles, consoles_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.gateway.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="package")

PAGES = (
    *("", "/terminals", "/terminals/new", "/people", "/people/new", "/people/import", "/people/slips", "/phone"),
    *("/phone/rotate", "/stamps", "/locks", "/audit", "/settings", "/settings/invite", "/account", "/locks/all"),
)
FORM_IN_A_LIST = """() => {
    const form = '<form method="post" action="/console/locks/all"><button>Now</button></form>';
    document.querySelector("[data-live]").innerHTML += form;
}"""
HEADINGS_AND_FORBIDDEN = """page => [
    page.querySelectorAll("h1, [role=heading][aria-level='1']").length,
    [...page.querySelectorAll("*")].filter(one => one.matches("style, [style], script:not([src])")
        || one.getAttributeNames().some(name => name.startsWith("on"))).map(one => one.outerHTML),
]"""
"""How many headings of the first level there are, and what the policy would keep the browser from heeding."""
OF_A_GERMAN_PAGE = """page => [
    page.documentElement.lang,
    /Einstellungen/.test(page.querySelector("nav[aria-label=Konsole]")?.textContent),
    [...page.body.querySelectorAll("*")].map(one => one.textContent.trim())
        .filter(text => /^(Sign out|Settings|Cancel|Search|People|optional)$/.test(text)),
]"""
TABLES = """() => [...document.querySelectorAll("table")].map(table => ({
    outside: [...table.querySelectorAll("tbody *")]
        .filter(one => one.offsetWidth && one.getBoundingClientRect().right > innerWidth).map(one => one.outerHTML),
    scrolls: table.parentElement.scrollWidth > table.parentElement.clientWidth,
}))"""
OF_WHICH_TABLE = "them => them.map(one => [...document.querySelectorAll('table')].indexOf(one.closest('table')))"
RULES: dict[Literal["light", "dark"], tuple[str, ...]] = {"light": (), "dark": ("color-contrast",)}
PHONE: ViewportSize = {"width": 390, "height": 844}
DOORS = ("/console/sign-in", "/console/forgotten-password", "/password-reset", "/register")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Consoles]:
    async with consoles_of(browser, tmp_path_factory.mktemp("console") / "data") as opened:
        await opened.found_company()
        await opened.house.person("0100", name="Dora Keller")
        await opened.house.terminal(label="Warehouse")
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def consoles(house: Consoles) -> AsyncIterator[Consoles]:
    yield house
    await house.clear()
    assert house.faults == []
    assert house.foreign == []


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def follow(page: Page, name: str) -> None:
    await page.get_by_role("link", name=name, exact=True).first.click()


async def says(page: Page, text: str | re.Pattern[str]) -> None:
    await expect(page.get_by_role("status").first).to_contain_text(text)


async def approve(page: Page, words: list[str]) -> None:
    """Type the words that are asked for."""
    for place, word in enumerate(words, start=1):
        field = page.get_by_label(f"Word {place}", exact=True)
        if await field.count():
            await field.fill(word)
    await press(page, "Approve")


async def add_person(page: Page, *, name: str, number: str) -> str:
    """From the form for a person to the PIN, which is returned."""
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Personnel number").fill(number)
    await press(page, "Add")
    await says(page, "The person is added.")
    await follow(page, "Set PIN")
    await press(page, "Set PIN")
    pin = await page.locator(".secret").inner_text()
    assert re.fullmatch(r"\d{6}", pin)
    return pin


async def add_terminal(consoles: Consoles, page: Page, *, label: str) -> Terminal:
    """From the form for a terminal to one that is approved by two words."""
    await page.get_by_label("Name", exact=True).fill(label)
    await press(page, "Add and show the code")
    code = await page.get_by_label("Enrolment code", exact=True).inner_text()
    terminal, words = await consoles.enrol(code)
    await follow(page, "Go on to approval")
    await approve(page, words)
    await says(page, "The terminal is approved.")
    await consoles.house.told()
    return terminal


# ── the way through ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_from_signing_up_to_the_first_stamp(browser: Browser, tmp_path: Path) -> None:
    async with consoles_of(browser, tmp_path / "data") as consoles:
        await sign_up_and_stamp(consoles)
        assert consoles.faults == []
        assert consoles.foreign == []


async def sign_up_and_stamp(consoles: Consoles) -> None:
    page = await consoles.open("/")
    await expect(page.get_by_role("heading", name="Set up your company")).to_be_visible()
    await page.get_by_label("Company name").fill("Rosenthal Bakery")
    await page.get_by_label("Your name").fill("Olivia Rosenthal")
    await page.get_by_label("E-mail").fill(OWNER)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password again").fill("something else")
    await press(page, "Set up")
    again = page.get_by_label("Password again").and_(page.locator("[aria-invalid=true]"))
    await expect(again).to_be_focused()
    assert await again.input_value() == ""
    assert await page.get_by_label("Company name").input_value() == "Rosenthal Bakery"
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password again").fill(PASSWORD)
    await press(page, "Set up")
    await says(page, "Welcome.")
    consoles.house.company_id = (await consoles.house.gateway.administration.companies.list_())[0].id
    await follow(page, "People")
    await follow(page, "Add a person")
    pin = await add_person(page, name="Ada Winter", number="0101")
    await follow(page, "Done")
    await follow(page, "Terminals")
    await follow(page, "Add a terminal")
    terminal = await add_terminal(consoles, page, label="Main entrance")
    assert (await terminal.sign_in("0101", pin)).status == 200
    assert (await terminal.act("clock_in")).status == 201
    await follow(page, "Stamps")
    row = page.get_by_role("row").filter(has_text="Ada Winter")
    await expect(row).to_contain_text("Clock in")
    await expect(row).to_contain_text("Main entrance")
    await follow(page, "Today")
    await expect(page.get_by_role("region", name=re.compile("^In "))).to_contain_text("Ada Winter")


async def test_the_same_without_javascript(consoles: Consoles) -> None:
    page = await consoles.signed_in_anew("/console/people/new", java_script_enabled=False)
    pin = await add_person(page, name="Ben Sommer", number="0102")
    await page.goto(f"{consoles.origin}/console/terminals/new")
    terminal = await add_terminal(consoles, page, label="Side entrance")
    assert (await terminal.sign_in("0102", pin)).status == 200
    await press(page, "Sign out")
    await says(page, "You are signed out.")
    await page.goto(f"{consoles.origin}/password-reset#token={'x' * 43}")
    await expect(page.get_by_label("Code from the mail")).to_be_visible()


async def test_with_the_keyboard_alone(consoles: Consoles) -> None:
    page = await consoles.open("/console/sign-in")
    await page.locator("body").press("Tab")

    async def tab_to(name: str, role: Literal["button", "checkbox", "link", "textbox"]) -> None:
        wanted = await page.get_by_role(role, name=name, exact=True).element_handle()
        for _ in range(40):
            if await wanted.evaluate("one => one === document.activeElement"):
                assert await wanted.evaluate("one => getComputedStyle(one).outlineStyle") != "none", name
                return
            await page.keyboard.press("Tab")
        raise AssertionError(f"no {role} {name} is reached by Tab")

    await tab_to("E-mail", "textbox")
    await page.keyboard.insert_text(OWNER)
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text(PASSWORD)
    await tab_to("Remember me", "checkbox")
    await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Today")).to_be_visible()
    await tab_to("People", "link")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/people")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="To the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await tab_to("Add a person", "link")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/people/new")
    await tab_to("Name", "textbox")
    await page.keyboard.insert_text("Cem Yıldız")
    await page.keyboard.press("Tab")
    await page.keyboard.insert_text("0103")
    await tab_to("Add", "button")
    await page.keyboard.press("Enter")
    await says(page, "The person is added.")


# ── what must hold on every page ──────────────────────────────────────────────────────────────────────────────────


async def test_every_page_has_names_roles_and_contrast_in_light_and_dark(consoles: Consoles) -> None:
    site = consoles.house.gateway.administration
    person = (await site.people.list_(consoles.house.company_id))[0]
    device = (await site.devices.list_(consoles.house.company_id))[0]
    event = (await site.audit.list_(consoles.house.company_id)).events[0]
    invited = await consoles.house.gateway.invitations.invite(
        consoles.house.company_id, email="eva@example.com", role="hr", actor="cli"
    )
    further = (
        *("/audit?q=a", f"/settings/invitations/{invited.invitation.id}/withdraw"),
        *(f"/people/{person.id}", f"/people/{person.id}/edit", f"/people/{person.id}/pin"),
        *(f"/people/{person.id}/activity", f"/terminals/{device.id}", f"/terminals/{device.id}/revoke"),
        *(f"/audit/{event.id}", f"/stamps/correct?user={person.id}", "/people/0190b0e0-6f5a-7000-8000-000000000000"),
    )
    wrong: list[tuple[str, str, list[str]]] = []
    mirror = await consoles.mirror()
    own = [f"/console{path}" for path in (*PAGES, *further)]
    for paths, is_owner in ((own, True), (DOORS, False)):
        shown = await consoles.markups(paths, "en-GB", signed_in=is_owner)
        assert dict(zip(paths, await read_all(mirror, list(shown.values()), HEADINGS_AND_FORBIDDEN), strict=True)) == {
            path: [1, []] for path in paths
        }
        await take_over_all(mirror, list(shown.values()))
        for scheme, rules in RULES.items():
            await mirror.emulate_media(color_scheme=scheme)
            for one in (await axe(mirror, rules=rules)).response["violations"]:
                wrong.append(
                    (f"{paths[0]} and the like in {scheme}", one["id"], [node["html"] for node in one["nodes"]])
                )
    assert wrong == []


async def test_a_form_with_faults_and_a_page_shown_once_are_accessible_too(consoles: Consoles) -> None:
    page = await consoles.signed_in("/console/terminals/new")
    await press(page, "Add and show the code")
    await expect(page.get_by_role("alert")).to_contain_text("Please correct the marked fields.")
    await expect(page.get_by_label("Name", exact=True)).to_have_accessible_description(re.compile("Must not be empty."))
    shown = [await consoles.shown(page)]
    await page.get_by_label("Name", exact=True).fill("Shown once")
    await press(page, "Add and show the code")
    await expect(page.get_by_role("img", name="QR code of the enrolment address")).to_be_visible()
    shown.append(await consoles.shown(page))
    await page.goto(f"{consoles.origin}/console/phone/rotate")
    await page.locator("main button").click()
    await expect(page.get_by_role("img", name="Preview of the poster")).to_be_visible()
    await expect(page.get_by_role("button", name="Download PDF, A4")).to_be_visible()
    shown.append(await consoles.shown(page))
    mirror = await consoles.mirror()
    await take_over_all(mirror, shown)
    assert (await axe(mirror)).response["violations"] == []


async def test_every_page_speaks_german_to_germans_and_nothing_has_to_be_scrolled_sideways(consoles: Consoles) -> None:
    """640 × 400 is a window of 1280 × 800 at 200 %, 768 × 1024 a tablet, 320 what WCAG 1.4.10 asks for.

    In German, whose words are the longer ones.
    """
    shown = list((await consoles.markups([f"/console{path}" for path in PAGES], "de-DE")).values())
    mirror = await consoles.mirror()
    said = dict(zip(PAGES, await read_all(mirror, shown, OF_A_GERMAN_PAGE), strict=True))
    assert said == {path: ["de", True, []] for path in PAGES}
    for width, height in ((640, 400), (768, 1024), (320, 640)):
        await mirror.set_viewport_size({"width": width, "height": height})
        wider = dict(zip(PAGES, await beyond_the_edge(mirror, shown), strict=True))
        assert wider == dict.fromkeys(PAGES, 0), (width, wider)


async def test_on_a_phone_the_menu_takes_one_row_and_opens_without_script_or_pointer(consoles: Consoles) -> None:
    page = await consoles.signed_in("/console/audit?lang=de", viewport=PHONE, java_script_enabled=False)
    navigation = page.locator("nav.folded")

    async def takes_one_row(words: str) -> None:
        box = await navigation.bounding_box()
        assert box is not None
        assert box["height"] < 50
        await expect(navigation.get_by_role("link")).to_have_count(0)
        await expect(navigation).to_have_text(re.compile(words), use_inner_text=True)

    await takes_one_row("Menü Protokoll")
    await page.goto(f"{consoles.origin}/console/audit?lang=en")
    await takes_one_row("Menu Audit")
    await navigation.locator("summary").focus()
    await page.keyboard.press("Enter")
    await expect(navigation.get_by_role("link")).to_have_count(9)
    await expect(navigation.get_by_role("link", name="Audit")).to_have_attribute("aria-current", "page")
    assert await consoles.judge(page, **PHONE) == []
    await navigation.get_by_role("link", name="Locks").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Locks", level=1)).to_be_visible()


async def test_on_a_phone_all_of_a_stamp_is_in_sight(consoles: Consoles) -> None:
    house = consoles.house
    await house.person("0177", name="Maximiliane Oberhuber-Schmidt")
    terminal = await house.terminal(label="Loading bay")
    assert (await terminal.sign_in("0177", "907311")).status == 200
    assert (await terminal.act("clock_in")).status == 201
    markup = await consoles.markup("/console/stamps", "en-GB")
    page = await consoles.mirror(width=360, height=800)
    await take_over(page, markup)
    row = page.get_by_role("row", name="Oberhuber")
    await expect(row.get_by_role("rowheader")).to_have_count(1)
    seen = ("Maximiliane Oberhuber-Schmidt", "Clock in", "Terminal Loading bay", "Correct Clock in of Maximiliane")
    for cell in seen:
        await expect(row.get_by_role("cell", name=re.compile(f"^{cell}"))).to_be_in_viewport(ratio=1)
    assert (await axe(page)).violations_count == 0


async def test_on_a_phone_every_table_is_whole_and_still_a_table(consoles: Consoles) -> None:
    house = consoles.house
    await house.pending_terminal(label="Reception of the western building")
    await house.person("0178", name="Bartholomäus Winterfeld-Kaltenbrunner")
    await house.gateway.invitations.invite(
        house.company_id, email="somebody.with.a.long.name@rosenthal.example", role="it", actor="cli"
    )
    locked = await house.terminal(label="Yard")
    for _ in range(5):
        await locked.sign_in("0178", "999999")
    paths = ("/terminals", "/people", "/audit", "/locks", "/settings", "/account", "/stamps")
    shown = list((await consoles.markups([f"/console{path}" for path in paths], "de-DE")).values())
    english = await consoles.markup("/console/people", "en-GB")
    page = await consoles.mirror(**PHONE)
    tables = await read_all(page, shown, "page => page.querySelectorAll('table').length")
    assert all(tables[:6]), tables
    await take_over_all(page, shown)
    assert await page.evaluate(TABLES) == [{"outside": [], "scrolls": False}] * sum(tables)
    rows, columns, titles = [
        Counter[int](await page.get_by_role(role).evaluate_all(OF_WHICH_TABLE))
        for role in ("row", "columnheader", "rowheader")
    ]
    assert await page.get_by_role("table").count() == sum(tables) == len(rows)
    assert min(columns[table] for table in rows) > 2
    assert titles == {table: count - 1 for table, count in rows.items()}
    assert (await axe(page)).response["violations"] == []
    await take_over(page, english)
    number = page.get_by_role("row", name="Winterfeld").get_by_role("cell", name="0178", exact=True)
    title = await number.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert title == '"Personnel number: " / ""'  # seen, and not read aloud a second time


async def test_loading_a_page_that_is_shown_once_again_does_nothing_twice(consoles: Consoles) -> None:
    page = await consoles.signed_in("/console/terminals/new")
    await page.get_by_label("Name", exact=True).fill("Only one")
    await press(page, "Add and show the code")
    await expect(page.get_by_label("Enrolment code", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Only one")).to_be_visible()
    devices = await consoles.house.gateway.administration.devices.list_(consoles.house.company_id)
    assert [device.label for device in devices].count("Only one") == 1


async def test_a_double_click_gets_the_slips_that_are_given_once(consoles: Consoles) -> None:
    people = consoles.house.gateway.administration.people
    await people.add(consoles.house.company_id, full_name="Without", personnel_number="0998", actor="cli")
    page = await consoles.signed_in("/console/people/slips")
    await page.get_by_role("button", name="Set PINs and make the slips").dblclick()
    button = page.get_by_role("button", name="Download the slips")
    await expect(button).to_be_visible(timeout=30_000)
    async with page.expect_download() as download:
        await button.dblclick(delay=60)
    assert Path(await (await download.value).path()).read_bytes().startswith(b"%PDF")
    fetched = [name for name in await consoles.house.audit_names() if name == "pin_slips.fetched"]
    assert len(fetched) == 1


async def test_the_page_follows_what_happens_and_while_the_gateway_is_away_says_so_and_keeps_what_was_typed(
    consoles: Consoles,
) -> None:
    page = await consoles.signed_in(clock=True)
    await expect(page.get_by_text("Late arrival")).to_have_count(0)
    people = consoles.house.gateway.administration.people
    await people.add(consoles.house.company_id, full_name="Late arrival", personnel_number="0999", actor="cli")
    await page.clock.fast_forward(16_000)
    await expect(page.get_by_text("Late arrival")).to_be_visible()
    for away in ("internet", "proxy"):
        if away == "internet":
            await page.context.set_offline(True)
        else:
            await page.route("**/console", lambda route: route.fulfill(status=502, body="Bad Gateway"))
        await page.clock.fast_forward(16_000)
        await expect(page.get_by_role("alert")).to_contain_text(
            "The gateway cannot be reached. What is shown here may be"
        )
        if away == "internet":
            assert await consoles.judge(page) == []
        await page.context.set_offline(False)
        await page.unroute_all()
        await page.clock.fast_forward(16_000)
        await expect(page.get_by_role("alert")).to_have_count(0)

    await page.goto(consoles.origin + "/console/people/new")
    await page.get_by_label("Name", exact=True).fill("Typed In Vain")
    await page.get_by_label("Personnel number").fill("0881")
    await page.context.set_offline(True)
    await press(page, "Add")
    await expect(page.get_by_role("alert")).to_have_text(
        "The gateway cannot be reached, so nothing was sent. Please try again."
    )
    await expect(page.get_by_label("Name", exact=True)).to_have_value("Typed In Vain")
    await page.context.set_offline(False)
    await press(page, "Add")
    await says(page, "The person is added.")

    await page.goto(consoles.origin + "/console/locks")
    await page.evaluate(FORM_IN_A_LIST)
    await page.context.set_offline(True)
    await press(page, "Now")
    unsent = "The gateway cannot be reached, so nothing was sent. Please try again."
    await expect(page.get_by_role("alert")).to_have_text(unsent)
    await page.context.set_offline(False)
    await page.locator("body").click(position={"x": 1, "y": 1})
    async with page.expect_response("**/console/locks"):
        await page.clock.fast_forward(16_000)  # the list is fetched anew, which does not mean that the form was sent
    await expect(page.get_by_role("button", name="Now", exact=True)).to_have_count(0)
    await expect(page.get_by_role("alert")).to_have_text(unsent)

    # Nor is the list fetched anew while a form in it waits to be sent.
    held: list[Route] = []
    await page.route("**/static/console.js*", lambda route: held.append(route))
    await page.evaluate(FORM_IN_A_LIST)
    await page.clock.fast_forward(7_000)
    async with page.expect_request(lambda asked: asked.method == "HEAD"):
        await press(page, "Now")
    await page.locator("body").click(position={"x": 1, "y": 1})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.fast_forward(9_000)  # past the next look at the list, and not past the end of the waiting
    await page.evaluate("1")
    assert asked == []
    async with page.expect_request(lambda asked: asked.method == "POST"):
        await held[0].continue_()
    # What the browser itself says of a request that nobody answered is no fault of the page.
    consoles.faults[:] = [said for said in consoles.faults if "Failed to load resource" not in said]


# ── doors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_mailed_token_leaves_the_address_bar_for_its_field(consoles: Consoles) -> None:
    for path, name in (("/password-reset", "token"), ("/register", "invitation")):
        page = await consoles.stranger(f"{path}#{name}={'x' * 43}")
        field = page.locator(f"#{name}")
        await expect(field).to_have_value("x" * 43)
        await expect(field).to_be_hidden()
        assert page.url == consoles.origin + path


async def test_an_ended_session_leads_back_to_where_one_was(consoles: Consoles) -> None:
    page = await consoles.signed_in("/console/people", own=True)
    await page.context.clear_cookies(name="__Host-stampgate")
    await page.get_by_label("Search").fill("keller")
    await press(page, "Search")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("E-mail").fill(OWNER)
    await page.get_by_label("Password").fill(PASSWORD)
    await press(page, "Sign in")
    await expect(page.get_by_label("Search")).to_have_value("keller")
    await expect(page.get_by_role("link", name="Dora Keller")).to_be_visible()


async def test_a_page_of_another_site_can_change_nothing(consoles: Consoles) -> None:
    page = await consoles.signed_in("/console/phone")
    site = consoles.house.gateway.administration
    before = (await site.companies.get(consoles.house.company_id)).public_stamp_enabled

    async def trap(_: web.Request) -> web.Response:
        form = f'<form method="post" action="{consoles.origin}/console/phone/switch"><button>Win a cake</button></form>'
        return web.Response(text=f"<!doctype html><title>Cake</title>{form}", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", trap)
    async with TestServer(app, host="localhost") as server:
        await page.goto(f"http://localhost:{server.port}/")
        await press(page, "Win a cake")
        await expect(page.get_by_role("alert")).to_contain_text("nothing was done")
    assert (await site.companies.get(consoles.house.company_id)).public_stamp_enabled is before


async def test_over_plain_http_from_another_machine_the_sign_in_says_that_https_is_needed(consoles: Consoles) -> None:
    page = await consoles.stranger("/console/sign-in")
    await page.goto(f"http://stamp.test:{consoles.house.port}/console")
    await expect(page.get_by_role("heading", name="HTTPS is needed")).to_be_visible()
    await expect(page.get_by_label("Password")).to_have_count(0)


async def test_on_the_gateways_own_machine_the_browser_keeps_the_host_cookie_from_every_script(
    consoles: Consoles,
) -> None:
    local = await (await consoles.new()).new_page()
    await local.goto(f"http://localhost:{consoles.house.port}/console/sign-in")
    await local.get_by_label("E-mail").fill(OWNER)
    await local.get_by_label("Password").fill(PASSWORD)
    await press(local, "Sign in")
    await expect(local.get_by_role("heading", name="Today")).to_be_visible()
    for page, name in ((local, "localhost"), (await consoles.signed_in(), "127.0.0.1")):
        cookie = next(one for one in await page.context.cookies() if one["name"] == "__Host-stampgate")
        assert cookie["domain"] == name
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert cookie["expires"] == -1
        assert await page.evaluate("document.cookie") == ""
