"""The phone page in a real browser: things are found as people find them, by role and name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import ANNA, ANNAS_PIN, BEN, BENS_PIN, TOKEN
from tests.browser.fake_phone_api import Refused

if TYPE_CHECKING:
    from tests.browser.conftest import Phones
    from tests.browser.fake_phone_api import FakePhoneApi

pytestmark = pytest.mark.asyncio(loop_scope="package")

ACTIONS = {"Clock in", "Clock out", "Start break", "End break"}


async def sign_in(page: Page, number: str = ANNA, pin: str = ANNAS_PIN) -> None:
    await page.get_by_label("Personnel number").fill(number)
    await page.get_by_label("PIN", exact=True).fill(pin)
    await page.get_by_role("button", name="Sign in").click()


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()


async def says(page: Page, text: str | re.Pattern[str]) -> None:
    await expect(page.get_by_role("alert")).to_have_text(text)


async def buttons(page: Page) -> set[str]:
    return set(await page.get_by_role("button").all_inner_texts())


# ── the link ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("address", "left"),
    [
        (f"/stamp#t={TOKEN}", "/stamp"),
        (f"/stamp?t={TOKEN}", "/stamp"),
        (f"/stamp?lang=en&t={TOKEN}", "/stamp?lang=en"),
    ],
)
async def test_the_token_leaves_the_address_bar_and_is_stored_nowhere(
    phones: Phones, api: FakePhoneApi, address: str, left: str
) -> None:
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


async def test_a_dead_poster_says_so_and_asks_for_nothing(phones: Phones) -> None:
    page = await phones.open("/stamp#t=the-token-of-last-year")
    await says(page, "This poster is out of date. Please use the terminal.")
    assert await buttons(page) == set()
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()


async def test_a_poster_that_dies_before_the_sign_in_says_so(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
    api.token = "rotated"
    await sign_in(page)
    await says(page, "This poster is out of date. Please use the terminal.")
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()


async def test_without_a_poster_the_page_asks_for_one(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open("/stamp")
    await says(page, "Please scan the code on the poster.")
    assert api.requests == []


async def test_another_poster_in_the_same_tab_starts_anew(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open("/stamp#t=the-token-of-last-year")
    await says(page, "This poster is out of date. Please use the terminal.")
    await page.goto(f"{phones.origin}/stamp#t={TOKEN}")
    await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
    assert page.url == f"{phones.origin}/stamp"


# ── the way through ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_working_day(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    day = [("Clock in", "clock_in"), ("Start break", "break_start"), ("End break", "break_end")]
    for name, action in [*day, ("Clock out", "clock_out")]:
        await sign_in(page)
        await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()
        await press(page, name)
        await expect(page.get_by_role("status")).to_contain_text(re.compile(rf"{name} recorded at \d\d:\d\d:\d\d"))
        assert await buttons(page) == {"Done"}
        assert api.stamps[-1]["action"] == action
        await press(page, "Done")
    assert len(api.stamps) == 4


async def test_the_state_is_told_in_words_and_only_valid_actions_are_offered(phones: Phones, api: FakePhoneApi) -> None:
    anna, page = api.people[ANNA], await phones.open()
    anna.worked_seconds = 3 * 3600 + 125
    for state, words, actions in (
        ("out", "Out since", {"Clock in"}),
        ("in", "In since", {"Start break", "Clock out"}),
        ("break", "On break since", {"End break", "Clock out"}),
    ):
        anna.state = state
        await sign_in(page)
        await expect(page.get_by_text(f"{words} Mon 2 March at 07:58")).to_be_visible()
        await expect(page.get_by_text("Worked today: 3 h 2 min")).to_be_visible()
        assert await buttons(page) & ACTIONS == actions
        await press(page, "Done")


async def test_the_same_in_german(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open(locale="de-DE")
    await page.get_by_label("Personalnummer").fill(ANNA)
    await page.get_by_label("PIN", exact=True).fill(ANNAS_PIN)
    await press(page, "Anmelden")
    await expect(page.get_by_text(re.compile("^Abwesend seit .*07:58"))).to_be_visible()
    await press(page, "Kommen")
    await expect(page.get_by_role("status")).to_contain_text(re.compile(r"Kommen: gebucht um \d\d:\d\d:\d\d"))
    await press(page, "Fertig")
    await says(page, "Sie sind abgemeldet.")
    assert [stamp["action"] for stamp in api.stamps] == ["clock_in"]
    api.people[ANNA].state = "break"
    await page.get_by_label("PIN", exact=True).fill(ANNAS_PIN)
    await press(page, "Anmelden")
    await expect(page.get_by_role("button", name="Gehen")).to_be_visible()
    assert await buttons(page) == {"Pause beenden", "Gehen", "Meine letzten 7 Tage", "Fertig"}


async def test_done_ends_the_session_at_the_gateway_and_forgets_the_pin(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await sign_in(page)
    await press(page, "Done")
    await says(page, "You are signed out.")
    await expect(page.get_by_label("PIN", exact=True)).to_have_value("")
    await expect(page.get_by_text("Seconds left")).to_be_hidden()
    await page.wait_for_load_state("networkidle")
    assert api.sessions == {}


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


async def test_a_change_of_language_keeps_the_link(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    await page.get_by_role("link", name="Deutsch").click()
    await expect(page.get_by_label("Personalnummer")).to_be_visible()
    await expect(page.get_by_role("heading", name=api.company)).to_be_visible()
    assert page.url == f"{phones.origin}/stamp?lang=de"


# ── refusals, each with its own sentence ──────────────────────────────────────────────────────────────────────────


async def test_a_wrong_pin_keeps_the_number_and_empties_the_pin(phones: Phones) -> None:
    page = await phones.open()
    await sign_in(page, pin="111222")
    await says(page, "Personnel number or PIN is wrong.")
    await expect(page.get_by_label("Personnel number")).to_have_value(ANNA)
    await expect(page.get_by_label("PIN", exact=True)).to_have_value("")
    await expect(page.get_by_label("PIN", exact=True)).to_be_focused()


async def test_what_cannot_be_right_is_not_sent(phones: Phones, api: FakePhoneApi) -> None:
    page = await phones.open()
    for number, pin, sentence in (
        ("", "", "Please enter your personnel number and your PIN."),
        ("4a", ANNAS_PIN, "A personnel number has 1 to 12 digits."),
        (ANNA, "", "Please enter your personnel number and your PIN."),
        (ANNA, "1234", "A PIN has 6 to 12 digits."),
    ):
        await sign_in(page, number, pin)
        await says(page, sentence)
    assert api.asked("auth") == []


async def test_each_refused_sign_in_has_its_own_sentence(phones: Phones, api: FakePhoneApi) -> None:
    page = await (await phones.new()).new_page()
    await page.clock.set_fixed_time("2026-03-02T11:00:30Z")
    await page.goto(f"{phones.origin}/stamp#t={TOKEN}")
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
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Anna Albers")).to_be_visible()


async def test_offline_is_told_and_the_typed_pin_is_still_there_when_the_network_is_back(phones: Phones) -> None:
    page = await phones.open()
    await expect(page.get_by_label("PIN", exact=True)).to_be_visible()
    await page.context.set_offline(True)
    await sign_in(page)
    await says(page, "No connection. Please check your network and try again.")
    await page.context.set_offline(False)
    await press(page, "Sign in")
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


async def test_two_tabs_make_one_stamp(phones: Phones, api: FakePhoneApi) -> None:
    first, second = await phones.open(), await phones.open()
    await sign_in(first)
    await sign_in(second)
    await expect(second.get_by_role("button", name="Clock in")).to_be_visible()
    await press(first, "Clock in")
    await expect(first.get_by_role("status")).to_contain_text("Clock in recorded at")
    await press(second, "Clock in")
    await says(second, "“Clock in” is not possible now. Nothing was recorded.")
    await expect(second.get_by_text("In since")).to_be_visible()
    assert await buttons(second) & ACTIONS == {"Start break", "Clock out"}
    assert len(api.stamps) == 1


async def test_the_page_signs_out_when_the_seconds_are_over(phones: Phones, api: FakePhoneApi) -> None:
    page = await (await phones.new()).new_page()
    await page.clock.install()
    await page.goto(f"{phones.origin}/stamp#t={TOKEN}")
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
    again = await page.context.new_page()
    await again.goto(f"{phones.origin}/stamp#t={TOKEN}")
    await expect(again.get_by_label("Personnel number")).to_have_value(ANNA)
    await again.get_by_label("Remember my number on this phone").uncheck()
    await sign_in(again)
    await press(again, "Done")
    assert await again.evaluate("localStorage.length") == 0


async def test_the_fields_ask_for_digits_and_offer_nothing_to_a_password_manager(phones: Phones) -> None:
    page = await phones.open()
    number, pin = page.get_by_label("Personnel number"), page.get_by_label("PIN", exact=True)
    await expect(number).to_have_attribute("inputmode", "numeric")
    await expect(number).to_have_attribute("autocomplete", "off")
    await expect(pin).to_have_attribute("inputmode", "numeric")
    await expect(pin).to_have_attribute("autocomplete", "one-time-code")
    await expect(pin).to_have_attribute("type", "password")


async def test_without_javascript_there_is_a_sentence_and_nothing_to_type_into(phones: Phones) -> None:
    page = await phones.open(java_script_enabled=False)
    # Playwright's own text search passes over <noscript>; what the browser lays out does not.
    await expect(page.locator("body")).to_contain_text("This page needs JavaScript.", use_inner_text=True)
    await expect(page.get_by_label("PIN", exact=True)).to_be_hidden()
