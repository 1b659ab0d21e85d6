"""The links in mails, followed on the pages: joining a company, and a forgotten password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.gateway.accounts.person import OTHER_PASSWORD
from tests.gateway.house import open_house
from tests.gateway.pages.console.visitor import PASSWORD, Visitor, visitor_as
from tests.gateway.waiting import until
from tests.servers.mail import MailServer, mail_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.house import House

NEW = "ida@rosenthal.example"


@pytest.fixture
async def mailing(tmp_path: Path) -> AsyncIterator[tuple[House, MailServer]]:
    async with mail_server() as server, open_house(tmp_path / "data", smtp_url=server.url) as house:
        yield house, server


async def secret_of(server: MailServer, page: str, name: str) -> str:
    """The secret in the one link to `page` that arrives."""
    await until(lambda: len(server.messages) == 1)
    body: Any = server.messages.pop().get_body(("plain",))
    (secret,) = re.findall(rf"\S+{page}#{name}=(\S+)", body.get_content())
    return str(secret)


async def test_whoever_is_invited_joins_by_the_mailed_link_and_is_signed_in(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    owner = await visitor_as(house, "owner")
    said = await owner.follow(await owner.post("/console/settings/invite", {"email": NEW, "role": "it"}))
    assert "The invitation is on its way by mail." in said.words
    token = await secret_of(server, "/register", "invitation")
    visitor = Visitor(house)
    await visitor.get("/register")
    fields = {"invitation": token, "full_name": "Ida Tech", "password": PASSWORD, "password_again": PASSWORD}
    other = await visitor.post("/register", fields | {"email": "somebody@else.example"})
    assert "is for another e-mail address" in other.words
    assert token == other.value("invitation")
    joined = await visitor.post("/register", fields | {"email": NEW})
    assert joined.location == "/console"
    here = await visitor.follow(joined)
    assert "Your login is set up." in here.words
    assert "Terminals" in here.words
    assert "Settings" not in here.words
    second = Visitor(house)
    await second.get("/register")
    assert (await second.post("/register", fields | {"email": NEW})).status == 400


async def test_a_forgotten_password_is_set_anew_by_the_mailed_link(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    signed_in = await visitor_as(house, "owner")
    stranger = Visitor(house)
    asked = await stranger.post("/console/forgotten-password", {"email": "Owner@Rosenthal.example"})
    assert "a link is on its way by mail" in asked.words
    token = await secret_of(server, "/password-reset", "token")
    short = await stranger.post("/password-reset", {"token": token, "password": "short", "password_again": "short"})
    assert short.faults == ["A password has at least 10 characters."]
    new = {"token": token, "password": OTHER_PASSWORD, "password_again": OTHER_PASSWORD}
    done = await stranger.follow(await stranger.post("/password-reset", new))
    assert "The new password is set." in done.words
    assert (await signed_in.get("/console")).status == 303
    assert (await stranger.sign_in("owner@rosenthal.example", OTHER_PASSWORD)).status == 303
    assert (await Visitor(house).post("/password-reset", new)).status == 400
