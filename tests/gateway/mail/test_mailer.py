"""Mail leaves in the background, to a real server: slow, away, unwilling, or there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gateway.http.problems import Problem
from gateway.mail import service
from gateway.mail.letters import Letter
from gateway.mail.server import read_smtp_url
from gateway.mail.service import Mailer
from gateway.metrics import Metrics
from storage.errors import StorageUnavailable
from tests.gateway.log_lines import logging_configured
from tests.gateway.waiting import until
from tests.servers.mail import mail_server

LETTER = Letter(
    kind="password-reset",
    to="ada@example.com",
    locale="en",
    link="https://stamp.example.com/password-reset#token=abc",
    name="Ada",
)


def mailer(url: str | None, **options: Any) -> Mailer:
    return Mailer(
        server=None if url is None else read_smtp_url(url),
        sender="stampgate@example.com",
        clock=time.time,
        metrics=Metrics(),
        **{"pauses": (0.01,) * 5, **options},
    )


async def test_a_letter_arrives() -> None:
    async with mail_server() as server:
        mail = mailer(server.url)
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert server.recipients == ["ada@example.com"]
    (message,) = server.messages
    assert message["From"] == "Stampgate <stampgate@example.com>"
    assert message["To"] == "ada@example.com"
    assert mail.is_on


async def test_the_server_is_logged_in_to_with_what_its_address_says() -> None:
    async with mail_server(needs_login=True) as server:
        mail = mailer(f"smtp://gate%40way:p%40ss%2Fword@127.0.0.1:{server.port}")
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert server.logins == [(b"gate@way", b"p@ss/word")]
    assert len(server.messages) == 1


async def test_a_server_without_tls_gets_no_letter_where_tls_is_required() -> None:
    async with mail_server() as server:
        mail = mailer(f"{server.url}?starttls=required", pauses=())
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert (server.tried, server.messages) == (0, [])


async def test_a_server_that_is_away_is_tried_again_until_it_is_back() -> None:
    async with mail_server() as server:
        port = server.port
    mail = mailer(server.url, pauses=(0.01,) * 1000)
    mail.post_letter(LETTER)
    await until(lambda: mailed(mail, "again") >= 3)
    async with mail_server(port=port) as back:
        await until(lambda: mail.outstanding == 0)
        assert len(back.messages) == 1


def mailed(mail: Mailer, outcome: str) -> float:
    found = mail._metrics.registry.get_sample_value(
        "stampgate_mails_total", {"kind": "password-reset", "outcome": outcome}
    )
    return found or 0.0


async def test_a_server_that_says_later_is_tried_later() -> None:
    async with mail_server() as server:
        server.answers += ["451 busy", "452 full"]
        mail = mailer(server.url)
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert (server.tried, len(server.messages)) == (3, 1)
    assert mailed(mail, "again") == 2


async def test_a_server_that_says_never_is_not_tried_again() -> None:
    async with mail_server() as server:
        server.answers.append("554 no")
        mail = mailer(server.url)
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert (server.tried, server.messages) == (1, [])
    assert mailed(mail, "given-up") == 1


async def test_a_letter_is_given_up_after_the_last_pause() -> None:
    async with mail_server() as server:
        server.answers += ["451 busy"] * 9
        mail = mailer(server.url, pauses=(0.01, 0.01))
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert server.tried == 3


async def test_a_slow_server_holds_up_neither_the_caller_nor_more_than_its_connections() -> None:
    async with mail_server(slow=True) as server:
        mail = mailer(server.url)
        started = time.perf_counter()
        for _ in range(20):
            mail.post_letter(LETTER)
        assert time.perf_counter() - started < 1
        await until(lambda: server.tried == service.CONNECTIONS)
        assert mail.outstanding == 20
        server.may_go_on.set()
        await until(lambda: mail.outstanding == 0)
    assert len(server.messages) == 20


async def test_what_is_outstanding_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "OUTSTANDING", 3)
    async with mail_server(slow=True) as server:
        mail = mailer(server.url)
        for _ in range(3):
            mail.post_letter(LETTER)
        with pytest.raises(Problem, match="busy"):
            mail.post_letter(LETTER)
        server.may_go_on.set()
        await until(lambda: mail.outstanding == 0)


async def test_at_the_end_what_waits_is_delivered_at_once() -> None:
    async with mail_server() as server:
        server.answers.append("451 busy")
        mail = mailer(server.url, pauses=(3600.0,))
        mail.post_letter(LETTER)
        await until(lambda: server.tried == 1)
        await mail.close()
        assert len(server.messages) == 1
    assert mail.outstanding == 0
    with pytest.raises(Problem, match="busy"):
        mail.post_letter(LETTER)


async def test_at_the_end_a_server_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(service, "LAST_TRY_SECONDS", 0.1)
    with logging_configured(capsys) as lines:
        async with mail_server(slow=True) as server:
            mail = mailer(server.url)
            mail.post_letter(LETTER)
            await until(lambda: server.tried == 1)
            await asyncio.wait_for(mail.close(), 5)
            assert mail.outstanding == 0
        assert server.messages == []
        (line,) = lines.events()
    assert (line["event"], line["letters"]) == ("letters were given up at the end", 1)


async def test_without_a_server_the_link_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys) as lines:
        mail = mailer(None)
        assert not mail.is_on
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
        (line,) = lines.events()
    assert (line["level"], line["link"]) == ("warning", LETTER.link)
    assert LETTER.to not in str(line)


async def test_with_a_server_neither_link_nor_address_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_configured(capsys, "debug") as lines:
        async with mail_server() as server:
            server.answers += ["451 busy ada@example.com", "554 ada@example.com unknown"]
            mail = mailer(server.url)
            mail.post_letter(LETTER)
            await until(lambda: mail.outstanding == 0)
        text = lines.text()
    assert "tried again" in text
    assert "given up" in text
    assert "ada@example.com" not in text
    assert "token=" not in text


async def test_a_database_that_is_away_is_asked_again() -> None:
    asked = 0

    async def compose() -> Letter:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StorageUnavailable("away")
        return LETTER

    async with mail_server() as server:
        mail = mailer(server.url)
        mail.post(compose)
        await until(lambda: mail.outstanding == 0)
    assert (asked, len(server.messages)) == (2, 1)


async def test_a_letter_that_cannot_be_written_harms_no_other() -> None:
    async def broken() -> Letter:
        raise RuntimeError("a defect")

    async with mail_server() as server:
        mail = mailer(server.url)
        mail.post(broken)
        mail.post_letter(LETTER)
        await until(lambda: mail.outstanding == 0)
    assert len(server.messages) == 1
