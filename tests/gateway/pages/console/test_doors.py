"""The doors of the console: cookies, where they lead, and who is turned away."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from gateway.application import all_routes
from gateway.pages.console.addresses import safe_return
from tests.gateway.accounts.person import EMAIL, with_login
from tests.gateway.house import serving
from tests.gateway.pages.console.visitor import PASSWORD, Visitor, an_address, visitor_as

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House

SESSION = "__Host-stampgate"
SOMEBODY = "0190b0e0-6f5a-7000-8000-000000000000"


async def test_the_session_is_in_a_host_cookie_that_no_script_and_no_other_site_gets(house: House) -> None:
    await with_login(house)
    visitor = Visitor(house)
    assert (await visitor.sign_in(EMAIL)).location == "/console"
    line = next(line for line in visitor.set_cookies if line.startswith(f"{SESSION}="))
    attributes = {part.strip().lower() for part in line.split(";")[1:]}
    assert attributes == {"httponly", "secure", "samesite=strict", "path=/"}
    assert (await visitor.get("/console")).status == 200


async def test_remember_me_makes_the_cookie_outlive_the_browser_and_never_the_token(house: House) -> None:
    await with_login(house)
    visitor = Visitor(house)
    await visitor.sign_in(EMAIL, remember="yes")
    line = next(line for line in visitor.set_cookies if line.startswith(f"{SESSION}="))
    seconds = int(line.lower().partition("max-age=")[2].partition(";")[0])
    assert 23 * 3600 < seconds <= 24 * 3600


async def test_the_cookie_is_the_same_token_as_the_interfaces_but_opens_nothing_there_by_itself(house: House) -> None:
    visitor = await visitor_as(house, "owner", by_the_page=True)
    token = visitor.cookies[SESSION]
    assert (await visitor.get("/api/auth/me", Authorization=f"Bearer {token}")).status == 200
    assert (await visitor.get("/api/auth/me")).status == 401


async def test_signing_out_ends_the_session_and_drops_the_cookie(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    token = visitor.cookies[SESSION]
    after = await visitor.follow(await visitor.post("/console/sign-out"))
    assert "You are signed out." in after.words
    assert SESSION not in visitor.cookies
    visitor.cookies[SESSION] = token
    assert (await visitor.get("/console")).location == "/console/sign-in"


async def test_a_wrong_password_keeps_the_address_and_never_the_password(house: House) -> None:
    await with_login(house)
    shown = await Visitor(house).sign_in(EMAIL, "wrong horse battery")
    assert shown.status == 401
    assert "E-mail and password do not fit together." in shown.words
    assert shown.value("email") == EMAIL
    assert "wrong horse" not in shown.text


async def test_an_expired_session_leads_to_the_sign_in_and_back_to_where_one_was(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    house.clock.move(25 * 3600)
    turned_away = await visitor.get("/console/people?q=ada&active=true")
    assert turned_away.location == "/console/sign-in?next=" + quote("/console/people?q=ada&active=true", safe="")
    form = await visitor.follow(turned_away)
    back = await visitor.post(
        "/console/sign-in", {"email": "owner@rosenthal.example", "password": PASSWORD, "next": form.value("next")}
    )
    assert back.location == "/console/people?q=ada&active=true"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/console/..//evil.example",
        "/consolex",
        "/console@evil.example",
        "/console//evil.example",
        "/console/\r\nSet-Cookie: a=b",
        "/console?next=%0d%0a\n",
        "javascript:alert(1)",
        "/stamp",
        "",
        "/console/" + "a" * 2000,
    ],
)
def test_nobody_is_led_anywhere_but_to_a_page_of_the_console(address: str) -> None:
    assert safe_return(address) == "/console"


def test_pages_with_their_filters_are_led_back_to() -> None:
    for address in ("/console", "/console/people?q=ada%20w&active=", f"/console/people/{SOMEBODY}/edit"):
        assert safe_return(address) == address


async def test_an_address_of_another_site_in_the_sign_in_form_leads_home(house: House) -> None:
    await with_login(house)
    assert (await Visitor(house).sign_in(EMAIL, next="//evil.example")).location == "/console"


async def test_a_post_of_another_site_is_refused_on_every_page_before_anything_is_read(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    posts = [route for route in all_routes(house.gateway) if route.tag == "console" and route.method != "GET"]
    assert len(posts) > 25
    before = await house.audit_names()
    for route in posts:
        path = an_address(route)
        for fields in (
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "", "Origin": "https://evil.example"},
            {"Sec_Fetch_Site": "", "Origin": "null"},
            {"Sec_Fetch_Site": ""},
        ):
            refused = await visitor.post(path, {}, **fields)
            assert refused.status == 403, (route.path, fields)
            assert "nothing was done" in refused.words
    assert await house.audit_names() == before


async def test_an_older_browser_that_names_our_origin_may_post(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    own = {"Sec_Fetch_Site": "", "Origin": house.url}
    assert (await visitor.post("/console/account/sessions/end-others", {}, **own)).status == 303


async def test_every_page_behind_the_door_leads_whoever_shows_nothing_to_it(house: House) -> None:
    protected = [route for route in all_routes(house.gateway) if route.access == "console"]
    assert len(protected) > 50
    for route in protected:
        path = an_address(route)
        for cookie in ({}, {SESSION: "x" * 43}):
            visitor = Visitor(house, cookies=dict(cookie))
            shown = await (visitor.get(path) if route.method == "GET" else visitor.post(path))
            assert shown.status == 303, route
            assert shown.location.startswith("/console/sign-in"), route


async def test_a_link_in_a_mail_finds_who_is_signed_in_although_the_cookie_is_held_back_at_first(house: House) -> None:
    arriving = await Visitor(house).get("/console/locks", Sec_Fetch_Site="cross-site")
    assert arriving.status == 200
    assert '<meta http-equiv="refresh" content="0">' in arriving.text
    visitor = await visitor_as(house, "owner")
    assert (await visitor.get("/console/locks")).status == 200


async def test_over_plain_http_from_another_machine_the_page_says_that_https_is_needed(house: House) -> None:
    page = await Visitor(house).get("/console/sign-in", Sec_Fetch_Site="", Host="stamp.example.com")
    assert "HTTPS is needed" in page.words
    assert 'name="password"' not in page.text
    local = await Visitor(house).get("/console/sign-in", Sec_Fetch_Site="")
    assert 'name="password"' in local.text


async def test_a_browser_that_keeps_no_cookie_is_told_so_instead_of_being_sent_in_a_circle(house: House) -> None:
    await with_login(house)
    shown = await Visitor(house).post("/console/sign-in", {"email": EMAIL, "password": PASSWORD})
    assert shown.status == 400
    assert "Your browser did not keep our cookie" in shown.words
    assert "account.login" not in await house.audit_names()


async def test_the_first_visitor_founds_the_company_and_nobody_after(tmp_path: Path, house: House) -> None:
    async with serving(tmp_path / "new") as (gateway, url):
        there = Visitor(house)
        there.house = type(house)(gateway, url, house.http, house.clock, "", "")
        assert (await there.get("/console")).location == "/console/sign-in"
        assert (await there.get("/console/sign-in")).location == "/console/sign-up"
        await there.get("/console/sign-up")
        wrong = await there.post(
            "/console/sign-up",
            {"company_name": "", "full_name": "Olivia", "email": "x", "password": "a", "password_again": "b"},
        )
        assert wrong.status == 400
        assert len(wrong.faults) == 4
        assert wrong.value("full_name") == "Olivia"
        right = {
            "company_name": "Rosenthal",
            "full_name": "Olivia Rosenthal",
            "email": EMAIL,
            "password": PASSWORD,
            "password_again": PASSWORD,
        }
        first = await there.follow(await there.post("/console/sign-up", right))
        assert "Welcome." in first.words
        assert "First steps" in first.words
        (company,) = await gateway.administration.companies.list_()
        assert company.locale == "en"  # the language it was founded in
        second = Visitor(there.house)
        assert (await second.get("/console/sign-up")).location == "/console/sign-in"
        await second.get("/console/sign-in")
        closed = await second.post("/console/sign-up", right | {"email": "other@rosenthal.example"})
        assert closed.status == 403
        assert "without an invitation" in closed.words


async def test_pages_are_kept_by_nobody_and_hold_nothing_inline(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    for path in ("/console", "/console/people", "/console/settings", "/console/sign-up"):
        shown = await visitor.get(path)
        if shown.status != 200:
            continue
        assert shown.headers["Cache-Control"] == "no-store"
        assert shown.headers["Content-Security-Policy"] == (
            "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        assert "<style" not in shown.text
        assert ' style="' not in shown.text
        assert "<script>" not in shown.text


async def test_a_mistyped_address_gets_a_page_and_the_address_of_a_post_leads_to_its_form(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    for path in ("/console/nothing", "/console/people/new/x", "/console/a/b/c"):
        shown = await visitor.get(path)
        assert shown.status == 404
        assert "There is nothing here." in shown.words
    assert (await visitor.get("/console/sign-out")).location == "/console"
    assert (await visitor.get(f"/console/people/{SOMEBODY}/deactivate")).location.endswith("/activity")


async def test_the_chosen_language_is_remembered_over_the_browsers(house: House) -> None:
    visitor = Visitor(house, "en")
    assert "Anmelden" in (await visitor.get("/console/sign-in?lang=de")).words
    assert "Anmelden" in (await visitor.get("/console/sign-in")).words
    assert "Sign in" in (await visitor.get("/console/sign-in?lang=en")).words
