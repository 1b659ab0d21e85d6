"""Stamps as a CSV file that Excel opens rightly by a double click, in German and in English.

UTF-8 with a byte order mark (without one Excel takes it for the machine's old code page), semicolons where the comma is
the decimal sign, lines ending in CR LF (RFC 4180 §2). Each time is there twice: local, to be read, and in UTC, which
has no hour twice. A cell that a spreadsheet would take for a formula is written as text (OWASP, "CSV Injection").
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING, Final

from gateway.http.models import rfc3339
from gateway.stamping.local_day import zone_named

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from zoneinfo import ZoneInfo

    from storage.stamp_history import ListedStamp

BYTE_ORDER_MARK: Final = "\ufeff"
CHUNK_BYTES: Final = 32 * 1024
"""What is written at once."""

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins with one of these is computed, not shown."""

_DELIMITERS: Final[Mapping[str, str]] = {"de": ";", "en": ","}

_HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        *("Name", "Personnel number", "Action", "Date", "Time", "Time (UTC)", "Tier", "Terminal", "Poster", "Counts"),
        *("Reason", "Corrected by", "Corrected at (UTC)", "Stamp", "Replaces"),
    ),
    "de": (
        *("Name", "Personalnummer", "Aktion", "Datum", "Uhrzeit", "Zeit (UTC)", "Weg", "Terminal", "Aushang", "Zählt"),
        *("Grund", "Korrigiert von", "Korrigiert am (UTC)", "Stempel", "Ersetzt"),
    ),
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "clock_in": "Clock in",
        "clock_out": "Clock out",
        "break_start": "Start break",
        "break_end": "End break",
        "kiosk": "terminal",
        "phone": "phone",
        "correction": "correction",
        "yes": "yes",
        "no": "no",
    },
    "de": {
        "clock_in": "Kommen",
        "clock_out": "Gehen",
        "break_start": "Pause beginnen",
        "break_end": "Pause beenden",
        "kiosk": "Terminal",
        "phone": "Telefon",
        "correction": "Korrektur",
        "yes": "ja",
        "no": "nein",
    },
}


async def csv_file(stamps: AsyncIterator[ListedStamp], locale: str, timezone: str) -> AsyncIterator[bytes]:
    """Give the file piece by piece, no more of it in memory than a piece. `locale`: `de`, or English."""
    language = locale if locale in _WORDS else "en"
    words, zone = _WORDS[language], zone_named(timezone)
    text = io.StringIO(newline="")
    text.write(BYTE_ORDER_MARK)
    writer = csv.writer(text, delimiter=_DELIMITERS[language], lineterminator="\r\n")
    writer.writerow(_HEADINGS[language])
    async for stamp in stamps:
        writer.writerow([as_text(cell) for cell in _cells(stamp, words, zone)])
        if text.tell() >= CHUNK_BYTES:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def as_text(cell: str) -> str:
    """Return a cell that no spreadsheet computes: what begins as a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell


def _cells(stamp: ListedStamp, words: Mapping[str, str], zone: ZoneInfo) -> Iterable[str]:
    local = datetime.fromtimestamp(stamp.at, zone)
    return (
        stamp.full_name,
        stamp.personnel_number or "",
        words[stamp.action],
        f"{local:%Y-%m-%d}",
        f"{local:%H:%M:%S}",
        rfc3339(stamp.at),
        words[stamp.tier],
        stamp.device_label or "",
        "" if stamp.link_version is None else str(stamp.link_version),
        words["no" if stamp.replaced_by else "yes"],
        stamp.reason or "",
        stamp.made_by_name or "",
        "" if stamp.made_at is None else rfc3339(stamp.made_at),
        stamp.id,
        stamp.replaces or "",
    )
