"""PIN slips on the command line: for one person, or for everybody who has no PIN yet.

A slip's PIN is not shown on the screen: whoever prints it need not read it.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.cli.commands import ACTOR
from gateway.cli.local_date import today
from gateway.cli.new_file import new_file
from gateway.cli.output import emit_json, hint, say
from gateway.cli.progress import progress
from gateway.cli.refusals import WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType
    from typing import BinaryIO

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.administration import Administration
    from gateway.people.pin_slips import Recipient
    from storage.companies import Company
    from storage.users import User

_EVERYBODY = 1_000_000
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, a service manager, and a connection that broke."""


def check_ending(path: Path) -> None:
    """Raise WrongUse unless `path` is named as the PDF that it will be."""
    if path.suffix.lower() != ".pdf":
        raise WrongUse(f"{path}: the file of a PIN slip must end in .pdf")


async def set_pin_with_slip(site: Administration, user: User, chosen: str | None, path: Path, *, as_json: bool) -> None:
    """Give one person a PIN, chosen or made, and write it on a slip."""
    from gateway.people.pin_slips import Recipient

    company = await site.companies.get(user.company_id)
    with new_file(path) as file:
        generated = await site.people.set_pin(user.id, chosen, actor=ACTOR)
        recipient = Recipient(user.full_name, user.personnel_number or "", chosen or generated or "")
        _write(site, company, [recipient], file)
    if as_json:
        emit_json({"id": user.id, "personnel_number": user.personnel_number, "slip": str(path)})
        return
    say(f"The PIN of {user.full_name} is set; it is on the slip {path}.")
    hint("Print it and delete the file: the PIN is nowhere else.")


async def set_missing_pins(site: Administration, company: Company, path: Path, *, as_json: bool) -> None:
    """Give everybody active who has a personnel number and no PIN one, and write a slip for each.

    Whatever ends it early, the file holds a slip for exactly those whose PIN is set by then. Ctrl-C ends it behind the
    person of that moment, as KeyboardInterrupt.
    """
    people = await site.people.list_(company.id, limit=_EVERYBODY)
    without = [user for user in people if user.active and user.personnel_number is not None and not user.has_pin]
    if without:
        with new_file(path) as file, _heeding_signals() as told:
            recipients: list[Recipient] = []
            try:
                await _set_pins(site, without, recipients, told)
            finally:
                if recipients:
                    _write(site, company, recipients, file)
                if len(recipients) < len(without):
                    hint(f"Ended early: {len(recipients)} of {len(without)} PINs are set, and their slips are written.")
        if len(recipients) < len(without):
            raise KeyboardInterrupt
    if as_json:
        emit_json({"set": len(without)} | ({"slips": str(path)} if without else {}))
    elif not without:
        say(f"Everybody active in {company.name} has a PIN.")
    else:
        say(f"PINs set in {company.name}: {len(without)}; they are on the slips in {path}.")
        hint("Print them and delete the file: the PINs are nowhere else.")


@dataclass
class _Told:
    """Whether somebody wants this to end."""

    to_stop: bool = False


@contextmanager
def _heeding_signals() -> Iterator[_Told]:
    """Take signals as a wish: ended between a PIN's commit and its slip, that PIN would be lost."""
    told = _Told()

    def heed(number: int, frame: FrameType | None) -> None:
        told.to_stop = True

    if threading.current_thread() is not threading.main_thread():
        yield told  # signals are the main thread's matter
        return
    before = {number: signal.signal(number, heed) for number in _ENDING}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _set_pins(site: Administration, people: list[User], recipients: list[Recipient], told: _Told) -> None:
    """Set PINs one after the other, and add each to `recipients` as soon as it is set.

    Whoever has got one meanwhile, or is no longer active, leaves `people`.
    """
    from gateway.people.pin_slips import Recipient

    named: list[Recipient] = []

    async def name(connection: AsyncConnection, person: User, pin: str, at: float) -> None:
        """Note the person as they are when the PIN is set: the list is older."""
        named.append(Recipient(person.full_name, person.personnel_number or "", pin))

    with progress("Setting PINs") as on_progress:
        for user in tuple(people):
            if told.to_stop:
                return
            pin = await site.people.set_pin(user.id, only_if_none=True, also=name, actor=ACTOR)
            if pin is None:  # somebody gave them one meanwhile
                people.remove(user)
                continue
            recipients.append(named[-1])
            on_progress(len(recipients), len(people))


def _write(site: Administration, company: Company, recipients: list[Recipient], file: BinaryIO) -> None:
    from gateway.people.pin_slips import pin_slips_pdf

    with progress("Writing slips") as on_page:
        document = pin_slips_pdf(company.name, company.locale, recipients, today(site, company), on_page=on_page)
    file.write(document)
