"""What is written in a mail: one template per kind and language, from which both the text and the HTML part are made.

The first line of a template is the subject; paragraphs are parted by empty lines, and the link is one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import jinja2

if TYPE_CHECKING:
    from datetime import datetime

LetterKind = Literal["password-reset", "invitation"]

TEMPLATES: Final = Path(__file__).parent / "templates"
LANGUAGES: Final = ("en", "de")
"""The languages letters exist in; the first is for everybody whose own is not among them."""

SUBJECT: Final = "Subject: "
SENDER_NAME: Final = "Stampgate"

_ENCODED_WORD: Final = "=?"
"""Begins an encoded word (RFC 2047 §2), which the standard library decodes in any subject it is given: the name of a
company could so bring line breaks, and with them fields and a body of its own. Nothing is called like that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail to be written. `link` carries a secret; `name` may be empty where nobody knows it yet."""

    kind: LetterKind
    to: str = field(repr=False)
    locale: str
    link: str = field(repr=False)
    name: str = field(default="", repr=False)
    company: str = ""
    inviter: str = ""


class Letters:
    """Writes letters. All templates are read at once, so that a damaged one stops the start."""

    def __init__(self, sender: str) -> None:
        self._sender = Address(SENDER_NAME, addr_spec=sender)
        texts, pages = _environments()
        kinds: tuple[LetterKind, ...] = ("password-reset", "invitation")
        self._texts = {
            (kind, language): texts.get_template(f"{language}/{kind}.txt") for kind in kinds for language in LANGUAGES
        }
        self._page = pages.get_template("letter.html")

    def write(self, letter: Letter, at: datetime) -> EmailMessage:
        """Return the message: plain text, and the same as simple HTML."""
        locale = letter.locale if letter.locale in LANGUAGES else LANGUAGES[0]
        rendered = self._texts[letter.kind, locale].render(
            name=letter.name, company=letter.company, inviter=letter.inviter, link=letter.link
        )
        head, _, text = rendered.partition("\n\n")
        subject = head.removeprefix(SUBJECT).replace(_ENCODED_WORD, "= ?")
        message = EmailMessage(policy=SMTP)
        message["Subject"] = subject
        message["From"] = self._sender
        message["To"] = Address(addr_spec=letter.to)
        message["Date"] = format_datetime(at)
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no out-of-office note comes back
        message.set_content(text)
        page = self._page.render(
            locale=locale, subject=subject, link=letter.link, paragraphs=text.strip().split("\n\n")
        )
        message.add_alternative(page, subtype="html")
        return message


@cache
def _environments() -> tuple[jinja2.Environment, jinja2.Environment]:
    """Where templates of plain text come from, and those of HTML, where everything is escaped."""
    texts = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701
    )
    return texts, texts.overlay(autoescape=True, trim_blocks=True, lstrip_blocks=True)
