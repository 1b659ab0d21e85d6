"""A forgotten password: a link that is good once, for an hour, to the one who reads the mailbox."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from gateway.accounts.resets import MAILS_PER_HOUR, RESET_SECONDS
from gateway.app import RESETS_PER_HOUR
from storage import password_resets, users
from tests.gateway.accounts.person import (
    EMAIL,
    OTHER_PASSWORD,
    PASSWORD,
    have_failed,
    is_signed_in,
    login,
    token_of,
    with_login,
)
from tests.gateway.house import open_house
from tests.gateway.log_lines import logging_configured
from tests.gateway.raw_http import send
from tests.gateway.signed_in import call
from tests.gateway.waiting import until
from tests.servers.databases import KINDS, fresh_url
from tests.servers.mail import MailServer, mail_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.house import House
    from tests.gateway.terminal import Reply

PUBLIC_URL = "https://stamp.example.com"


@asynccontextmanager
async def open_mailing(directory: Path, **options: Any) -> AsyncIterator[tuple[House, MailServer]]:
    """A gateway with somebody who can sign in, and a mail server."""
    async with mail_server() as server:
        options = {"smtp_url": server.url, "public_url": PUBLIC_URL, **options}
        async with open_house(directory, **options) as house:
            await with_login(house)
            yield house, server


@pytest.fixture(params=KINDS)
async def both_mailing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[House, MailServer]]:
    async with (
        fresh_url(request.param, tmp_path) as url,
        open_mailing(tmp_path / "home", database_url=url) as opened,
    ):
        yield opened


@pytest.fixture
async def mailing(tmp_path: Path) -> AsyncIterator[tuple[House, MailServer]]:
    async with open_mailing(tmp_path / "home") as opened:
        yield opened


async def ask(house: House, email: str = EMAIL, **headers: str) -> Reply:
    return await call(house, "POST", "/api/auth/request-reset", {"email": email}, **headers)


async def link_of(house: House, server: MailServer) -> str:
    """Ask for a link and return the one that arrives."""
    before = len(server.messages)
    assert (await ask(house)).status == 202
    await until(lambda: len(server.messages) > before)
    body: Any = server.messages[-1].get_body(("plain",))
    (link,) = re.findall(r"\S+#token=\S+", body.get_content())
    return str(link)


async def token_by_mail(house: House, server: MailServer) -> str:
    return (await link_of(house, server)).rpartition("#token=")[2]


async def reset(house: House, token: str, password: str = OTHER_PASSWORD) -> Reply:
    return await call(house, "POST", "/api/auth/reset-password", {"token": token, "password": password})


async def test_a_link_by_mail_sets_a_new_password_and_ends_every_session(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    session = await token_of(house)
    link = await link_of(house, server)
    assert link.startswith(f"{PUBLIC_URL}/password-reset#token=")
    assert server.recipients == [EMAIL]
    assert str(server.messages[0]["Subject"]) == "Ihr neues Passwort für Stampgate"
    assert (await reset(house, link.rpartition("=")[2])).status == 204
    assert not await is_signed_in(house, session)
    assert (await login(house)).status == 401
    assert (await login(house, password=OTHER_PASSWORD)).status == 200
    assert "account.password_reset" in await house.audit_names()


async def test_a_link_is_good_once_also_at_once(both_mailing: tuple[House, MailServer]) -> None:
    house, server = both_mailing
    token = await token_by_mail(house, server)
    replies = await asyncio.gather(*(reset(house, token, f"{OTHER_PASSWORD} {at}") for at in range(5)))
    assert sorted(reply.status for reply in replies) == [204, 400, 400, 400, 400]
    (won,) = [at for at, reply in enumerate(replies) if reply.status == 204]
    assert (await login(house, password=f"{OTHER_PASSWORD} {won}")).status == 200
    again = await reset(house, token)
    assert (again.status, again.problem) == (400, "reset-not-valid")


async def test_a_link_is_good_for_an_hour(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    token = await token_by_mail(house, server)
    house.clock.move(RESET_SECONDS - 30)
    assert (await reset(house, token, "short")).problem == "bad-request"
    house.clock.move(31)
    assert (await reset(house, token)).problem == "reset-not-valid"


@pytest.mark.parametrize("how", ["change", "another link", "command line"])
async def test_a_link_is_useless_after_the_password_was_changed(mailing: tuple[House, MailServer], how: str) -> None:
    house, server = mailing
    token = await token_by_mail(house, server)
    if how == "change":
        session = await token_of(house)
        body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
        assert (await call(house, "POST", "/api/auth/change-password", body, token=session)).status == 204
    elif how == "another link":
        assert (await reset(house, await token_by_mail(house, server))).status == 204
    else:
        site = house.gateway.administration
        (user,) = await site.people.list_(house.company_id)
        await site.accounts.set_password(user.id, OTHER_PASSWORD, actor="cli")
    assert (await reset(house, token, "a third long password")).problem == "reset-not-valid"
    assert (await login(house, password=OTHER_PASSWORD)).status == 200


async def test_a_link_is_useless_after_deactivation_or_another_address(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    site = house.gateway.administration
    token = await token_by_mail(house, server)
    (user,) = await site.people.list_(house.company_id)
    async with site.database.write() as connection:
        await users.update(connection, user.id, email="new@rosenthal.example")
    assert (await reset(house, token)).problem == "reset-not-valid"
    async with site.database.write() as connection:
        await users.update(connection, user.id, email=EMAIL)
        await users.set_active(connection, user.id, False)
    assert (await reset(house, token)).problem == "reset-not-valid"


async def test_a_weak_password_is_refused_and_leaves_the_link_good(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    token = await token_by_mail(house, server)
    for weak in ("short", "password12", EMAIL):
        reply = await reset(house, token, weak)
        assert (reply.problem, reply.body["errors"][0]["field"]) == ("bad-request", "password")
    assert (await reset(house, token)).status == 204


async def test_a_reset_ends_a_lock(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    await have_failed(house, 5)
    assert (await login(house)).problem == "login-throttled"
    assert (await reset(house, await token_by_mail(house, server))).status == 204
    assert (await login(house, password=OTHER_PASSWORD)).status == 200


async def test_only_the_hash_of_a_link_is_stored(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    token = await token_by_mail(house, server)
    async with house.gateway.administration.database.read() as connection:
        (row,) = await connection.execute(password_resets.password_resets.select())
    assert token not in str(row)
    assert len(row.token_hash) == 32


async def test_a_forged_host_changes_nothing_in_the_link(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    body = f'{{"email":"{EMAIL}"}}'
    for field in ("Host: evil.example", "Host: x\r\nX-Forwarded-Host: evil.example\r\nForwarded: host=evil.example"):
        head = (
            f"POST /api/auth/request-reset HTTP/1.1\r\n{field}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
        )
        assert (await send(house.port, head.encode())).status == 202
    await until(lambda: len(server.messages) == 2)
    for message in server.messages:
        assert "evil" not in message.as_string()
        plain: Any = message.get_body(("plain",))
        assert f"{PUBLIC_URL}/password-reset#token=" in plain.get_content()


async def test_nobody_else_gets_mail(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    site = house.gateway.administration
    await site.people.add(house.company_id, full_name="No Login", email="nologin@rosenthal.example", actor="cli")
    inactive = await with_login(house, "inactive@rosenthal.example", role="hr")
    await site.people.set_active(inactive.id, False, actor="cli")
    for email in ("nologin@rosenthal.example", "inactive@rosenthal.example", "nobody@rosenthal.example"):
        assert (await ask(house, email)).status == 202
    await until(lambda: house.gateway.mailer.outstanding == 0)
    assert server.tried == 0


async def test_nobody_can_fill_a_mailbox(mailing: tuple[House, MailServer]) -> None:
    house, server = mailing
    for _ in range(MAILS_PER_HOUR + 3):
        assert (await ask(house)).status == 202
        await until(lambda: house.gateway.mailer.outstanding == 0)
    assert len(server.messages) == MAILS_PER_HOUR
    house.clock.move(RESET_SECONDS + 1)
    assert await token_by_mail(house, server)


async def test_one_address_asks_so_often_and_no_more(house: House) -> None:
    replies = [await ask(house, "nobody@example.com") for _ in range(RESETS_PER_HOUR + 1)]
    assert [reply.status for reply in replies] == [202] * RESETS_PER_HOUR + [429]


async def test_a_slow_mail_server_slows_nobody(tmp_path: Path) -> None:
    async with mail_server(slow=True) as server, open_house(tmp_path / "home", smtp_url=server.url) as house:
        await with_login(house)
        assert (await asyncio.wait_for(ask(house), 2)).status == 202
        await until(lambda: server.tried == 1)
        assert (await asyncio.wait_for(login(house), 5)).status == 200
        server.may_go_on.set()
        await until(lambda: len(server.messages) == 1)


async def test_without_mail_the_link_is_in_the_log_and_the_answer_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_house(tmp_path / "home", public_url=PUBLIC_URL) as house:
        await with_login(house)
        with logging_configured(capsys) as lines:
            known, unknown = await ask(house), await ask(house, "nobody@example.com")
            await until(lambda: house.gateway.mailer.outstanding == 0)
            (line,) = lines.events()
        assert (known.status, known.body) == (unknown.status, unknown.body) == (202, None)
        assert line["level"] == "warning"
        token = line["link"].removeprefix(f"{PUBLIC_URL}/password-reset#token=")
        assert (await reset(house, token)).status == 204


async def test_an_invitation_goes_by_mail_in_the_language_of_the_company(
    mailing: tuple[House, MailServer],
) -> None:
    house, server = mailing
    (owner,) = await house.gateway.administration.people.list_(house.company_id)
    invited = await house.gateway.invitations.invite(
        house.company_id, email="ivan@rosenthal.example", role="it", actor=f"user:{owner.id}", invited_by=owner.id
    )
    await until(lambda: len(server.messages) == 1)
    plain: Any = server.messages[0].get_body(("plain",))
    text = plain.get_content()
    assert "Olivia Rosenthal lädt Sie ein, sich bei der Zeiterfassung von Rosenthal anzumelden." in text
    assert invited.link in text
    assert invited.link.startswith(f"{PUBLIC_URL}/register#invitation=")
    assert server.recipients == ["ivan@rosenthal.example"]
