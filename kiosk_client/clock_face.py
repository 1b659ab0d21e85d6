"""The clock's screen as lines of text, for any size from 40 by 15 on, with sixteen colours or none.

Drawn from a ``Door`` alone, so that what the next person sees is what the door holds and nothing that was drawn before.
There are no frames and no pictures: a Linux console shows the same as a window.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from kiosk_client.clock_prompt import DONE
from kiosk_client.door import Stage
from kiosk_client.wording import duration, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kiosk_client.door import Door

BOLD, BAD, GOOD, CHOICE = "bold", "bold red", "bold green", "bold reverse"

WIDE: Final = 64
"""Columns from which on the figures are drawn twice as wide."""

TALL: Final = 22
"""Rows from which on a choice is three rows high."""

FIGURES: Final[Mapping[str, tuple[str, ...]]] = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": ("  #", "  #", "  #", "  #", "  #"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
    ":": (" ", "#", " ", "#", " "),
}

_ASCII = str.maketrans(
    {"·": "-", "…": "...", "✔": "*", "–": "-", "’": "'", "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"}
    | {"Ä": "Ae", "Ö": "Oe", "Ü": "Ue"}
)
_CONSOLE = str.maketrans({"…": "...", "✔": "*", "–": "-", "’": "'"})


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Which characters the terminal can show: ``block`` draws the figures, ``table`` replaces what it lacks."""

    block: str
    table: Mapping[int, str]

    def said(self, text: str) -> str:
        """``text`` in these characters."""
        return text.translate(self.table)


UNICODE = Glyphs("█", {})
CONSOLE = Glyphs("█", _CONSOLE)
ASCII = Glyphs("#", _ASCII)


def glyphs_for(encoding: str | None, term: str | None) -> Glyphs:
    """A terminal without UTF-8 gets ASCII; the Linux console has a font of 256 characters (console_codes(4))."""
    if (encoding or "").lower().replace("-", "") != "utf8":
        return ASCII
    return CONSOLE if term == "linux" else UNICODE


@dataclass(frozen=True, slots=True)
class Line:
    """One line, centred. ``optional``: the first to go where there is no room."""

    text: str = ""
    style: str = ""
    optional: bool = False


GAP = Line(optional=True)


def page(door: Door, width: int, height: int, glyphs: Glyphs) -> Text:
    """The whole screen of ``width`` columns and ``height`` rows."""
    lines = [
        Line(part, line.style, line.optional)
        for line in _lines(door, width, height, glyphs)
        for part in (_wrapped(glyphs.said(line.text), width) if line.style != CHOICE else [glyphs.said(line.text)])
    ]
    while len(lines) > height and any(line.optional for line in lines):
        lines.remove(next(line for line in reversed(lines) if line.optional))
    lines = lines[:height]
    drawn = Text("\n" * ((height - len(lines)) // 2), no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        left = max(0, (width - len(line.text)) // 2)
        drawn.append("\n" if number else "")
        drawn.append(" " * left)
        drawn.append(line.text[:width], line.style)
    return drawn


def _wrapped(text: str, width: int) -> list[str]:
    if text.startswith((" ", "#", "█")) or len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(10, width - 2), break_on_hyphens=False) or [""]


def _lines(door: Door, width: int, height: int, glyphs: Glyphs) -> Iterator[Line]:
    if door.stage in (Stage.NUMBER, Stage.PIN, Stage.SIGNING_IN):
        yield from _heading(door)
        yield GAP
        yield from _figures(f"{door.now:%H:%M:%S}", 2 if width >= WIDE else 1, glyphs)
        yield GAP
        yield Line(door.wording.date(door.now))
        yield GAP
        yield from _typing(door)
        return
    yield from _heading(door, f"{door.now:%H:%M:%S}")
    yield GAP
    match door.stage:
        case Stage.STARTING:
            yield Line(door.wording.starting)
        case Stage.NOT_ENROLLED:
            yield from _not_enrolled(door)
        case Stage.PENDING:
            yield from _pending(door)
        case Stage.FAULT:
            yield from _fault(door)
        case Stage.NOTICE:
            yield from _notice(door)
        case _:
            yield from _person(door, width, height)


def _heading(door: Door, time: str = "") -> Iterator[Line]:
    yield Line(door.company, BOLD)
    yield Line("  ".join(part for part in (door.place, time) if part))


def _figures(time: str, scale: int, glyphs: Glyphs) -> Iterator[Line]:
    for row in range(5):
        cells = " ".join(FIGURES[character][row] for character in time)
        drawn = "".join((glyphs.block if cell == "#" else " ") * scale for cell in cells)
        yield Line(drawn, BOLD)


def _typing(door: Door) -> Iterator[Line]:
    wording, person = door.wording, door.person
    yield Line(f"{wording.personnel_number}: {person.number}_" if door.stage is Stage.NUMBER else "", BOLD)
    if door.stage is Stage.PIN:
        yield Line(f"{wording.pin}: {'*' * len(person.pin)}_", BOLD)
    elif door.stage is Stage.SIGNING_IN:
        yield Line(wording.signing_in, BOLD)
    if door.seconds_left is not None:
        yield Line(wording.back_in.format(door.seconds_left))
    yield Line(wording.keys_hint, "", optional=True)
    if door.clock_offset is not None:
        yield Line(wording.clock_off.format(round(abs(door.clock_offset))), "yellow", optional=True)


def _not_enrolled(door: Door) -> Iterator[Line]:
    yield Line(door.wording.not_enrolled_title, BAD)
    yield GAP
    for step in door.wording.steps_to_enrol:
        yield Line(step)
    yield GAP


def _pending(door: Door) -> Iterator[Line]:
    yield Line(door.wording.words_title, BOLD)
    yield GAP
    widest = max((len(word) for word in door.words), default=0)
    for number, word in enumerate(door.words, 1):
        yield Line(f"{number}  {' '.join(word.upper()).ljust(2 * widest)}", GOOD)
    yield GAP
    yield Line(door.wording.waiting_for_approval)


def _fault(door: Door) -> Iterator[Line]:
    yield Line(door.wording.out_of_service, BAD)
    yield GAP
    if door.fault is not None:
        yield Line(door.fault.told(door.wording, door.zone))
    yield GAP
    yield Line(door.wording.trying_again.format(door.seconds_left or 0))


def _notice(door: Door) -> Iterator[Line]:
    if door.person.notice is not None:
        yield Line(door.person.notice.told(door.wording, door.zone), BAD)
    yield GAP
    yield from _countdown(door)


def _person(door: Door, width: int, height: int) -> Iterator[Line]:
    wording, person = door.wording, door.person
    if person.session is None or person.status is None:
        return
    yield Line(plain(person.session.employee.display_name), BOLD)
    if person.stamped is not None:
        stamp = person.stamped.stamp
        at = f"{stamp.at.astimezone(door.zone):%H:%M:%S}"
        yield GAP
        yield Line("✔ " + wording.stamped.get(stamp.action, "{}").format(at), GOOD)
    yield Line(wording.state(person.status, door.zone, door.now))
    yield Line(wording.worked_today.format(duration(person.status.worked_today_seconds)))
    if person.status.clock_out_missing:
        yield Line(wording.clock_out_missing, BAD)
    if person.stamped is None:
        if person.session.failed_attempts:
            yield Line(wording.failed_attempts.format(person.session.failed_attempts), BAD)
        yield GAP
        if person.notice is not None:
            yield Line(person.notice.told(wording, door.zone), BAD)
        yield from _choices(door, width, height)
        yield Line(wording.choice_hint, "", optional=True)
    yield GAP
    yield from _countdown(door)


def _choices(door: Door, width: int, height: int) -> Iterator[Line]:
    offered = [(str(number), door.wording.action(action)) for number, action in enumerate(door.person.choices, 1)]
    room = min(width - 2, 44)
    for key, name in [*offered, (DONE, door.wording.done)]:
        if height >= TALL:
            yield Line(" " * room, CHOICE, optional=True)
        yield Line(f"  {key}   {name}".ljust(room)[:room], CHOICE)
        if height >= TALL:
            yield Line(" " * room, CHOICE, optional=True)
        yield GAP


def _countdown(door: Door) -> Iterator[Line]:
    if door.seconds_left is None:
        return
    text = door.wording.signing_out_in if door.stage is Stage.STAMPED else door.wording.back_in
    yield Line(text.format(door.seconds_left))
