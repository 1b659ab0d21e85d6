"""What a name, a personnel number and an e-mail address may be: one rule for forms, command line and CSV files."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from gateway.accounts.roles import Role
from gateway.http.field_faults import FieldError, FieldFault
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME_LIMIT: Final = 200
"""Characters: longer than any name, shorter than a page of text in a list."""

EMAIL_LIMIT: Final = 254
"""Characters an SMTP path can carry (RFC 5321 §4.5.3.1.3)."""

_PERSONNEL_NUMBER: Final = re.compile(r"[0-9]{1,12}")
_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL: Final = re.compile(rf"(?!.{{65,}}@)(?!.*=\?){_ATOM}(?:\.{_ATOM})*@[\w-]+(?:\.[\w-]+)*")
"""The usual form of the part before the @ (dot-atom, RFC 5322 §3.2.3): what is none, mail servers do not reach."""
_BIDI_CONTROLS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def read_text(text: str, limit: int = NAME_LIMIT) -> str:
    """A name of a person or thing: NFC, white space made single. FieldFault when empty, too long or not printable.

    Controls and direction overrides are refused: they make a list or a log show something else than what is stored.
    """
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text.strip()):
        raise FieldFault("must not contain control characters")
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name:
        raise FieldFault("must not be empty")
    if len(name) > limit:
        raise FieldFault(f"must be {limit} characters or fewer")
    if not _BIDI_CONTROLS.isdisjoint(name):
        raise FieldFault("must not contain characters that turn the writing direction")
    return name


def read_personnel_number(text: str) -> str:
    """1 to 12 ASCII digits, kept as text: leading zeros count."""
    number = text.strip()
    if not _PERSONNEL_NUMBER.fullmatch(number):
        raise FieldFault("must be 1 to 12 digits")
    return number


def read_email(text: str) -> str:
    """An address in lower case: people type theirs both ways and must find one account."""
    email = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().lower())
    if len(email) > EMAIL_LIMIT or not _EMAIL.fullmatch(email):
        raise FieldFault("must be an e-mail address")
    return email


def read_role(text: str) -> str:
    """One of the four roles."""
    if text not in set(Role):
        raise FieldFault(f"must be one of {', '.join(Role)}")
    return text


_READERS: Final[Mapping[str, Callable[[str], str]]] = {
    "full_name": read_text,
    "personnel_number": read_personnel_number,
    "email": read_email,
    "role": read_role,
}


def read_person(values: Mapping[str, str]) -> dict[str, str]:
    """The values as they are stored. Raises Problem `bad-request` with every fault."""
    read: dict[str, str] = {}
    faults: list[FieldError] = []
    for name, value in values.items():
        try:
            read[name] = _READERS[name](value)
        except FieldFault as fault:
            faults.append(FieldError(name, str(fault)))
    if faults:
        raise Problem("bad-request", errors=faults, cause="faulty: " + ", ".join(fault.field for fault in faults))
    return read
