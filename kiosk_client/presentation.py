"""What the commands print for people: words, a QR code, the terminal's condition."""

from __future__ import annotations

import io
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import qrcode
import typer
from qrcode.constants import ERROR_CORRECT_L

from kiosk_client.wording import ENGLISH, duration, plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from kiosk_client.answers import DeviceAnswer, SignIn, Stamped
    from kiosk_client.errors import KioskError
    from kiosk_client.wording import Wording

CLOCK_TOLERANCE_SECONDS = 5.0
"""Worth telling; signing works with any offset."""

KEY_WARNING_DAYS = 14
"""Time enough for IT to plan a replacement."""

DAY_SECONDS = 86_400

BESIDE_THE_CODE = 32
"""Columns for the words: the longest have 8 letters."""


def qr_code(text: str) -> str:
    """``text`` as a QR code of half blocks, dark on light whatever the terminal's colours are."""
    code = qrcode.QRCode(border=2, error_correction=ERROR_CORRECT_L)  # the smallest: a screen has no scratches
    code.add_data(text)
    drawn = io.StringIO()
    code.print_ascii(out=drawn, invert=True)
    return drawn.getvalue().rstrip("\n")


def show_words(words: tuple[str, ...], thumbprint: str) -> None:
    """The five words, numbered as IT is asked for them, and the thumbprint to scan.

    The words are beside the code, so that all is to be seen at once on a screen of 24 lines; on a narrow one they come
    last, where they are not scrolled away.
    """
    code = qr_code(thumbprint).splitlines()
    told = ["Tell IT these words, or let", "IT scan this code:", ""]
    told += [f"  {place}  " + typer.style(" ".join(word.upper()), bold=True) for place, word in enumerate(words, 1)]
    if shutil.get_terminal_size().columns >= len(code[0]) + BESIDE_THE_CODE:
        above = (len(code) - len(told)) // 2
        told = [""] * above + told + [""] * (len(code) - len(told) - above)
        lines = [f"{drawn}   {text}".rstrip() for drawn, text in zip(code, told, strict=True)]
    else:
        lines = [*code, *told]
    for line in ("", *lines, "Words: " + " ".join(words), f"Thumbprint: {thumbprint}"):
        typer.echo(line)


def stamped_line(sign_in: SignIn, stamped: Stamped, zone: tzinfo) -> str:
    """One line: time in the company's zone, action, state, worked today."""
    again = " (recorded already)" if stamped.repeated else ""
    return (
        f"{stamped.stamp.at.astimezone(zone):%H:%M:%S}  {ENGLISH.action(stamped.stamp.action)}{again}: "
        f"{plain(sign_in.employee.display_name)} is {ENGLISH.states.get(stamped.status.state, '?').lower()}, "
        f"worked today {duration(stamped.status.worked_today_seconds)}"
    )


def rfc3339(time: datetime | None) -> str | None:
    """As the gateway writes instants."""
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Condition:
    """How the terminal stands: what ``status`` shows and, as JSON, what a script reads.

    ``state`` is the gateway's word when it answered, else what is stored here; ``none`` without a key.
    """

    state: str
    reachable: bool
    url: str | None = None
    keyid: str | None = None
    device_id: str | None = None
    label: str | None = None
    location: str | None = None
    company: str | None = None
    clock_offset_seconds: float | None = None
    key_age_days: float | None = None
    key_expires_at: str | None = None
    key_expires_in_days: float | None = None
    key_sealed: bool | None = None
    problem: str | None = None
    advice: str | None = None

    @property
    def well(self) -> bool:
        """Whether people can stamp here now."""
        return self.state == "active" and self.reachable and self.problem is None

    def as_json(self) -> Mapping[str, object]:
        """All members, with ``ok`` before them."""
        return {"ok": self.well, **asdict(self)}


def condition_of(
    *,
    url: str,
    keyid: str,
    device_id: str | None,
    stored_state: str,
    key_age: float,
    device: DeviceAnswer | None,
    offset: float,
    server_now: float,
    fault: KioskError | None,
    wording: Wording,
    words_shown_by: str,
) -> Condition:
    """Put together what is stored (ages in seconds) and what the gateway answered.

    ``words_shown_by`` is the command that shows the words of a pending enrolment.
    """
    expires = None if device is None else device.key_expires_at
    expires_in = None if expires is None else (expires.timestamp() - server_now) / DAY_SECONDS
    answered = fault is None or fault.problem not in ("unreachable", "certificate", "tls-missing", "unexpected-answer")
    advice = None if fault is None else fault.told(wording)
    if fault is None and device is not None and device.state == "pending":
        advice = "Waiting for approval by IT. The words are shown by: " + words_shown_by
    elif fault is None and expires_in is not None and expires_in < KEY_WARNING_DAYS:
        advice = "The key expires soon. Ask IT to replace this terminal: a new code, then enrol with --force."
    elif fault is None and abs(offset) > CLOCK_TOLERANCE_SECONDS:
        advice = "This machine's clock is off. Stamping works, by the gateway's clock; set the time all the same."
    return Condition(
        state=device.state if device else _state_by(fault) or stored_state,
        reachable=answered,
        url=url,
        keyid=keyid,
        device_id=device.device_id if device else device_id,
        label=device.label if device else None,
        location=device.location if device else None,
        company=device.company.name if device and device.company else None,
        clock_offset_seconds=round(offset, 3) if answered else None,
        key_age_days=round(key_age / DAY_SECONDS, 2),
        key_expires_at=rfc3339(expires),
        key_expires_in_days=None if expires_in is None else round(expires_in, 2),
        problem=None if fault is None else fault.problem,
        advice=advice,
    )


def _state_by(fault: KioskError | None) -> str | None:
    """The state that a refusal tells of."""
    told = {
        "device-unknown": "unknown",
        "device-pending": "pending",
        "device-suspended": "suspended",
        "device-revoked": "revoked",
        "key-expired": "expired",
    }
    return None if fault is None else told.get(fault.problem)


def show_condition(condition: Condition) -> None:
    """The condition as lines for people; the last one says what to do."""
    lines = {
        "Terminal": " · ".join(plain(text) for text in (condition.label, condition.location) if text),
        "Company": plain(condition.company or ""),
        "Gateway": _gateway_line(condition),
        "State": condition.state,
        "Device id": plain(condition.device_id or ""),
        "Thumbprint": condition.keyid or "",
        "Key": _key_line(condition),
        "Clock": _clock_line(condition.clock_offset_seconds),
    }
    for name, value in lines.items():
        if value:
            typer.echo(f"{name + ':':<12} {value}")
    if condition.advice:
        typer.secho(condition.advice, fg=None if condition.well else typer.colors.RED)
    elif condition.well:
        typer.secho("All is well: people can stamp here.", fg=typer.colors.GREEN)


def _gateway_line(condition: Condition) -> str:
    if not condition.url:
        return "none yet"
    return condition.url if condition.reachable else f"{condition.url} (not reachable)"


def _key_line(condition: Condition) -> str:
    if condition.key_age_days is None:
        return ""
    age = f"{condition.key_age_days:.0f} days old"
    if condition.key_expires_in_days is None or condition.key_expires_at is None:
        return age
    return f"{age}, valid until {condition.key_expires_at[:10]} ({condition.key_expires_in_days:.0f} days)"


def _clock_line(offset: float | None) -> str:
    if offset is None:
        return ""
    if abs(offset) < 1:
        return "right"
    return f"{abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} the gateway's"
