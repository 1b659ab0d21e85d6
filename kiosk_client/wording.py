"""Every sentence a person at the door reads, in German and English.

One frozen value per language, so that a missing sentence is a type error and not a blank line at the door.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from kiosk_client.fault_texts import FAULTS_ENGLISH, FAULTS_GERMAN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kiosk_client.answers import Status


SOON = 90.0
"""Below so many seconds of waiting a countdown says more than a minute of the clock."""


PROGRAM = "stampgate-kiosk"

_PLACES = re.compile(r"\{stamping\} |\{\w*\}|" + PROGRAM)
"""All are filled in at once: nothing that is filled in is read as a place."""


@dataclass(frozen=True, slots=True)
class CommandLine:
    """How a command is typed here, so that one that is advised can be copied."""

    program: str = PROGRAM
    """Its name, or the way to it."""

    options: str = ""
    """What every command has to end with: `` --state-dir /srv/terminal``, or nothing."""

    @property
    def filled(self) -> Mapping[str, str]:
        """What stands in the place of what in a text."""
        return {PROGRAM: self.program, "{options}": self.options}

    def told(self, text: str) -> str:
        """``text``, with no other places to fill in, and the commands in it as they are typed here."""
        return _PLACES.sub(lambda place: self.filled[place[0]], text)


def plain(text: str) -> str:
    """``text`` from the network without control characters: a name must not be able to steer the terminal."""
    return "".join(character for character in text if character.isprintable())


@dataclass(frozen=True, slots=True)
class Wording:
    """The sentences of one language; ``{}`` marks what is filled in."""

    language: str
    personnel_number: str
    pin: str
    actions: Mapping[str, str]
    done: str
    stamped: Mapping[str, str]
    states: Mapping[str, str]
    since: str
    days: tuple[str, ...]
    day_format: str
    worked_today: str
    failed_attempts: str
    clock_out_missing: str
    choice: str
    no_such_choice: str
    signing_in: str
    signed_out: str
    signing_out_in: str
    out_of_service: str
    trying_again: str
    clock_off: str
    leave_hint: str
    keys_hint: str
    choice_hint: str
    any_key_hint: str
    back_in: str
    starting: str
    not_enrolled_title: str
    how_to_enrol: tuple[str, ...]
    words_title: str
    waiting_for_approval: str
    goodbye: str
    try_again_at: str
    try_again_in: str
    faults: Mapping[str, str]
    unknown_fault: str
    no_stamping: str
    stamping: bool = False
    """Whether whoever reads this wants to stamp: then a fault says so when that cannot be done."""

    command_line: CommandLine = CommandLine()

    def command(self, words: str) -> str:
        """The command to advise: ``stampgate-kiosk`` with ``words``, as it has to be typed here."""
        return self.command_line.told(f"{PROGRAM} {words}{{options}}")

    @property
    def steps_to_enrol(self) -> tuple[str, ...]:
        """How to enrol, a line each."""
        return tuple(self.command_line.told(step) for step in self.how_to_enrol)

    def fault(
        self, problem: str, cause: str = "", retry_at: datetime | None = None, retry_after: float | None = None
    ) -> str:
        """What is wrong and what to do, on one line. ``cause`` fills the text's ``{}`` or follows an unknown name."""
        filled = {
            "{}": " ".join(plain(cause).split()),
            "{problem}": plain(problem),
            "{stamping} ": f"{self.no_stamping} " if self.stamping else "",
            **self.command_line.filled,
        }
        text = _PLACES.sub(lambda place: filled[place[0]], self.faults.get(problem, self.unknown_fault)).strip()
        if retry_at is not None and (retry_after is None or retry_after >= SOON):
            text += " " + self.try_again_at.format(f"{full_minute(retry_at):%H:%M}")
        elif retry_after is not None and problem not in ("busy", "state-unavailable"):
            text += " " + self.try_again_in.format(max(1, math.ceil(retry_after)))
        return text

    def date(self, now: datetime) -> str:
        """``Fri 2025-11-21`` or ``Fr 21.11.2025``, independent of the machine's locale."""
        return f"{self.days[now.weekday()]} {now.strftime(self.day_format)}"

    def state(self, status: Status, zone: tzinfo, now: datetime) -> str:
        """State in words: ``In since 07:58``, with the weekday when it began on another day."""
        words = self.states.get(status.state, plain(status.state))
        if status.since is None:
            return words
        since = status.since.astimezone(zone)
        since_when = f"{since:%H:%M}"
        if since.date() != now.astimezone(zone).date():
            since_when = f"{self.date(since)} {since_when}"
        return self.since.format(words, since_when)

    def action(self, action: str) -> str:
        """The button's name of an action."""
        return self.actions.get(action, plain(action))


def duration(seconds: float) -> str:
    """Hours and minutes worked, rounded down, as on all pages: ``7 h 32 min``, ``15 min``."""
    hours, minutes = divmod(max(0, int(seconds)) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def full_minute(time: datetime) -> datetime:
    """``time``, or the next full minute after it: whoever comes back at the minute shown must not be too early."""
    minutes = math.ceil(time.timestamp() / 60)
    return moment(minutes * 60, time.tzinfo)


def moment(unix: float, zone: tzinfo | None = None) -> datetime:
    """Unix seconds as a time in ``zone``, or in the machine's own."""
    return datetime.fromtimestamp(unix, UTC).astimezone(zone)


ENGLISH = Wording(
    language="en",
    personnel_number="Personnel number",
    pin="PIN",
    actions={
        "clock_in": "Clock in",
        "clock_out": "Clock out",
        "break_start": "Start break",
        "break_end": "End break",
    },
    done="Done",
    stamped={
        "clock_in": "Clocked in at {}",
        "clock_out": "Clocked out at {}",
        "break_start": "Break started at {}",
        "break_end": "Break ended at {}",
    },
    states={"in": "In", "out": "Out", "break": "On break"},
    since="{} since {}",
    days=("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
    day_format="%Y-%m-%d",
    worked_today="Worked today: {}",
    failed_attempts="Failed attempts since your last sign-in: {}",
    clock_out_missing="Your last clock-out is missing. Please tell HR.",
    choice="Your choice",
    no_such_choice="Please type one of the numbers shown.",
    signing_in="Signing in …",
    signed_out="Signed out.",
    signing_out_in="Signing out in {} s (any key: now)",
    out_of_service="Out of service",
    trying_again="Trying again in {} s (any key: now)",
    clock_off="This terminal's own clock is {} s off; the gateway's time is shown and counts.",
    leave_hint="Ctrl-C ends the clock",
    keys_hint="Enter: go on   -  delete   *  cancel",
    choice_hint="Press one of the numbers.",
    any_key_hint="Any key: at once",
    back_in="Back to the clock in {} s",
    starting="Asking the gateway …",
    not_enrolled_title="This terminal is not enrolled",
    how_to_enrol=(
        "1. IT adds a terminal in the console and gets a code.",
        "2. On this machine, as this clock's user, run:",
        "stampgate-kiosk enrol URL --code CODE{options}",
        "3. The clock goes on by itself.",
    ),
    words_title="Tell IT the words asked for:",
    waiting_for_approval="Waiting for approval by IT",
    goodbye="Clock ended.",
    try_again_at="Try again at {}.",
    try_again_in="Try again in {} s.",
    faults=FAULTS_ENGLISH,
    unknown_fault="The gateway refused: {problem}. {}",
    no_stamping="Nothing can be stamped now.",
)

GERMAN = Wording(
    language="de",
    personnel_number="Personalnummer",
    pin="PIN",
    actions={
        "clock_in": "Kommen",
        "clock_out": "Gehen",
        "break_start": "Pause beginnen",
        "break_end": "Pause beenden",
    },
    done="Fertig",
    stamped={
        "clock_in": "Kommen um {} gebucht",
        "clock_out": "Gehen um {} gebucht",
        "break_start": "Pausenbeginn um {} gebucht",
        "break_end": "Pausenende um {} gebucht",
    },
    states={"in": "Anwesend", "out": "Abwesend", "break": "In Pause"},
    since="{} seit {}",
    days=("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"),
    day_format="%d.%m.%Y",
    worked_today="Heute gearbeitet: {}",
    failed_attempts="Fehlversuche seit der letzten Anmeldung: {}",
    clock_out_missing="Die letzte Gehen-Buchung fehlt. Bitte der Personalabteilung melden.",
    choice="Auswahl",
    no_such_choice="Bitte eine der angezeigten Nummern eingeben.",
    signing_in="Anmelden …",
    signed_out="Abgemeldet.",
    signing_out_in="Abmeldung in {} s (jede Taste: sofort)",
    out_of_service="Außer Betrieb",
    trying_again="Neuer Versuch in {} s (jede Taste: sofort)",
    clock_off="Die Uhr dieses Terminals geht um {} s falsch; angezeigt wird und es gilt die Zeit des Servers.",
    leave_hint="Strg-C beendet die Uhr",
    keys_hint="Enter: weiter   -  löschen   *  abbrechen",
    choice_hint="Bitte eine der Nummern drücken.",
    any_key_hint="Jede Taste: sofort",
    back_in="Zurück zur Uhr in {} s",
    starting="Der Server wird gefragt …",
    not_enrolled_title="Dieses Terminal ist nicht angemeldet",
    how_to_enrol=(
        "1. Die IT legt in der Konsole ein Terminal an und bekommt einen Code.",
        "2. Auf diesem Gerät, als Benutzer dieser Uhr:",
        "stampgate-kiosk enrol URL --code CODE{options}",
        "3. Die Uhr läuft dann von selbst weiter.",
    ),
    words_title="Der IT die gefragten Wörter nennen:",
    waiting_for_approval="Warten auf die Bestätigung durch die IT",
    goodbye="Uhr beendet.",
    try_again_at="Neuer Versuch um {} möglich.",
    try_again_in="Neuer Versuch in {} s möglich.",
    faults=FAULTS_GERMAN,
    unknown_fault="Der Server hat abgelehnt: {problem}. {}",
    no_stamping="Jetzt kann nicht gestempelt werden.",
)

LANGUAGES: Mapping[str, Wording] = {"en": ENGLISH, "de": GERMAN}


def wording_for(locale: str | None, command_line: CommandLine | None = None, *, stamping: bool = False) -> Wording:
    """German for ``de``, ``de-AT``, ``de_CH`` …; English for everything else.

    Commands are advised as ``command_line`` says; ``stamping`` when it is for somebody who wants to stamp.
    """
    language = LANGUAGES.get((locale or "en").lower().replace("_", "-").split("-")[0], ENGLISH)
    return replace(language, command_line=command_line or CommandLine(), stamping=stamping)
