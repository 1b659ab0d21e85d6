"""The phone page over a real gateway: from the poster to a stamp, what may come between, and all it refuses."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from gateway.stamping.actions import Action
from gateway.stamping.corrections import Wish
from tests.browser.axe import axe, take_over_all
from tests.browser.phone_house import WORDS, Pocket, is_confirmed, pocket_of, says, sign_in, tap
from tests.gateway.conftest import patience
from tests.gateway.printing.pages import codes
from tests.servers.redis import shared_server

__all__ = ["patience"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.gateway.house import Person

pytestmark = pytest.mark.asyncio(loop_scope="package")

BERLIN = ZoneInfo("Europe/Berlin")
REQUESTS_TO_BE_READY = 5
"""Page, script, style sheet, icon, whose poster it is."""

HEADS = {
    "en": ["Day", "Clock in", "Clock out", "Breaks", "Worked"],
    "de": ["Tag", "Kommen", "Gehen", "Pausen", "Gearbeitet"],
}
TOO_WIDE = """() => {
    const [root, table, card] = ["html", "table", "#back"].map((one) => document.querySelector(one));
    const right = (one) => one.getBoundingClientRect().right;
    return [...(root.scrollWidth > root.clientWidth ? ["page"] : []), ...(right(table) > right(card) ? ["table"] : [])];
}"""
"""What does not fit into the width there is. What is hidden has none."""

TAPS = "addEventListener('touchend', () => { window.taps = (window.taps ?? 0) + 1; }, true)"
NOT_RECORDED_YET = "“Clock in” was interrupted. What is shown below is recorded; if it is missing, please tap it again."
DEAD = "This poster is out of date. Please use the terminal."


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pocket]:
    async with pocket_of(browser, tmp_path_factory.mktemp("phone") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def pocket(house: Pocket) -> AsyncIterator[Pocket]:
    house.requests.clear()
    yield house
    await house.kept.put_back()
    assert house.faults == []
    assert {request.url.split("/")[2] for request in house.requests} <= {house.poster.split("/")[2]}


# ── from the poster to the stamp ──────────────────────────────────────────────────────────────────────────────────


async def test_from_the_poster_to_a_confirmed_stamp_it_takes_two_fields_and_two_taps(pocket: Pocket) -> None:
    person = await pocket.person()
    drawn = await pocket.house.gateway.posters.draw(pocket.house.company_id, pocket.house.link, "png", "a4")
    (link,) = codes(drawn.content)
    phone = await pocket.kept.new()
    await phone.add_init_script(TAPS)
    page = await phone.new_page()
    await page.goto(link)
    await expect(page.get_by_label("Personnel number")).to_be_focused()
    assert len(pocket.requests) <= REQUESTS_TO_BE_READY
    assert await page.get_by_role("textbox").count() == 2
    await page.keyboard.type(person.number)
    await page.keyboard.press("Enter")  # the number pad's own key
    await expect(page.get_by_label("PIN", exact=True)).to_be_focused()
    await page.keyboard.type(person.pin)
    await tap(page, "Sign in")
    await tap(page, "Clock in")
    await expect(page.get_by_role("status")).to_contain_text(re.compile(r"Clock in recorded at \d\d:\d\d:\d\d"))
    assert await page.evaluate("window.taps") == 2
    (stamp,) = [stamp for stamp in await pocket.house.stamps() if stamp.user_id == person.id]
    assert (stamp.action, stamp.tier, stamp.link_version) == ("clock_in", "phone", 1)
    await keeps_the_link_and_the_pin_to_itself(pocket, page, person)


async def keeps_the_link_and_the_pin_to_itself(pocket: Pocket, page: Page, person: Person) -> None:
    """What a proxy's log, another site or the next to hold the phone could see of it."""
    told = {}
    for request in pocket.requests:
        fields = await request.all_headers()
        for secret in (pocket.house.link, person.pin):
            assert secret not in f"{request.url.partition('#')[0]} {fields}"
        assert not {"referer", "cookie"} & fields.keys()
        answer = await request.response()
        assert answer is not None
        headers = await answer.all_headers()
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers
        if "/static/" not in request.url:
            assert headers["cache-control"] == "no-store"
        if pocket.house.link in (request.post_data or ""):
            told[request.url.rpartition("/")[2]] = request.method
    assert told == {"company": "POST", "auth": "POST"}
    assert await page.context.cookies() == []
    assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
    assert pocket.house.link not in await page.evaluate("location.href + JSON.stringify(history.state)")


# ── one wish, one stamp, whatever comes between ───────────────────────────────────────────────────────────────────


def losing(*, carried_out: bool, ids: list[str]) -> Any:
    """A route on which the next stamp's answer, or the stamp itself, is lost. Notes the ids of all."""

    async def handle(route: Route) -> None:
        asked: Any = route.request.post_data_json
        ids.append(asked["stamp_id"])
        if len(ids) > 1:
            await route.continue_()
            return
        if carried_out:
            await route.fetch()
        await route.abort()

    return handle


async def test_a_stamp_cut_off_by_the_end_of_the_two_minutes_is_finished_after_signing_in_again(
    pocket: Pocket,
) -> None:
    person, page = await pocket.person(), await pocket.scan(movable_time=True)
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()

    async def too_late(route: Route) -> None:
        await pocket.later(121)
        await page.clock.set_system_time(datetime.fromtimestamp(pocket.house.clock(), BERLIN))
        await route.continue_()

    await page.route("**/api/time/public/action", too_late, times=1)
    await tap(page, "Clock in")
    await says(page, "Your time is up. Sign in again: “Clock in” will then be finished.")
    assert await pocket.stamped(person) == []
    await sign_in(page, person)
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in"]


async def test_a_session_that_the_gateway_has_lost_is_not_said_to_be_over_by_time(pocket: Pocket) -> None:
    person, page = await pocket.person(), await pocket.scan()
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="My last 7 days")).to_be_visible()
    shared_server().flush()
    await tap(page, "My last 7 days")
    await says(page, "Your sign-in has ended. Please sign in again.")
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    shared_server().flush()
    await tap(page, "Clock in")
    await says(page, "Your sign-in has ended. Sign in again: “Clock in” will then be finished.")
    await sign_in(page, person)
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in"]


async def test_flight_mode_in_the_middle_and_for_longer_than_the_two_minutes_makes_one_stamp(pocket: Pocket) -> None:
    person, page = await pocket.person(), await pocket.scan()
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    await page.context.set_offline(True)
    await tap(page, "Clock in")
    await says(
        page,
        "No answer came. We do not know yet whether “Clock in” was recorded. Try again: it will count only once.",
    )
    await pocket.later(121)
    await page.context.set_offline(False)
    await tap(page, "Try again")
    await sign_in(page, person)
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in"]


async def test_whoever_loses_the_page_and_comes_back_is_sent_to_the_poster(pocket: Pocket) -> None:
    person, page, ids = await pocket.person(), await pocket.scan(), list[str]()
    await page.route("**/api/time/public/action", losing(carried_out=False, ids=ids))
    await sign_in(page, person)
    await tap(page, "Clock in")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    await page.goto("about:blank")
    for way_back in (page.go_back, page.reload):
        await way_back()
        await says(
            page,
            "“Clock in” was interrupted. "
            "Please scan the code on the poster and sign in: then you see what is recorded.",
        )
    await page.goto(pocket.poster)
    await sign_in(page, person)
    await says(page, NOT_RECORDED_YET)
    await tap(page, "Clock in")
    await is_confirmed(page)
    assert len(set(ids)) == 1
    assert await pocket.stamped(person) == ["clock_in"]


@pytest.mark.parametrize("carried_out", [True, False])
async def test_whoever_scans_again_in_a_second_tab_sees_what_is_true_and_makes_no_second_stamp(
    pocket: Pocket, carried_out: bool
) -> None:
    person, page, ids = await pocket.person(), await pocket.scan(), list[str]()
    await page.context.route("**/api/time/public/action", losing(carried_out=carried_out, ids=ids))
    await sign_in(page, person)
    await tap(page, "Clock in")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    again = await page.context.new_page()
    await again.goto(pocket.poster)
    await sign_in(again, person)
    await says(again, NOT_RECORDED_YET)
    if carried_out:
        await expect(again.get_by_text("In since")).to_be_visible()
        await expect(again.get_by_role("button", name="Clock in")).to_be_hidden()
    else:
        await expect(again.get_by_text("Out", exact=True)).to_be_visible()
        await tap(again, "Clock in")
        await is_confirmed(again)
    await tap(page, "Try again")
    await is_confirmed(page)
    assert len(set(ids)) == 1, "however often and from wherever: one wish"
    assert await pocket.stamped(person) == ["clock_in"]


async def test_a_wish_of_long_ago_is_not_made_by_itself(pocket: Pocket) -> None:
    person, page = await pocket.person(), await pocket.scan(movable_time=True)
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    await pocket.later(121)
    await tap(page, "Clock in")
    await says(page, "Your sign-in has ended. Sign in again: “Clock in” will then be finished.")
    await page.clock.fast_forward(3 * 3600 * 1000)
    await sign_in(page, person)
    await says(page, NOT_RECORDED_YET)
    assert await pocket.stamped(person) == []


async def test_an_answer_that_comes_when_more_has_happened_is_no_confirmation(pocket: Pocket) -> None:
    person, page, ids = await pocket.person(), await pocket.scan(), list[str]()
    await page.route("**/api/time/public/action", losing(carried_out=True, ids=ids))
    await sign_in(page, person)
    await tap(page, "Clock in")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    elsewhere = pocket.house.phone()
    await elsewhere.sign_in(person.number, person.pin)
    assert (await elsewhere.act("clock_out")).status == 201
    await tap(page, "Try again")
    await expect(page.get_by_role("alert")).to_contain_text("Clock in recorded at")
    await expect(page.get_by_text("Out since")).to_be_visible()
    await tap(page, "Clock in")
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in", "clock_out", "clock_in"]


async def test_a_poster_scanned_into_the_same_tab_waits_for_what_is_under_way(pocket: Pocket) -> None:
    person, page, ids, sent = await pocket.person(), await pocket.scan(), list[str](), asyncio.Event()

    async def scanned_before_the_answer_is_lost(route: Route) -> None:
        sent.set()
        await page.evaluate("link => { location.hash = `t=${link}`; }", pocket.house.link)
        await losing(carried_out=False, ids=ids)(route)

    await sign_in(page, person)
    await page.route("**/api/time/public/action", scanned_before_the_answer_is_lost, times=1)
    await tap(page, "Clock in")
    await sent.wait()
    await sign_in(page, person)
    await says(page, NOT_RECORDED_YET)
    await tap(page, "Clock in")
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in"]


# ── refusals, each with its own sentence ──────────────────────────────────────────────────────────────────────────


async def test_each_refusal_has_its_own_sentence_and_loses_nothing(pocket: Pocket) -> None:
    companies = pocket.house.gateway.administration.companies
    person, locked, page = await pocket.person(), await pocket.person("Ben Brandt"), await pocket.scan()

    await pocket.redis.cut()
    await sign_in(page, person)
    await says(page, "Time stamping is not available at the moment. Please try again soon, or use the terminal.")
    await pocket.redis.mend()
    await tap(page, "Sign in")  # number and PIN are still there
    await expect(page.get_by_role("button", name="My last 7 days")).to_be_visible()
    await pocket.later(121)
    await tap(page, "My last 7 days")
    await says(page, "Your sign-in has ended. Please sign in again.")

    await sign_in(page, locked, "194827")
    await says(page, "Personnel number or PIN is wrong.")
    stranger = pocket.house.phone()
    for _ in range(4):
        assert (await stranger.sign_in(locked.number, "194827")).problem == "login-failed"
    await sign_in(page, locked)
    lock = re.compile(r"Too many tries\. Locked until (\d\d:\d\d)\. You can use the terminal\.")
    await expect(page.get_by_role("alert")).to_have_text(lock)
    shown = re.findall(r"\d\d:\d\d", await page.get_by_role("alert").inner_text())[0]
    expected = datetime.now(BERLIN) + timedelta(minutes=15)
    assert shown in {f"{expected + timedelta(minutes=more):%H:%M}" for more in (0, 1)}

    await sign_in(page, person)
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()
    await companies.update(pocket.house.company_id, {"public_stamp_enabled": False}, actor="cli")
    await pocket.house.told()
    await tap(page, "Clock in")
    await says(page, DEAD)  # and not "sign in again", which nobody can
    await says(await pocket.scan(), DEAD)
    assert await page.get_by_role("textbox").count() == 0
    await companies.update(pocket.house.company_id, {"public_stamp_enabled": True}, actor="cli")
    await pocket.house.told()
    assert await pocket.stamped(person) == []


async def test_each_sentence_is_there_in_german(pocket: Pocket) -> None:
    """The script takes all its sentences from the page, by the same names in each language."""
    async with pocket.house.http.get(f"{pocket.house.url}/stamp?lang=de") as answer:
        texts = dict(re.findall(r'<p data-text="(\w+)">([^<]*)</p>', await answer.text()))
    assert (
        texts.items()
        >= {
            "loginFailed": "Personalnummer oder PIN ist falsch.",
            "throttledUntil": "Zu viele Versuche. Gesperrt bis {time}. Sie können am Terminal stempeln.",
            "unavailable": "Stempeln ist im Moment nicht möglich. "
            "Bitte bald noch einmal versuchen oder am Terminal stempeln.",
            "linkNotValid": "Dieser Aushang ist veraltet. Bitte am Terminal stempeln.",
            "timeUp": "Die Zeit ist um. Bitte noch einmal anmelden.",
            "ended": "Die Anmeldung ist beendet. Bitte noch einmal anmelden.",
            "missing": "fehlt",
        }.items()
    )


# ── the own last days ─────────────────────────────────────────────────────────────────────────────────────────────


async def worked(pocket: Pocket, person: Person, *stamps: tuple[int, str, Action]) -> None:
    """Have somebody's days so: how many days ago, at what time, what."""
    today = datetime.fromtimestamp(pocket.house.clock(), BERLIN).date()
    for ago, time, action in stamps:
        at = datetime.combine(today - timedelta(days=ago), datetime.strptime(time, "%H:%M").time(), BERLIN)  # noqa: DTZ007 - a time of day
        wish = Wish(user_id=person.id, action=action, at=at.timestamp(), reason="as it was")
        corrections = pocket.house.gateway.administration.corrections
        await corrections.correct(pocket.house.company_id, wish, made_by=person.id)


async def test_the_last_seven_days_are_shown_while_the_seconds_go_on(pocket: Pocket) -> None:
    person = await pocket.person()
    await worked(
        pocket,
        person,
        *((3, "07:58", Action.CLOCK_IN), (3, "12:00", Action.BREAK_START), (3, "12:30", Action.BREAK_END)),
        *((3, "14:00", Action.CLOCK_OUT), (3, "15:00", Action.CLOCK_IN), (3, "16:30", Action.CLOCK_OUT)),
        *((2, "06:00", Action.CLOCK_IN), (1, "00:00", Action.CLOCK_IN), (1, "00:01", Action.CLOCK_OUT)),
    )
    page, title = await pocket.scan(movable_time=True), "My last 7 days"
    await sign_in(page, person)
    await expect(page.locator("#zone")).to_be_hidden()  # the phone is abroad, and has the company's time
    await tap(page, title)
    await expect(page.get_by_role("heading", name=title)).to_be_focused()
    table = page.get_by_role("table", name=title)
    assert await table.get_by_role("columnheader").all_inner_texts() == HEADS["en"]
    assert await table.get_by_role("row").count() == 1 + 7
    texts = (await table.get_by_role("cell").all_inner_texts())[: 4 * 4]
    cells = [
        [re.split(r"\n+", text.replace("\u00a0", " ")) for text in texts[row : row + 4]] for row in range(0, 4 * 4, 4)
    ]
    assert cells == [
        [["–"], ["–"], ["0 min"], ["0 min"]],
        [["00:00"], ["00:01"], ["0 min"], ["1 min"]],
        [["06:00"], ["missing"], ["0 min"], ["0 min"]],
        [["07:58", "15:00"], ["14:00", "16:30"], ["30 min"], ["7 h 2 min"]],
    ]
    await expect(page.get_by_role("timer")).to_contain_text("Seconds left")
    await page.go_back()  # the phone's own way back
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    await tap(page, title)
    await page.locator("#back").tap()
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    await tap(page, title)
    await page.clock.fast_forward(121_000)
    await says(page, "Your time is up. Please sign in again.")
    assert "07:58" not in await page.content()


# ── times are the company's ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("locale", "foreign", "change", "names", "clock_out", "recorded"),
    [
        (
            "en-GB",
            "All times are those of the company, not of this phone: Central European Time.",
            "The clocks change today. What counts is the time that really passes.",
            ("CEST", "CET"),
            "Clock out",
            "Clock out recorded at",
        ),
        (
            "de-DE",
            "Alle Zeiten sind die der Firma, nicht die dieses Handys: Mitteleuropäische Zeit.",
            "Heute ist Zeitumstellung. Es zählt die Zeit, die wirklich vergeht.",
            ("MESZ", "MEZ"),
            "Gehen",
            "Gehen: gebucht um",
        ),
    ],
)
async def test_a_phone_in_another_time_zone_tells_the_companys_time_also_in_the_hour_that_comes_twice(
    pocket: Pocket, locale: str, foreign: str, change: str, names: tuple[str, str], clock_out: str, recorded: str
) -> None:
    begin = _put_back_after(datetime.fromtimestamp(pocket.house.clock(), BERLIN)) - 1800  # 02:30 for the first time
    await pocket.later(begin - pocket.house.clock())
    person, colleague = await pocket.person(), pocket.house.phone()
    await colleague.sign_in(person.number, person.pin)
    assert (await colleague.act("clock_in")).status == 201
    await pocket.later(3600)  # 02:30 for the second time
    page = await (await pocket.kept.new(locale=locale, timezone_id="America/New_York")).new_page()
    await page.clock.install(time=datetime.fromtimestamp(pocket.house.clock(), BERLIN))
    await page.goto(pocket.poster)
    await sign_in(page, person)
    await expect(page.get_by_text(foreign)).to_be_visible()
    await expect(page.get_by_text(change)).to_be_visible()
    await expect(page.locator("#state")).to_contain_text(f"02:30 {names[0]}")
    await expect(page.locator("#worked")).to_contain_text(re.compile(r"1\sh 0\smin"))
    await tap(page, clock_out)
    await expect(page.get_by_role("status")).to_contain_text(re.compile(rf"{recorded} 02:3\d:\d\d {names[1]}"))
    *_, stamp = [stamp for stamp in await pocket.house.stamps() if stamp.user_id == person.id]
    shown = f"{datetime.fromtimestamp(stamp.at, BERLIN):%H:%M:%S}"
    await expect(page.get_by_role("status")).to_contain_text(shown)


def _put_back_after(moment: datetime) -> float:
    """When clocks are put back next: three o'clock on the last Sunday of October, as it is until then."""
    for year in (moment.year, moment.year + 1):
        last = datetime(year, 10, 31, 3, tzinfo=BERLIN)
        sunday = last - timedelta(days=(last.weekday() + 1) % 7)
        at = sunday.timestamp() - 3600
        if at > moment.timestamp() + 86400:
            return at
    raise AssertionError


# ── for everybody ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_every_screen_works_with_a_screen_reader_and_at_twice_the_size(pocket: Pocket) -> None:
    """A phone of 320 CSS pixels at 200 % has 160 left."""
    company = pocket.house.gateway.administration.companies
    long = {"name": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk GmbH"}
    await company.update(pocket.house.company_id, long, actor="cli")
    await pocket.house.told()
    in_english = await screens_of(await _phone_that_speaks(pocket, "en-GB"), pocket, "en", [390])
    page = await _phone_that_speaks(pocket, "de-DE")
    in_german = await screens_of(page, pocket, "de", [360, 160])
    shown: tuple[tuple[list[str], Literal["light", "dark"], int], ...]
    shown = ((in_english, "light", 390), (in_german, "dark", 160))
    for screens, scheme, width in shown:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 2 * width})
        await take_over_all(page, screens)
        found = (await axe(page)).response["violations"]
        assert [(one["id"], node["html"], node["any"][0]["message"]) for one in found for node in one["nodes"]] == []


async def _phone_that_speaks(pocket: Pocket, locale: str) -> Page:
    page = await (await pocket.kept.new(locale=locale)).new_page()
    await page.goto(pocket.poster)
    return page


async def screens_of(page: Page, pocket: Pocket, language: str, widths: list[int]) -> list[str]:
    """Go through all screens, each of which must fit into these widths; return what each has come to."""
    name, words, screens = "Maximiliane Wolfeschlegelsteinhausen", WORDS[language], list[str]()
    person = await pocket.person(name)

    async def check() -> None:
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 2 * width})
            assert await page.evaluate("innerWidth") == width
            assert await page.evaluate(TOO_WIDE) == []
        screens.append(await page.evaluate("document.documentElement.outerHTML"))

    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
    await check()
    await sign_in(page, person, "194827")
    await says(page, words["wrong"])
    await check()
    await sign_in(page, person)
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await check()
    await tap(page, words["days"])
    table = page.get_by_role("table", name=words["days"])
    await expect(table).to_be_visible()
    assert await table.get_by_role("columnheader").all_inner_texts() == HEADS[language]
    await expect(page.get_by_role("timer")).to_contain_text(words["left"])
    await check()
    await page.locator("#back").tap()
    await tap(page, words["clock in"])
    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.get_by_role("button", name=words["done"])).to_be_enabled()
    await check()
    return screens
