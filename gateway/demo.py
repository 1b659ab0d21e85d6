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
    from collections.abc import Sequence
    from pathlib import Path

    from gateway.administration import Administration
    from storage.companies import Company

FILE_NAME: Final = "demo.json"
BEGUN: Final = "demo.begun"
"""A file that lies there while the demo is made: whoever killed the first start gets the rest of it at the next."""

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
    path, begun = (administration.settings.data_dir / name for name in (FILE_NAME, BEGUN))
    demo, companies = _load(path), await administration.companies.list_()
    if demo is None or all(company.id != demo.company_id for company in companies):
        if companies and not begun.exists():
            raise DemoFileError(
                f"{administration.settings.data_dir} holds a gateway that is not the demo: choose another --data-dir"
            )
        begun.touch(mode=0o600)
        demo = await _make(administration, companies)
        _save(path, demo)
    begun.unlink(missing_ok=True)
    return demo


async def _make(administration: Administration, known: Sequence[Company]) -> Demo:
    """Make the demo, or what is missing of it; secrets that nobody can have seen yet are drawn anew."""
    companies, people = administration.companies, administration.people
    company = next((one for one in known if one.name == COMPANY), None)
    if company is None:
        company = await companies.add(COMPANY, timezone=TIMEZONE, locale="en", actor=ACTOR)
    there = {user.full_name: user for user in await people.list_(company.id)}
    owner = there.get(OWNER_NAME)
    if owner is None:
        owner = await people.add(company.id, full_name=OWNER_NAME, email=OWNER_EMAIL, role="owner", actor=ACTOR)
    password = administration.randomness(PASSWORD_BYTES).hex()
    await administration.accounts.set_password(owner.id, password, actor=ACTOR)
    shown = []
    for number, name in PEOPLE:
        person = there.get(name)
        if person is None:
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
