from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.companies.service import LOCALES
from gateway.mail.letters import LANGUAGES, Letter, Letters

LETTERS = Letters("stampgate@stamp.example.com")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LINK = "https://stamp.example.com/password-reset#token=abc"


def letter(**fields: Any) -> Letter:
    return Letter(
        **{
            "kind": "password-reset",
            "to": "ada@example.com",
            "locale": "en",
            "link": LINK,
            "name": "Ada Winter",
            "company": "Müller GmbH",
            **fields,
        }
    )


def parts(message: Any) -> tuple[str, str]:
    plain, page = message.get_body(("plain",)), message.get_body(("html",))
    return plain.get_content(), page.get_content()


def test_every_language_of_a_company_has_its_letters() -> None:
    assert set(LANGUAGES) == set(LOCALES)


@pytest.mark.parametrize("kind", ["password-reset", "invitation"])
@pytest.mark.parametrize(("locale", "greeting"), [("en", "Hello Ada Winter,"), ("de", "Guten Tag Ada Winter,")])
def test_a_letter_says_the_same_in_text_and_html(kind: str, locale: str, greeting: str) -> None:
    message = LETTERS.write(letter(kind=kind, locale=locale), AT)
    plain, page = parts(message)
    assert plain.startswith(greeting)
    assert LINK in plain
    assert f'<a href="{LINK}">{LINK}</a>' in page
    assert f'<html lang="{locale}">' in page
    for paragraph in plain.strip().split("\n\n"):
        assert paragraph in page
    assert str(message["Subject"])
    assert "{" not in plain + page
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert str(message["Message-ID"]).endswith("@stamp.example.com>")


def test_an_invitation_names_who_invites_and_to_what() -> None:
    plain, _ = parts(LETTERS.write(letter(kind="invitation", inviter="Olivia Rosenthal", name=""), AT))
    assert plain.startswith("Hello,")
    assert "Olivia Rosenthal invites you to sign in to the time clock of Müller GmbH." in plain
    assert "you are invited" in parts(LETTERS.write(letter(kind="invitation"), AT))[0]


def test_names_are_text_in_html_and_never_another_field_of_the_head() -> None:
    name = 'Eve <script>alert("x")</script> & Co'
    message = LETTERS.write(letter(kind="invitation", name=name, company=name), AT)
    plain, page = parts(message)
    assert name in plain
    assert "<script>" not in page
    assert message["Subject"].endswith(name)


def test_a_language_nobody_translated_is_english() -> None:
    assert parts(LETTERS.write(letter(locale="fr"), AT))[0].startswith("Hello")


def test_neither_address_nor_link_shows_in_a_repr() -> None:
    shown = repr(letter())
    assert "ada@example.com" not in shown
    assert "abc" not in shown


@pytest.mark.parametrize(
    "company",
    [
        "=?utf-8?q?x=0D=0AReply-To:_evil@evil.example=0D=0A=0D=0ACall_now?=",
        "=?utf-8?b?DQpCY2M6IGV2aWxAZXZpbC5leGFtcGxl?=",
        "=?utf-8?q?=00=07?=",
        "A =?iso-8859-1?q?=0A?= B",
    ],
)
def test_a_name_that_is_an_encoded_word_brings_no_field_and_no_body(company: str) -> None:
    message = LETTERS.write(letter(kind="invitation", company=company, inviter=company), AT)
    head, _, _ = bytes(message).partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(names) == sorted(name.lower().encode() for name in message)
    assert b"reply-to" not in names
    assert b"bcc" not in names
    assert str(message["Subject"]).isprintable()
