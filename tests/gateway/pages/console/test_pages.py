"""What is done on the pages, over the real services."""

from __future__ import annotations

import asyncio
import io
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from gateway.accounts.roles import CONFIRMED_FOR_SECONDS
from gateway.people.routes import CSV_LIMIT
from gateway.stamping.local_day import date_of, zone_named
from tests.gateway.pages.console.visitor import PASSWORD, Visitor, slips_ready, visitor_as

if TYPE_CHECKING:
    from tests.gateway.house import House
    from tests.gateway.pages.console.visitor import Shown


def output(shown: Shown, name: str) -> str:
    found = re.search(rf'<output id="{name}"[^>]*>([^<]*)</output>', shown.text)
    assert found is not None
    return found[1]


async def stale(house: House) -> None:
    """Let the last password entry be too long ago for sensitive acts."""
    house.clock.move(CONFIRMED_FOR_SECONDS + 60)


# ── the password again ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_sensitive_act_asks_for_the_password_and_then_does_what_was_asked(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    await stale(house)
    asked = await visitor.post("/console/settings/invite", {"email": "new@rosenthal.example", "role": "hr"})
    assert asked.status == 403
    assert "Confirm your password" in asked.words
    assert asked.value("email") == "new@rosenthal.example"
    wrong = await visitor.post(
        "/console/settings/invite",
        {"email": "new@rosenthal.example", "role": "hr", "confirm_password": "wrong horse battery"},
    )
    assert wrong.status == 401
    assert wrong.faults == ["The password is wrong."]
    assert wrong.value("email") == "new@rosenthal.example"
    assert "wrong horse" not in wrong.text
    assert "account.invited" not in await house.audit_names()
    done = await visitor.post(
        "/console/settings/invite",
        {"email": "new@rosenthal.example", "role": "hr", "confirm_password": PASSWORD},
    )
    after = await visitor.follow(done)
    assert "Open invitations" in after.words
    assert "new@rosenthal.example" in after.words
    assert "account.invited" in await house.audit_names()


async def test_a_page_that_needs_the_password_fresh_is_come_back_to(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    await stale(house)
    asked = await visitor.get("/console/people/slips")
    assert asked.location == "/console/confirm?next=%2Fconsole%2Fpeople%2Fslips"
    form = await visitor.follow(asked)
    assert (await visitor.post("/console/confirm", {"next": form.value("next")})).faults == ["Must not be empty."]
    back = await visitor.post("/console/confirm", {"next": form.value("next"), "confirm_password": PASSWORD})
    assert back.location == "/console/people/slips"
    assert (await visitor.follow(back)).status == 200


async def test_guessing_the_password_there_counts_and_locks(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    for _ in range(5):
        await visitor.post("/console/confirm", {"confirm_password": "wrong horse battery"})
    shown = await visitor.post("/console/confirm", {"confirm_password": PASSWORD})
    assert shown.status == 429
    assert "Too many failed tries. Please wait 15 min, or ask" in shown.words


async def test_an_export_asks_for_the_password_and_comes_back_with_its_filters(house: House) -> None:
    person = await house.person("0101")
    visitor = await visitor_as(house, "hr")
    await stale(house)
    asked = await visitor.get(f"/console/stamps/export?user={person.id}&from=2026-01-01")
    assert asked.location.startswith("/console/confirm?next=%2Fconsole%2Fstamps%3F")
    back = await visitor.post(
        "/console/confirm",
        {"next": (await visitor.follow(asked)).value("next"), "confirm_password": PASSWORD},
    )
    assert back.location == f"/console/stamps?user={person.id}&from=2026-01-01"
    file = await visitor.get(f"/console/stamps/export?user={person.id}&from=2026-01-01")
    assert file.headers["Content-Disposition"] == 'attachment; filename="stamps.csv"'


# ── terminals ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_terminal_is_added_changed_suspended_resumed_replaced_and_revoked(house: House) -> None:
    visitor = await visitor_as(house, "it")
    wrong = await visitor.post("/console/terminals/new", {"label": "", "allowed_networks": "10.0.0.7/8\nxx"})
    assert wrong.status == 400
    assert len(wrong.faults) == 3
    added = await visitor.post("/console/terminals/new", {"label": "Main entrance", "location": "Hall"})
    assert ("Deutsch" in wrong.words, "Deutsch" in added.words) == (True, False)
    code = output(added, "code")
    assert output(added, "address").endswith(f"#enrol={code}")
    assert added.text.count("<svg") == 1
    device = (await house.gateway.administration.devices.list_(house.company_id))[0]
    page = f"/console/terminals/{device.id}"
    assert "Main entrance" in (await visitor.get("/console/terminals")).words
    edited = await visitor.follow(await visitor.post(f"{page}/edit", {"label": "Side entrance"}))
    assert "The terminal is changed." in edited.words
    assert "The terminal is changed." not in (await visitor.get(page)).words
    terminal = await house.terminal(label="Warehouse")
    page = f"/console/terminals/{terminal.device_id}"
    for act, sentence in (("suspend", "is suspended"), ("resume", "active again")):
        assert (await visitor.get(f"{page}/{act}")).status == 200
        after = await visitor.follow(await visitor.post(f"{page}/{act}", {"reason": "a test"}))
        assert sentence in after.words
    replaced = await visitor.post(f"{page}/replace", {"reason": ""})
    assert len(output(replaced, "code")) == 9
    revoked = await visitor.follow(await visitor.post(f"{page}/revoke", {"reason": "stolen"}))
    assert "blocked for ever" in revoked.words
    assert "Reason: stolen" in revoked.words
    late = await visitor.post(f"{page}/suspend", {})
    assert late.status == 409
    assert "somebody else was faster" in late.words


async def test_wrong_words_are_counted_kept_and_after_three_deny_the_enrolment(house: House) -> None:
    visitor = await visitor_as(house, "it")
    terminal = await house.pending_terminal(label="Door")
    page = f"/console/terminals/{terminal.device_id}"
    form = await visitor.get(page)
    names = re.findall(r'name="(word_[1-5])"', form.text)
    assert len(names) == 2
    empty = await visitor.post(f"{page}/approve", {})
    assert empty.faults == ["Must not be empty."] * 2
    slips = await visitor.post(f"{page}/approve", {names[0]: "wrnog", names[1]: "w r o n g"})
    assert slips.faults == ["Is no word that a terminal shows: look at its screen again."]  # and no try is lost
    typed = dict.fromkeys(names, "wrong")
    first = await visitor.post(f"{page}/approve", typed)
    assert "2 tries are left." in first.words
    assert first.value(names[0]) == "wrong"
    assert "1 try is left." in (await visitor.post(f"{page}/approve", typed)).words
    last = await visitor.post(f"{page}/approve", typed)
    assert "it needs a new code" in last.words
    assert "New enrolment code" in last.words


# ── people ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_person_is_added_found_changed_deactivated_and_activated(house: House) -> None:
    visitor = await visitor_as(house, "hr")
    wrong = await visitor.post("/console/people/new", {"full_name": "", "personnel_number": "x", "email": "y"})
    assert wrong.faults == ["Is required.", "Must be 1 to 12 digits.", "Must be an e-mail address."]
    assert wrong.value("personnel_number") == "x"
    added = await visitor.post("/console/people/new", {"full_name": "Ada Winter", "personnel_number": "0101"})
    page = added.location
    assert "The person is added." in (await visitor.follow(added)).words
    taken = await visitor.post("/console/people/new", {"full_name": "Ben", "personnel_number": "0101"})
    assert taken.status == 409
    assert taken.faults == ["Belongs to somebody already."]
    assert "Ada Winter" in (await visitor.get("/console/people?q=winter&active=true")).words
    assert "Nobody fits this search." in (await visitor.get("/console/people?q=zzz")).words
    assert (await visitor.get(f"{page}/edit")).value("full_name") == "Ada Winter"
    edited = await visitor.post(f"{page}/edit", {"full_name": "Ada Sommer", "personnel_number": "0101", "email": ""})
    assert "Ada Sommer" in (await visitor.follow(edited)).words
    gone = await visitor.follow(await visitor.post(f"{page}/deactivate"))
    assert "can no longer sign in or stamp" in gone.words
    back = await visitor.follow(await visitor.post(f"{page}/activate"))
    assert "active again" in back.words


async def test_people_are_listed_page_by_page(house: House) -> None:
    file = "full_name;personnel_number\n" + "".join(f"Person {number:03};{number}\n" for number in range(56))
    await house.gateway.administration.people.import_csv(house.company_id, file.encode(), actor="cli")
    visitor = await visitor_as(house, "hr")
    first = await visitor.get("/console/people?q=Person")
    assert "Person 000" in first.words
    assert "Person 055" not in first.words
    following = re.search(r'href="(/console/people\?[^"]*cursor=[^"]*)"', first.text)
    assert following is not None
    second = await visitor.get(following[1].replace("&amp;", "&"))
    assert "Person 055" in second.words
    assert "Person 000" not in second.words


async def test_an_import_says_first_what_it_will_do_and_then_does_exactly_that(house: House) -> None:
    await house.person("0101", name="Ada Winter")
    visitor = await visitor_as(house, "hr")
    text = "full_name;personnel_number;email\nAda Sommer;0101;\nBen <b>Sommer</b>;0102;ben@rosenthal.example\n"
    preview = await visitor.upload("/console/people/import", text)
    assert "Will be added: 1. Will be changed: 1." in preview.words
    assert "Ada Winter Name Ada Winter Ada Sommer" in preview.words
    assert "<b>Sommer" not in preview.text
    people = house.gateway.administration.people
    assert len(await people.list_(house.company_id, search="Sommer")) == 0
    carried = re.search(r"<textarea[^>]*>\n?(.*?)</textarea>", preview.text, re.DOTALL)
    assert carried is not None
    done = await visitor.upload("/console/people/import/run", text)
    assert "Added: 1. Changed: 1." in (await visitor.follow(done)).words
    assert len(await people.list_(house.company_id, search="Sommer")) == 2


async def test_a_faulty_file_is_told_every_fault_with_its_line_and_does_nothing(house: House) -> None:
    visitor = await visitor_as(house, "hr")
    text = "full_name;personnel_number\n;01x\nBen;0102\nCem;0102\n"
    shown = await visitor.upload("/console/people/import", text)
    assert shown.status == 400
    for said in (
        "2 The personnel number must be 1 to 12 digits.",
        "2 The name is missing.",
        "4 The personnel number 0102 is on line 3 already.",
    ):
        assert said in shown.words
    assert "Import now" not in shown.words
    assert (await visitor.upload("/console/people/import/run", text)).status == 409
    latin = await visitor.upload("/console/people/import", "full_name\nJürgen".encode("latin-1"))
    assert "2 Is not UTF-8: save the file as CSV UTF-8." in latin.words
    assert (await visitor.upload("/console/people/import", "")).faults == ["Is required."]


class Unmeasured(io.RawIOBase):
    """A file that is sent in pieces, because nobody knows how long it is."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(size)


@pytest.mark.filterwarnings("ignore:unread_data")  # by which aiohttp itself reads parts that are sent in pieces
async def test_a_file_too_large_ends_its_connection_and_nothing_else(house: House) -> None:
    visitor = await visitor_as(house, "hr")
    for file in (io.BytesIO(b"x" * (CSV_LIMIT + 1)), Unmeasured(b"x" * (CSV_LIMIT + 1))):
        too_large = await visitor.upload("/console/people/import", file)
        assert (too_large.status, too_large.headers["Connection"]) == (413, "close")
        assert (await visitor.get("/console/people/import")).status == 200


async def test_a_pin_is_shown_once_on_a_slip_and_works(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    visitor = await visitor_as(house, "hr")
    assert "stops working at once" in (await visitor.get(f"/console/people/{person.id}/pin")).words
    shown = await visitor.post(f"/console/people/{person.id}/pin")
    pin = re.search(r'class="secret">(\d{6})<', shown.text)
    assert pin is not None
    assert shown.headers["Cache-Control"] == "no-store"
    # another language would be another page, without what is shown once
    assert "Deutsch" not in shown.words
    assert "Deutsch" in (await visitor.get(f"/console/people/{person.id}")).words
    await house.told()
    assert (await terminal.sign_in("0101", person.pin)).status == 401
    assert (await terminal.sign_in("0101", pin[1])).status == 200
    assert pin[1] not in (await visitor.get(f"/console/people/{person.id}")).text


async def test_ones_own_pin_needs_the_password_and_a_personnel_number(house: House) -> None:
    visitor, terminal = await visitor_as(house, "employee"), await house.terminal()
    assert "My PIN" not in (await visitor.get("/console/account")).words
    assert (await visitor.post("/console/account/pin")).status == 409
    people = house.gateway.administration.people
    (user,) = await people.list_(house.company_id, search="Some Employee")
    await people.change(user.id, {"personnel_number": "0101"}, actor="cli")
    assert "For personnel number 0101." in (await visitor.get("/console/account")).words
    await stale(house)
    assert "Confirm your password" in (await visitor.post("/console/account/pin")).words
    shown = await visitor.post("/console/account/pin", {"confirm_password": PASSWORD})
    pin = re.search(r'class="secret">(\d{6})<', shown.text)
    assert pin is not None
    await house.told()
    assert (await terminal.sign_in("0101", pin[1])).status == 200


async def test_slips_for_everybody_without_a_pin_are_one_pdf(house: House) -> None:
    site = house.gateway.administration
    for number in ("0101", "0102"):
        await site.people.add(house.company_id, full_name=f"No {number}", personnel_number=number, actor="cli")
    await house.person("0103")
    visitor = await visitor_as(house, "hr")
    assert "without a PIN: 2." in (await visitor.get("/console/people/slips")).words
    assert (await visitor.post("/console/people/slips")).location == "/console/people/slips"
    assert "each with a slip: 2." in (await slips_ready(visitor)).words
    assert "has a PIN" in (await (await visitor_as(house, "owner")).get("/console/people/slips")).words
    file = await visitor.post("/console/people/slips/fetch")
    assert file.headers["Content-Type"] == "application/pdf"
    assert file.headers["Cache-Control"] == "no-store"
    assert file.raw.startswith(b"%PDF")
    again = await visitor.follow(await visitor.post("/console/people/slips/fetch"))
    assert "have been fetched already" in again.words
    assert "has a PIN" in again.words


async def test_how_far_the_pins_are_is_shown_meanwhile_without_a_script_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, go_on = house.gateway.administration, asyncio.Event()
    for number in ("0101", "0102"):
        await site.people.add(house.company_id, full_name=f"No {number}", personnel_number=number, actor="cli")
    visitor, set_pin = await visitor_as(house, "hr"), site.people.set_pin

    async def holding(*arguments: Any, **options: Any) -> str | None:
        await go_on.wait()
        return await set_pin(*arguments, **options)

    monkeypatch.setattr(site.people, "set_pin", holding)
    shown = await visitor.follow(await visitor.post("/console/people/slips"))
    assert "PINs are being set: 0 of 2." in shown.words
    assert '<progress aria-labelledby="progress" value="0" max="2">' in shown.text
    assert '<noscript><meta http-equiv="refresh" content="3"></noscript>' in shown.text
    early = await visitor.follow(await visitor.post("/console/people/slips/fetch"))
    assert "PINs are being set: 0 of 2." in early.words
    go_on.set()
    assert 'http-equiv="refresh"' not in (await slips_ready(visitor)).text


# ── phone stamping ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_new_poster_kills_the_old_one_and_can_be_downloaded_in_every_form(own_house: House) -> None:
    house = own_house
    person, visitor = await house.person("0101"), await visitor_as(house, "owner")
    old = house.phone()
    assert "dies at once" in (await visitor.get("/console/phone/rotate")).words
    shown = await visitor.post("/console/phone/rotate")
    assert "Deutsch" not in shown.words.partition("The new poster")[0]
    token = shown.value("link_token")
    assert output(shown, "address").endswith(f"#t={token}")
    await house.told()
    assert (await old.sign_in("0101", person.pin)).status == 404
    house.link = token
    assert (await house.phone().sign_in("0101", person.pin)).status == 200
    for name, paper, start in (("pdf", "a4", b"%PDF"), ("png", "a4", b"\x89PNG"), ("svg", "a3", b"<?xml")):
        file = await visitor.post("/console/phone/poster", {"link_token": token, "format": name, "paper": paper})
        assert file.raw.startswith(start)
        assert file.headers["Content-Disposition"] == f'attachment; filename="poster-{paper}.{name}"'
    stolen = await visitor.post("/console/phone/poster", {"link_token": "x" * 43, "format": "pdf", "paper": "a4"})
    assert stolen.status == 404
    assert (await visitor.post("/console/phone/poster", {"format": "exe", "paper": "a4"})).status == 400
    assert token not in (await visitor.get("/console/phone")).text


async def test_phone_stamping_is_switched_by_the_owner_and_the_poster_ended_by_it(own_house: House) -> None:
    house = own_house
    owner, it = await visitor_as(house, "owner"), await visitor_as(house, "it")
    for nothing in ({}, {"enabled": ""}, {"enabled": "on"}):
        assert (await owner.post("/console/phone/switch", nothing)).status == 400
    assert "Phone stamping is on" in (await owner.get("/console/phone")).words
    off = await owner.follow(await owner.post("/console/phone/switch", {"enabled": "no"}))
    assert "Phone stamping is off." in off.words
    assert "Only the owner can switch it." in (await it.get("/console/phone")).words
    assert (await it.post("/console/phone/switch", {"enabled": "yes"})).status == 403
    on = await owner.follow(await owner.post("/console/phone/switch", {"enabled": "yes"}))
    assert "Phone stamping is on." in on.words
    ended = await it.follow(await it.post("/console/phone/end"))
    assert "The poster is dead." in ended.words
    assert "There is no poster" in ended.words


# ── stamps, locks, audit, settings, account ───────────────────────────────────────────────────────────────────────


async def test_a_stamp_is_filtered_corrected_and_both_are_shown(house: House) -> None:
    person, terminal = await house.person("0101", name="Ada Winter"), await house.terminal(label="Door")
    await house.person("0102", name="Ada Sommer")
    await terminal.sign_in("0101", person.pin)
    await terminal.act("clock_in")
    visitor = await visitor_as(house, "hr")
    several = await visitor.get("/console/stamps?q=ada")
    assert "Whom do you mean?" in several.words
    one = await visitor.get("/console/stamps?q=winter")
    assert "Clock in Terminal Door" in one.words
    assert "no stamps in this selection" in (await visitor.get("/console/stamps?from=2001-01-01&to=2001-01-02")).words
    faulty = await visitor.get("/console/stamps?from=x&to=2001-13-45")
    assert faulty.status == 400
    assert len(faulty.faults) == 2
    backwards = await visitor.get("/console/stamps?from=2026-02-02&to=2026-02-01")
    assert (backwards.status, backwards.faults) == (400, ["Must not be before the first day."])
    assert "Clock in Terminal Door" in (await visitor.get("/console/stamps?from=0001-01-01&to=9999-12-31")).words
    link = re.search(r'href="(/console/stamps/correct\?stamp=[^"]*)"', one.text)
    assert link is not None
    form = await visitor.get(link[1])
    at = form.value("at")
    fields = {"user": person.id, "stamp": link[1].partition("=")[2], "action": "clock_in"}
    wrong = await visitor.post("/console/stamps/correct", fields | {"at": "yesterday", "reason": ""})
    assert wrong.faults == ["Must be a date and a time.", "Is required."]
    future = await visitor.post("/console/stamps/correct", fields | {"at": "2199-01-01T08:00", "reason": "x"})
    assert future.faults == ["Must not be in the future."]
    earlier = re.sub(r"T.*", "T00:00:00", at)
    done = await visitor.post("/console/stamps/correct", fields | {"at": earlier, "reason": "was there at midnight"})
    after = await visitor.follow(done)
    assert "Corrected: counts no more" in after.words
    assert "was there at midnight" in after.words
    assert len(await house.stamps()) == 1


async def test_a_lock_is_shown_with_its_reason_and_ended(house: House) -> None:
    await house.person("0101", name="Ada Winter")
    terminal = await house.terminal()
    for _ in range(5):
        await terminal.sign_in("0101", "999999")
    visitor = await visitor_as(house, "it")
    shown = await visitor.get("/console/locks")
    assert "Ada Winter Terminal Several wrong tries in a row" in shown.words
    hr = await visitor_as(house, "hr")
    assert "Ada Winter (0101) Terminal Several wrong tries in a row" in (await hr.get("/console/locks")).words
    assert "Locks in force: 1" in (await visitor.get("/console?lang=en")).words
    assert "Aktive Sperren: 1" in (await visitor.get("/console?lang=de")).words
    await visitor.get("/console?lang=en")
    path = re.search(r'action="(/console/locks/[^"]*/unlock)"', shown.text)
    assert path is not None
    after = await visitor.follow(await visitor.post(path[1]))
    assert "Nobody is locked out." in after.words
    assert (await visitor.post(path[1])).status == 404
    await house.told()
    for _ in range(5):
        await terminal.sign_in("0101", "999999")
    assert "Locks that end now: 1." in (await visitor.get("/console/locks/all")).words
    assert "Unlocked: 1." in (await visitor.follow(await visitor.post("/console/locks/all"))).words


async def test_an_open_invitation_is_withdrawn_after_a_page_that_says_so(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    site = house.gateway
    invited = await site.invitations.invite(house.company_id, email="eva@example.com", role="hr", actor="cli")
    listed = await visitor.get("/console/settings")
    link = re.search(r'href="(/console/settings/invitations/[^"]*)"', listed.text)
    assert link is not None
    asked = await visitor.get(link[1])
    assert "eva@example.com" in asked.words
    assert "worthless at once" in asked.words
    after = await visitor.follow(await visitor.post(link[1]))
    assert "The invitation is withdrawn." in after.words
    assert "Open invitations" not in after.words
    for again in (await visitor.get(link[1]), await visitor.post(link[1])):
        assert again.status == 404
        assert "There is no such invitation" in again.words
    joining = Visitor(house)
    await joining.get("/register")
    fields = {"invitation": invited.link.partition("=")[2], "full_name": "Eva", "email": "eva@example.com"}
    refused = await joining.post("/register", {**fields, "password": PASSWORD, "password_again": PASSWORD})
    assert refused.faults or "invitation is wrong" in refused.words
    assert "account.registered" not in await house.audit_names()


async def test_the_audit_trail_is_filtered_by_whom_it_is_about_and_by_day(house: House) -> None:
    site = house.gateway.administration
    await house.person("0101", name="Ada Winter")
    await house.person("0102", name="Adam Sommer")
    owner, it = await visitor_as(house, "owner"), await visitor_as(house, "it")
    terminal = await house.terminal()
    shown = await it.get(f"/console/terminals/{terminal.device_id}")
    about = f"/console/audit?subject=device:{terminal.device_id}"
    assert about in shown.text
    assert "Terminal approved" in (await it.get(about)).words
    several = await owner.get("/console/audit?q=ada")
    assert "Whom or which do you mean?" in several.words
    found = await owner.get("/console/audit?q=winter&name=user.created")
    assert "Person added" in found.words
    assert "Adam Sommer" not in found.words
    link = re.search(r'href="(/console/audit\?subject=user[^"]*)"', found.text)
    assert link is not None
    assert "PIN set" in (await owner.get(link[1])).words
    assert "Ada Winter" in (await owner.get("/console/audit?q=0101")).words
    assert "Nobody and no terminal fits" in (await it.get("/console/audit?q=0101")).words
    assert "Ada Winter" in (await it.get("/console/audit?q=Ada+W")).words
    today = date_of(site.clock(), zone_named((await site.companies.get(house.company_id)).timezone))
    assert "Person added" in (await owner.get(f"/console/audit?day={today}")).words
    yesterday = await owner.get(f"/console/audit?day={today - timedelta(days=1)}&name=user.created")
    assert "Nothing fits these filters." in yesterday.words
    faulty = await owner.get("/console/audit?day=31.1.2026&name=nonsense&subject=x&q=Ada")
    assert faulty.status == 400
    assert "Must be a date such as 2026-01-31." in faulty.faults
    assert faulty.value("day") == "31.1.2026"
    assert faulty.value("q") == "Ada"
    for query in ("day=9999-12-31", "day=0001-01-01", "q=%00", "q=" + "a" * 5000, "subject=user:", "cursor=x"):
        assert (await owner.get(f"/console/audit?{query}")).status < 500


async def test_the_audit_trail_is_filtered_and_an_event_shown_in_full(house: House) -> None:
    visitor = await visitor_as(house, "owner", by_the_page=True)
    await visitor.post("/console/people/new", {"full_name": "Ada Winter", "personnel_number": "0101"})
    shown = await visitor.get("/console/audit?name=user.created")
    assert "Person added Some Owner Ada Winter" in shown.words
    assert "Signed in with e-mail Some Owner" not in shown.words
    link = re.search(r'href="(/console/audit/[^"]*)"', shown.text)
    assert link is not None
    event = await visitor.get(link[1])
    assert "user.created" in event.words
    assert '"role": "employee"' in event.words
    assert (await visitor.get("/console/audit?name=nonsense")).status == 400


async def test_the_audit_trail_names_whoever_did_something_in_words(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal(label="Door")
    visitor = await visitor_as(house, "owner", by_the_page=True)
    assert (await Visitor(house).sign_in("owner@rosenthal.example", "wrong horse battery")).status == 401
    await terminal.sign_in("0101", "999999")
    await house.phone().sign_in("0101", person.pin)
    shown = await visitor.get("/console/audit")
    acted = [unescape(found) for found in re.findall(r'<td[^>]* class="actor ?"[^>]*>(.*?)</td>', shown.text)]
    assert set(acted) == {"Command line", "A phone", "Door", "Some Owner", "Somebody at the e-mail sign-in"}
    assert "Jemand bei der Anmeldung mit E-Mail" in (await visitor.get("/console/audit?lang=de")).words


async def test_settings_are_changed_with_every_fault_at_once(own_house: House) -> None:
    house = own_house
    visitor = await visitor_as(house, "owner")
    wrong = await visitor.post(
        "/console/settings", {"name": "", "timezone": "Mars", "locale": "fr", "kiosk_networks": "10.0.0.1/8"}
    )
    assert wrong.status == 400
    assert len(wrong.faults) >= 2
    right = {"name": "Rosenthal & Söhne", "timezone": "Europe/Vienna", "locale": "en", "kiosk_networks": "10.0.0.0/8"}
    after = await visitor.follow(await visitor.post("/console/settings", right))
    assert "The settings are changed." in after.words
    assert "Rosenthal & Söhne" in after.words
    company = await house.gateway.administration.companies.get(house.company_id)
    assert company.kiosk_networks == ("10.0.0.0/8",)


async def test_ones_own_sessions_end_one_by_one_and_a_new_password_ends_the_others(house: House) -> None:
    here = await visitor_as(house, "owner")
    there = type(here)(house)
    await there.sign_in("owner@rosenthal.example")
    page = await here.get("/console/account")
    ids = re.findall(r"/console/account/sessions/([0-9a-f-]{36})/end", page.text)
    assert len(ids) == 2
    wrong = await here.post(
        "/console/account/password",
        {"current_password": "nope", "new_password": "short", "new_password_again": "other"},
    )
    assert wrong.faults == ["A password has at least 10 characters.", "Does not match the first one."]
    new = {"new_password": "another long password", "new_password_again": "another long password"}
    mistaken = await here.post("/console/account/password", {"current_password": "nope", **new})
    assert mistaken.faults == ["The password is wrong."]
    changed = await here.post("/console/account/password", {"current_password": PASSWORD, **new})
    assert "The password is changed." in (await here.follow(changed)).words
    assert (await there.get("/console")).status == 303
    own = re.findall(r"/console/account/sessions/([0-9a-f-]{36})/end", (await here.get("/console/account")).text)
    assert (await here.post(f"/console/account/sessions/{own[0]}/end")).location == "/console/sign-in"
    assert (await here.get("/console")).status == 303


async def test_a_forgotten_password_gets_the_same_answer_for_every_address(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    answers = set()
    for email in ("owner@rosenthal.example", "nobody@rosenthal.example"):
        shown = await visitor.post("/console/forgotten-password", {"email": email})
        answers.add((shown.status, shown.words))
    assert len(answers) == 1
    assert (await visitor.post("/console/forgotten-password", {"email": "x"})).faults == ["Must be an e-mail address."]
    reset = await visitor.post(
        "/password-reset", {"token": "x" * 43, "password": "another long password", "password_again": "other"}
    )
    assert reset.faults == ["Does not match the first one."]
    dead = await visitor.post(
        "/password-reset",
        {"token": "x" * 43, "password": "another long password", "password_again": "another long password"},
    )
    assert "wrong, was used before, or has expired" in dead.words
    assert "another long" not in dead.text
