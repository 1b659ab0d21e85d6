"""The phone page over a real gateway: from the poster to a stamp, what may come between, and all it refuses."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route, expect

from gateway.stamping.actions import Action
from gateway.stamping.corrections import Wish
from tests.browser.axe import axe
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

TAPS = "addEventListener('touchend', () => { window.taps = (window.taps ?? 0) + 1; }, true)"
NOT_RECORDED_YET = "“Clock in” was interrupted. What is shown below is recorded; if it is missing, please tap it again."


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pocket]:
    async with pocket_of(browser, tmp_path_factory.mktemp("phone") / "data") as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def pocket(house: Pocket) -> AsyncIterator[Pocket]:
    house.requests.clear()
    yield house
    assert house.faults == []
    assert {request.url.split("/")[2] for request in house.requests} <= {house.poster.split("/")[2]}
    for context in house.browser.contexts:
        await context.close()


# ── from the poster to the stamp ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("locale", "recorded"),
    [("en-GB", r"Clock in recorded at \d\d:\d\d:\d\d"), ("de-DE", r"Kommen: gebucht um \d\d:\d\d:\d\d")],
)
async def test_from_the_poster_to_a_confirmed_stamp_it_takes_two_fields_and_two_taps(
    pocket: Pocket, locale: str, recorded: str
) -> None:
    words, person = WORDS[locale[:2]], await pocket.person()
    drawn = await pocket.house.gateway.posters.draw(pocket.house.company_id, pocket.house.link, "png", "a4")
    (link,) = codes(drawn.content)
    phone = await pocket.new(locale=locale)
    await phone.add_init_script(TAPS)
    page = await phone.new_page()
    await page.goto(link)
    await expect(page.get_by_label(words["number"])).to_be_focused()
    assert len(pocket.requests) <= REQUESTS_TO_BE_READY
    assert await page.get_by_role("textbox").count() == 2
    await page.keyboard.type(person.number)
    await page.keyboard.press("Enter")  # the number pad's own key
    await expect(page.get_by_label("PIN", exact=True)).to_be_focused()
    await page.keyboard.type(person.pin)
    await tap(page, words["sign in"])
    await tap(page, words["clock in"])
    await expect(page.get_by_role("status")).to_contain_text(re.compile(recorded))
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
    person, page = await pocket.person(), await (await pocket.new()).new_page()
    await page.clock.install()
    await page.goto(pocket.poster)
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
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    shared_server().flush()
    await tap(page, "Clock in")
    await says(page, "Your sign-in has ended. Sign in again: “Clock in” will then be finished.")
    await sign_in(page, person)
    await is_confirmed(page)
    await tap(page, "Done")
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock out")).to_be_visible()
    shared_server().flush()
    await tap(page, "My last 7 days")
    await says(page, "Your sign-in has ended. Please sign in again.")
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


@pytest.mark.parametrize(
    ("way", "carried_out"), [("reload", True), ("back button", False), ("second tab", True), ("second tab", False)]
)
async def test_whoever_loses_the_page_scans_again_sees_what_is_true_and_makes_no_second_stamp(
    pocket: Pocket, way: str, carried_out: bool
) -> None:
    person, phone, ids = await pocket.person(), await pocket.new(), list[str]()
    await phone.route("**/api/time/public/action", losing(carried_out=carried_out, ids=ids))
    page = await phone.new_page()
    await page.goto(pocket.poster.partition("#")[0])
    await page.goto(pocket.poster)
    await sign_in(page, person)
    await tap(page, "Clock in")
    await expect(page.get_by_role("button", name="Try again")).to_be_visible()
    if way != "second tab":
        await (page.reload() if way == "reload" else leave_and_come_back(page))
        await says(
            page,
            "“Clock in” was interrupted. "
            "Please scan the code on the poster and sign in: then you see what is recorded.",
        )
    again = await pocket.scan(phone)
    await sign_in(again, person)
    await says(again, NOT_RECORDED_YET)
    if carried_out:
        await expect(again.get_by_text("In since")).to_be_visible()
        await expect(again.get_by_role("button", name="Clock in")).to_be_hidden()
    else:
        await expect(again.get_by_text("Out", exact=True)).to_be_visible()
        await tap(again, "Clock in")
        await is_confirmed(again)
    if way == "second tab":
        await tap(page, "Try again")
        await is_confirmed(page)
    assert len(set(ids)) == 1, "however often and from wherever: one wish"
    assert await pocket.stamped(person) == ["clock_in"]


async def leave_and_come_back(page: Page) -> None:
    await page.goto("about:blank")
    await page.go_back()


async def test_a_wish_of_long_ago_is_not_made_by_itself(pocket: Pocket) -> None:
    person, page = await pocket.person(), await (await pocket.new()).new_page()
    await page.clock.install()
    await page.goto(pocket.poster)
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
    person, phone, ids = await pocket.person(), await pocket.new(), list[str]()
    await phone.route("**/api/time/public/action", losing(carried_out=True, ids=ids))
    page = await pocket.scan(phone)
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
    person, phone, ids, sent = await pocket.person(), await pocket.new(), list[str](), asyncio.Event()

    async def scanned_before_the_answer_is_lost(route: Route) -> None:
        sent.set()
        await page.evaluate("link => { location.hash = `t=${link}`; }", pocket.house.link)
        await losing(carried_out=False, ids=ids)(route)

    page = await pocket.scan(phone)
    await sign_in(page, person)
    await phone.route("**/api/time/public/action", scanned_before_the_answer_is_lost, times=1)
    await tap(page, "Clock in")
    await sent.wait()
    await sign_in(page, person)
    await says(page, NOT_RECORDED_YET)
    await tap(page, "Clock in")
    await is_confirmed(page)
    assert await pocket.stamped(person) == ["clock_in"]


# ── refusals, each with its own sentence in both languages ────────────────────────────────────────────────────────

SENTENCES = {
    "en": {
        "wrong": "Personnel number or PIN is wrong.",
        "locked": r"Too many tries\. Locked until (\d\d:\d\d)\. You can use the terminal\.",
        "away": "Time stamping is not available at the moment. Please try again soon, or use the terminal.",
        "dead": "This poster is out of date. Please use the terminal.",
        "over": "Your time is up. Please sign in again.",
        "ended": "Your sign-in has ended. Please sign in again.",
        "days": "My last 7 days",
    },
    "de": {
        "wrong": "Personalnummer oder PIN ist falsch.",
        "locked": r"Zu viele Versuche\. Gesperrt bis (\d\d:\d\d)\. Sie können am Terminal stempeln\.",
        "away": "Stempeln ist im Moment nicht möglich. Bitte bald noch einmal versuchen oder am Terminal stempeln.",
        "dead": "Dieser Aushang ist veraltet. Bitte am Terminal stempeln.",
        "over": "Die Zeit ist um. Bitte noch einmal anmelden.",
        "ended": "Die Anmeldung ist beendet. Bitte noch einmal anmelden.",
        "days": "Meine letzten 7 Tage",
    },
}


@pytest.mark.parametrize("language", ["en", "de"])
async def test_each_refusal_has_its_own_sentence_and_loses_nothing(pocket: Pocket, language: str) -> None:
    said, companies = SENTENCES[language], pocket.house.gateway.administration.companies
    person, locked = await pocket.person(), await pocket.person("Ben Brandt")
    page = await pocket.scan(locale=language)

    await pocket.redis.cut()
    await sign_in(page, person, language=language)
    await says(page, said["away"])
    await pocket.redis.mend()
    await tap(page, WORDS[language]["sign in"])  # number and PIN are still there
    await expect(page.get_by_role("button", name=said["days"])).to_be_visible()
    await pocket.later(121)
    await tap(page, said["days"])
    await says(page, said["ended"])

    await sign_in(page, locked, "194827", language)
    await says(page, said["wrong"])
    stranger = pocket.house.phone()
    for _ in range(4):
        assert (await stranger.sign_in(locked.number, "194827")).problem == "login-failed"
    await sign_in(page, locked, language=language)
    await expect(page.get_by_role("alert")).to_have_text(re.compile(said["locked"]))
    shown = re.findall(r"\d\d:\d\d", await page.get_by_role("alert").inner_text())[0]
    expected = datetime.now(BERLIN) + timedelta(minutes=15)
    assert shown in {f"{expected + timedelta(minutes=more):%H:%M}" for more in (0, 1)}

    await sign_in(page, person, language=language)
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()
    await companies.update(pocket.house.company_id, {"public_stamp_enabled": False}, actor="cli")
    await pocket.house.told()
    await tap(page, WORDS[language]["clock in"])
    await says(page, said["dead"])  # and not "sign in again", which nobody can
    await says(await pocket.scan(locale=language), said["dead"])
    assert await page.get_by_role("textbox").count() == 0
    await companies.update(pocket.house.company_id, {"public_stamp_enabled": True}, actor="cli")
    await pocket.house.told()
    assert await pocket.stamped(person) == []


# ── times are the company's ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("locale", "sentence"),
    [
        ("en-GB", "All times are those of the company, not of this phone: Central European Time."),
        ("de-DE", "Alle Zeiten sind die der Firma, nicht die dieses Handys: Mitteleuropäische Zeit."),
    ],
)
async def test_a_phone_in_another_time_zone_tells_the_companys_time_and_says_so(
    pocket: Pocket, locale: str, sentence: str
) -> None:
    person, language = await pocket.person(), locale[:2]
    page = await pocket.scan(locale=locale, timezone_id="America/New_York")
    await sign_in(page, person, language=language)
    await expect(page.get_by_text(sentence)).to_be_visible()
    await tap(page, WORDS[language]["clock in"])
    await expect(page.get_by_role("status")).to_be_visible()
    (stamp,) = [stamp for stamp in await pocket.house.stamps() if stamp.user_id == person.id]
    shown = f"{datetime.fromtimestamp(stamp.at, BERLIN):%H:%M:%S}"
    await expect(page.get_by_role("status")).to_contain_text(shown)


async def test_on_the_phones_own_time_nothing_is_said_about_zones(pocket: Pocket) -> None:
    person, page = await pocket.person(), await pocket.scan(timezone_id="Europe/Vienna")
    await sign_in(page, person)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    await expect(page.locator("#zone")).to_be_hidden()


# ── the own last days ─────────────────────────────────────────────────────────────────────────────────────────────


async def worked(pocket: Pocket, person: Person, *stamps: tuple[int, str, Action]) -> None:
    """Have somebody's days so: how many days ago, at what time, what."""
    today = datetime.fromtimestamp(pocket.house.clock(), BERLIN).date()
    for ago, time, action in stamps:
        at = datetime.combine(today - timedelta(days=ago), datetime.strptime(time, "%H:%M").time(), BERLIN)  # noqa: DTZ007 - a time of day
        wish = Wish(user_id=person.id, action=action, at=at.timestamp(), reason="as it was")
        corrections = pocket.house.gateway.administration.corrections
        await corrections.correct(pocket.house.company_id, wish, made_by=person.id)


@pytest.mark.parametrize(
    ("locale", "title", "heads", "missing", "left"),
    [
        ("en-GB", "My last 7 days", ["Day", "Clock in", "Clock out", "Breaks", "Worked"], "missing", "Seconds left"),
        ("de-DE", "Meine letzten 7 Tage", ["Tag", "Kommen", "Gehen", "Pausen", "Gearbeitet"], "fehlt", "Sekunden"),
    ],
)
async def test_the_last_seven_days_are_shown_while_the_seconds_go_on(
    pocket: Pocket, locale: str, title: str, heads: list[str], missing: str, left: str
) -> None:
    person = await pocket.person()
    await worked(
        pocket,
        person,
        *((3, "07:58", Action.CLOCK_IN), (3, "12:00", Action.BREAK_START), (3, "12:30", Action.BREAK_END)),
        *((3, "14:00", Action.CLOCK_OUT), (3, "15:00", Action.CLOCK_IN), (3, "16:30", Action.CLOCK_OUT)),
        *((2, "06:00", Action.CLOCK_IN), (1, "00:00", Action.CLOCK_IN), (1, "00:01", Action.CLOCK_OUT)),
    )
    page = await (await pocket.new(locale=locale)).new_page()
    await page.clock.install()
    await page.goto(pocket.poster)
    await sign_in(page, person, language=locale[:2])
    await tap(page, title)
    await expect(page.get_by_role("heading", name=title)).to_be_focused()
    table = page.get_by_role("table", name=title)
    assert await table.get_by_role("columnheader").all_inner_texts() == heads
    _, *days = await table.get_by_role("row").all()
    assert len(days) == 7
    texts = [await day.get_by_role("cell").all_inner_texts() for day in days]
    cells = [[re.split(r"\n+", text.replace("\u00a0", " ")) for text in day] for day in texts]
    assert cells[:4] == [
        [["–"], ["–"], ["0 min"], ["0 min"]],
        [["00:00"], ["00:01"], ["0 min"], ["1 min"]],
        [["06:00"], [missing], ["0 min"], ["0 min"]],
        [["07:58", "15:00"], ["14:00", "16:30"], ["30 min"], ["7 h 2 min"]],
    ]
    await expect(page.get_by_role("timer")).to_contain_text(left)
    await page.go_back()  # the phone's own way back
    await expect(page.get_by_role("button", name=WORDS[locale[:2]]["clock in"])).to_be_visible()
    await tap(page, title)
    await page.locator("#back").tap()
    await expect(page.get_by_role("button", name=WORDS[locale[:2]]["clock in"])).to_be_visible()
    await tap(page, title)
    await page.clock.fast_forward(121_000)
    await says(page, SENTENCES[locale[:2]]["over"])
    assert "07:58" not in await page.content()


@pytest.mark.parametrize(
    ("locale", "sentence", "names"),
    [
        ("en-GB", "The clocks change today. What counts is the time that really passes.", ("CEST", "CET")),
        ("de-DE", "Heute ist Zeitumstellung. Es zählt die Zeit, die wirklich vergeht.", ("MESZ", "MEZ")),
    ],
)
async def test_in_the_night_when_clocks_are_put_back_the_hour_that_comes_twice_is_told_apart(
    pocket: Pocket, locale: str, sentence: str, names: tuple[str, str]
) -> None:
    now = datetime.fromtimestamp(pocket.house.clock(), BERLIN)
    change = _put_back_after(now)
    begin = change - 1800  # 02:30 for the first time
    await pocket.later(begin - pocket.house.clock())
    person, colleague = await pocket.person(), pocket.house.phone()
    await colleague.sign_in(person.number, person.pin)
    assert (await colleague.act("clock_in")).status == 201
    await pocket.later(3600)  # 02:30 for the second time
    page = await (await pocket.new(locale=locale)).new_page()
    await page.clock.install(time=datetime.fromtimestamp(pocket.house.clock(), BERLIN))
    await page.goto(pocket.poster)
    await sign_in(page, person, language=locale[:2])
    await expect(page.get_by_text(sentence)).to_be_visible()
    await expect(page.locator("#state")).to_contain_text(f"02:30 {names[0]}")
    await expect(page.locator("#worked")).to_contain_text(re.compile(r"1\sh 0\smin"))
    await tap(page, {"en": "Clock out", "de": "Gehen"}[locale[:2]])
    await expect(page.get_by_role("status")).to_contain_text(re.compile(rf"02:30:\d\d {names[1]}"))


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


@pytest.mark.parametrize(
    ("locale", "scheme", "width"), [("en-GB", "light", 390), ("de-DE", "dark", 360), ("de-DE", "light", 160)]
)
async def test_every_screen_works_with_a_screen_reader_and_at_twice_the_size(
    pocket: Pocket, locale: str, scheme: Any, width: int
) -> None:
    """A phone of 320 CSS pixels at 200 % has 160 left."""
    language, name = locale[:2], "Maximiliane Wolfeschlegelsteinhausen"
    person = await pocket.person(name)
    words, said, company = WORDS[language], SENTENCES[language], pocket.house.gateway.administration.companies
    long = {"name": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk GmbH"}
    await company.update(pocket.house.company_id, long, actor="cli")
    await pocket.house.told()
    page = await pocket.scan(locale=locale, color_scheme=scheme, viewport={"width": width, "height": 2 * width})

    async def check() -> None:
        found = (await axe(page)).response["violations"]
        assert [(one["id"], node["html"], node["any"][0]["message"]) for one in found for node in one["nodes"]] == []
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert await page.evaluate(wide) <= 0

    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
    await check()
    await sign_in(page, person, "194827", language)
    await says(page, said["wrong"])
    await check()
    await sign_in(page, person, language=language)
    await expect(page.get_by_role("heading", name=name)).to_be_visible()
    await check()
    await tap(page, said["days"])
    await expect(page.get_by_role("table", name=said["days"])).to_be_visible()
    await check()
    edges = "['table', '#back'].map((one) => document.querySelector(one).getBoundingClientRect().right)"
    table, card = await page.evaluate(edges)
    assert table <= card
    await page.locator("#back").tap()
    await tap(page, words["clock in"])
    await expect(page.get_by_role("status")).to_be_visible()
    await expect(page.get_by_role("button", name=words["done"])).to_be_enabled()
    await check()
