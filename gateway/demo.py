"""What `stampgate demo` shows: a company, five people with PINs, an owner, the phone link, an enrolled terminal.

What was made is kept in a file of mode 0600, so a second start shows the same again. Nothing here is a shortcut: the
services are the ones the product runs on, and the terminal enrols and stamps by the published protocol.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from crypto.tokens import token_hash

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.administration import Administration

FILE_NAME: Final = "demo.json"
COMPANY: Final = "Rosenthal Bakery"
TIMEZONE: Final = "Europe/Berlin"
OWNER_NAME: Final = "Olivia Rosenthal"
OWNER_EMAIL: Final = "olivia@rosenthal.example"
PEOPLE: Final = (
    ("0101", "Ada Winter"),
    ("0102", "Ben Sommer"),
    ("0103", "Cem Yıldız"),
    ("0104", "Dora Keller"),
    ("0105", "Emil Brandt"),
)
ACTOR: Final = "cli"
PASSWORD_BYTES: Final = 9
"""Random bytes of the owner's password: 18 hex digits are long enough for anybody and short enough to type once."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody who can stamp."""

    name: str
    personnel_number: str
    pin: str


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo consists of, secrets included: it exists to be shown."""

    company_id: str
    people: tuple[DemoPerson, ...]
    owner_email: str
    owner_password: str
    link_token: str

    def link(self, public_url: str) -> str:
        """Return the address that the poster's QR code carries."""
        return f"{public_url}/stamp#t={self.link_token}"


class DemoFileError(Exception):
    """The demo's file cannot be used; one line that says what to do."""


async def prepare(administration: Administration) -> Demo:
    """Return the demo in this data directory, making it on the first start. Raises `DemoFileError`."""
    path = administration.settings.data_dir / FILE_NAME
    demo, companies = _load(path), await administration.companies.list_()
    if demo is not None and any(company.id == demo.company_id for company in companies):
        return demo
    if companies:
        raise DemoFileError(
            f"{administration.settings.data_dir} holds a gateway that is not the demo: choose another --data-dir"
        )
    demo = await _make(administration)
    _save(path, demo)
    return demo


async def _make(administration: Administration) -> Demo:
    companies, people = administration.companies, administration.people
    company = await companies.add(COMPANY, timezone=TIMEZONE, locale="en", actor=ACTOR)
    owner = await people.add(company.id, full_name=OWNER_NAME, email=OWNER_EMAIL, role="owner", actor=ACTOR)
    password = administration.randomness(PASSWORD_BYTES).hex()
    await administration.accounts.set_password(owner.id, password, actor=ACTOR)
    shown = []
    for number, name in PEOPLE:
        person = await people.add(company.id, full_name=name, personnel_number=number, actor=ACTOR)
        shown.append(DemoPerson(name, number, await people.set_pin(person.id, actor=ACTOR) or ""))
    await companies.update(company.id, {"public_stamp_enabled": True}, actor=ACTOR)
    link = await companies.rotate_link(company.id, actor=ACTOR)
    return Demo(company.id, tuple(shown), OWNER_EMAIL, password, link.token)


async def link_is_current(administration: Administration, demo: Demo) -> bool:
    """Whether the demo's link still leads in; somebody may have rotated it to see what happens."""
    company = await administration.companies.get(demo.company_id)
    return company.public_stamp_enabled and company.link_hash == token_hash(demo.link_token)


def _load(path: Path) -> Demo | None:
    try:
        values = json.loads(path.read_text("utf-8"))
        people = tuple(DemoPerson(**person) for person in values.pop("people"))
        return Demo(people=people, **values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise DemoFileError(f"{path} cannot be read: delete its directory to start the demo anew") from None


def _save(path: Path, demo: Demo) -> None:
    """Write the file whole or not at all, readable for its owner alone."""
    beside = path.with_suffix(".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(demo), file, ensure_ascii=False, indent=2)
    beside.replace(path)
