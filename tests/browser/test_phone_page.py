"""The phone page in a real browser: things are found as people find them, by role and name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.browser import kept_phones
from tests.browser.conftest import ANNA, ANNAS_PIN, BEN, BENS_PIN, TOKEN
from tests.browser.fake_phone_api import Person, Refused

if TYPE_CHECKING:
    from tests.browser.conftest import Phones
    from tests.browser.fake_phone_api import FakePhoneApi

pytestmark = pytest.mark.asyncio(loop_scope="package")

ACTIONS = {"Clock in", "Clock out", "Start break", "End break"}
GUARD_MS = 700
"""For so long a confirmation cannot be tapped away."""


async def sign_in(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    await kept_phones.sign_in(page, number, pin)


async def sign_in_by_hand(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    await page.get_by_label("Personnel number").fill(number)
    await page.get_by_label("PIN", exact=True).fill(pin)
    await press(page, "Sign in")


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()


async def says(page: Page, text: str | re.Pattern[str]) -> None:
    await expect(page.get_by_role("alert")).to_have_text(text)


async def buttons(page: Page) -> set[str]:
    return set(await page.get_by_role("button").all_inner_texts())


# ── the link ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_token_leaves_the_address_bar_and_is_stored_nowhere(phones: Phones, api: FakePhoneApi) -> None:
    for address, left in (
        (f"/stamp#t={TOKEN}", "/stamp"),
        (f"/stamp?t={TOKEN}", "/stamp"),
        (f"/stamp?lang=en&t={TOKEN}", "/stamp?lang=en"),
    ):
        api.requests.clear()
        page = await phones.open(address)
        await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
        assert page.url == phones.origin + left
        assert api.asked("company") == [{"token": TOKEN}]
        stored = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie, history.state])")
        assert TOKEN not in stored
        assert TOKEN not in await page.content()


async def test_the_company_comes_first_so_that_people_know_where_they_type(phones: Phones, api: FakePhoneApi) -> None:
    api.refusals["company"] = [Refused("busy", retry_after=1)]
    page = await phones.open()
    await says(page, "There is a lot going on right now. Please try again in a few seconds.")
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()
    await press(page, "Try again")
    await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()


async def test_without_a_poster_the_page_asks_for_one(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open("/stamp")
    await says(page, "Please scan the code on the poster.")
    assert api.requests == []


async def test_a_dead_poster_asks_for_nothing_and_another_in_the_same_tab_starts_anew_until_it_dies_too(
    phones: Phones, api: FakePhoneApi
) -> None:
    page = await phones.open("/stamp#t=the-token-of-last-year")
    await says(page, "This poster is out of date. Please use the terminal.")
    assert await buttons(page) == set()
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()
    await page.goto(f"{phones.origin}/stamp#t={TOKEN}")
    await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
    assert page.url == f"{phones.origin}/stamp"
    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
    api.token = "rotated"
    await sign_in(page)
    await says(page, "This poster is out of date. Please use the terminal.")
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()


# ── the way through ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_working_day(phones: Phones, api: FakePhoneApi) -> None:
    """Each time: the state in words, valid actions alone, one stamp, and nothing of it left after "Done"."""
    anna, page = api.people[ANNA], await phones.open(movable_time=True)
    anna.worked_seconds = 3 * 3600 + 125
    for words, name, action, others in (
        ("Out since", "Clock in", "clock_in", set[str]()),
        ("In since", "Start break", "break_start", {"Clock out"}),
        ("On break since", "End break", "break_end", {"Clock out"}),
        ("In since", "Clock out", "clock_out", {"Start break"}),
    ):
        anna.since = Person.since
        await (sign_in if api.stamps else sign_in_by_hand)(page)
        await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()
        shown = (await page.locator("main").inner_text()).replace("\u00a0", " ")
        assert f"{words} Mon 2 March at 07:58" in shown
        assert "Worked today: 3 h 2 min" in shown
        assert await buttons(page) & ACTIONS == {name, *others}
        await press(page, name)
        await expect(page.get_by_role("status")).to_contain_text(re.compile(rf"{name} recorded at \d\d:\d\d:\d\d"))
        assert await buttons(page) == {"Done"}
        assert api.stamps[-1]["action"] == action
        await page.clock.fast_forward(GUARD_MS)
        async with page.expect_response("**/logout"):
            await press(page, "Done")
        assert api.sessions == {}
        await says(page, "You are signed out.")
        await expect(page.get_by_label("PIN", exact=True)).to_have_value("")
        await expect(page.get_by_text("Seconds left")).to_be_hidden()
    assert len(api.stamps) == 4


async def test_a_stamp_needs_no_pointer(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await expect(page.get_by_label("Personnel number")).to_be_focused()
    await page.keyboard.type(ANNA)
    await page.keyboard.press("Tab")
    await page.keyboard.type(ANNAS_PIN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Done")).to_be_focused()
    assert len(api.stamps) == 1


async def test_failed_sign_ins_and_a_forgotten_clock_out_are_told(phones: Phones, api: FakePhoneApi) -> None:
    anna = api.people[ANNA]
    anna.state, anna.forgotten, anna.failed_attempts = "in", True, 3
    page = await phones.open()
    await sign_in(page)
    await expect(page.get_by_text("There were 3 failed sign-ins since your last one.")).to_be_visible()
    await expect(page.get_by_text("Your last clock-out is missing.")).to_be_visible()
    assert await buttons(page) & ACTIONS == {"Clock in", "Start break", "Clock out"}


async def test_a_change_of_language_keeps_the_link_and_then_all_is_in_german(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open(movable_time=True)
    await page.get_by_role("link", name="Deutsch").click()
    await page.get_by_label("Personalnummer").fill(ANNA)
    await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
    assert page.url == f"{phones.origin}/stamp?lang=de"
    await page.get_by_label("PIN", exact=True).fill(ANNAS_PIN)
    await press(page, "Anmelden")
    await expect(page.get_by_text(re.compile("^Abwesend seit .*07:58"))).to_be_visible()
    await press(page, "Kommen")
    await expect(page.get_by_role("status")).to_contain_text(re.compile(r"Kommen: gebucht um \d\d:\d\d:\d\d"))
    await page.clock.fast_forward(GUARD_MS)
    await press(page, "Fertig")
    await says(page, "Sie sind abgemeldet.")
    assert [stamp["action"] for stamp in api.stamps] == ["clock_in"]
    api.people[ANNA].state = "break"
    await page.get_by_label("PIN", exact=True).fill(ANNAS_PIN)
    await press(page, "Anmelden")
    await expect(page.get_by_role("button", name="Gehen")).to_be_visible()
    assert await buttons(page) == {"Pause beenden", "Gehen", "Meine letzten 7 Tage", "Fertig"}


# ── refusals, each with its own sentence ──────────────────────────────────────────────────────────────────────────


async def test_what_cannot_be_right_is_not_sent(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    for number, pin, sentence in (
        ("", "", "Please enter your personnel number and your PIN."),
        ("4a", ANNAS_PIN, "A personnel number has 1 to 12 digits."),
        (ANNA, "", "Please enter your personnel number and your PIN."),
        (ANNA, "1234", "A PIN has 6 to 12 digits."),
    ):
        await sign_in_by_hand(page, number, pin)
        await says(page, sentence)
    assert api.asked("auth") == []


async def test_each_refused_sign_in_has_its_own_sentence(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open(movable_time=True)
    await page.clock.set_fixed_time("2026-03-02T11:00:30Z")
    number, pin = page.get_by_label("Personnel number"), page.get_by_label("PIN", exact=True)
    await sign_in(page, pin="111222")
    await says(page, "Personnel number or PIN is wrong.")
    await expect(number).to_have_value(ANNA)
    await expect(pin).to_have_value("")
    await expect(pin).to_be_focused()
    for refused, sentence in (
        (Refused("login-throttled", retry_after=5), "Too many tries. You can try again in 5 s."),
        (
            Refused("login-throttled", retry_after=900),
            "Too many tries. Locked until 12:16. You can use the terminal.",
        ),
        (
            Refused("login-throttled", retry_after=86400),
            "Too many tries. Locked until Tue 3 March at 12:01. You can use the terminal.",
        ),
        (
            Refused("state-unavailable", retry_after=2),
            "Time stamping is not available at the moment. Please try again soon, or use the terminal.",
        ),
        (
            Refused("busy", retry_after=1),
            "There is a lot going on right now. Please try again in a few seconds.",
        ),
        (Refused("bad-request"), "Something went wrong. Please try again, or use the terminal."),
    ):
        api.refusals["auth"] = [refused]
        await sign_in(page)
        await says(page, sentence)
    await page.context.set_offline(True)
    await sign_in(page)
    await says(page, "No connection. Please check your network and try again.")
    await page.context.set_offline(False)
    await press(page, "Sign in")  # number and PIN are still there
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()


# ── one intention, one stamp ──────────────────────────────────────────────────────────────────────────────────────


async def test_somebody_elses_unfinished_stamp_is_dropped(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await sign_in(page)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    api.sessions.clear()
    await press(page, "Clock in")
    await says(page, "Your sign-in has ended. Sign in again: “Clock in” will then be finished.")
    await sign_in(page, BEN, BENS_PIN)
    await expect(page.get_by_role("heading", name="Ben Brandt")).to_be_visible()
    assert api.stamps == []


async def test_a_stamp_that_was_not_taken_is_tried_again_as_the_same(phones: Phones, api: FakePhoneApi) -> None:
    api.refusals["action"] = [Refused("busy", retry_after=1), Refused("state-unavailable", retry_after=1)]
    page = await phones.open()
    await sign_in(page)
    await press(page, "Clock in")
    await says(page, "There is a lot going on right now. Please try again in a few seconds.")
    await press(page, "Try again")
    await says(page, "Time stamping is not available at the moment. Please try again soon, or use the terminal.")
    await press(page, "Try again")
    await expect(page.get_by_role("status")).to_contain_text("Clock in recorded at")
    assert len(api.asked("action")) == 3
    assert len({body["stamp_id"] for body in api.asked("action")}) == 1


async def test_a_double_tap_is_one_stamp_and_its_confirmation_stays(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await sign_in(page)
    await page.get_by_role("button", name="Clock in").dblclick()
    await expect(page.get_by_role("status")).to_contain_text("Clock in recorded at")
    # Wherever the second tap fell: it must not have dismissed what the first one brought.
    await expect(page.get_by_role("button", name="Done")).to_be_enabled()
    await expect(page.get_by_role("status")).to_be_visible()
    assert len(api.asked("action")) == 1


async def test_what_was_done_elsewhere_meanwhile_is_told_and_nothing_is_recorded(
    phones: Phones, api: FakePhoneApi
) -> None:
    page = await phones.open()
    await sign_in(page)
    await expect(page.get_by_role("button", name="Clock in")).to_be_visible()
    api.people[ANNA].state = "in"
    await press(page, "Clock in")
    await says(page, "“Clock in” is not possible now. Nothing was recorded.")
    await expect(page.get_by_text("In since")).to_be_visible()
    assert await buttons(page) & ACTIONS == {"Start break", "Clock out"}
    assert api.stamps == []


async def test_the_page_signs_out_when_the_seconds_are_over(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open(movable_time=True)
    await sign_in(page)
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"Seconds left: 1(20|1\d)"))
    await page.clock.fast_forward(60_000)
    await expect(page.get_by_role("timer")).to_have_text(re.compile(r"Seconds left: (60|5\d)"))
    await page.clock.fast_forward(61_000)
    await says(page, "Your time is up. Please sign in again.")
    await expect(page.get_by_role("button", name="Clock in")).to_be_hidden()
    assert api.stamps == []


# ── on people's own phones ────────────────────────────────────────────────────────────────────────────────────────


async def test_the_number_is_remembered_only_when_asked_and_nothing_else_is(phones: Phones) -> None:
    page = await phones.open()
    await expect(page.get_by_label("Remember my number on this phone")).not_to_be_checked()
    await sign_in(page)
    await press(page, "Done")
    assert await page.evaluate("localStorage.length") == 0
    await page.get_by_label("Remember my number on this phone").check()
    await sign_in(page)
    await press(page, "Done")
    assert await page.evaluate("Object.values(localStorage)") == [ANNA]
    await page.goto(f"{phones.origin}/stamp?lang=en#t={TOKEN}")  # elsewhere: a new fragment alone loads no page anew
    await expect(page.get_by_label("Personnel number")).to_have_value(ANNA)
    await page.get_by_label("Remember my number on this phone").uncheck()
    await sign_in(page)
    await press(page, "Done")
    assert await page.evaluate("localStorage.length") == 0


async def test_the_fields_ask_for_digits_and_offer_nothing_to_a_password_manager(phones: Phones) -> None:
    page = await phones.open()
    number, pin = page.get_by_label("Personnel number"), page.get_by_label("PIN", exact=True)
    asks = "one => ['inputmode', 'autocomplete', 'type'].map(name => one.getAttribute(name))"
    assert await number.evaluate(asks) == ["numeric", "off", "text"]
    assert await pin.evaluate(asks) == ["numeric", "one-time-code", "password"]


async def test_without_javascript_there_is_a_sentence_and_nothing_to_type_into(phones: Phones) -> None:
    page = await phones.open(java_script_enabled=False)
    # Playwright's own text search passes over <noscript>; what the browser lays out does not.
    await expect(page.locator("body")).to_contain_text("This page needs JavaScript.", use_inner_text=True)
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()
