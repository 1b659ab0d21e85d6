"""Times and lengths of time as people in the company read them: in its time zone, and in the language of the page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal
from markupsafe import Markup

from gateway.lockouts.service import MINUTE_SECONDS, told_end
from gateway.stamping.local_day import date_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

HOUR_MINUTES: Final = 60
DAY_SECONDS: Final = 86_400.0

_DAYS: Final = {"en": "d MMM y", "de": "d. MMM y"}

_REGIONS: Final = {"en": "en_GB", "de": "de_DE"}
"""Whose way of writing dates is meant; in both the day comes before the month."""


def length(minutes: int, gettext: Callable[[str], str]) -> str:
    """Return a length of time, such as `7 h 32 min` or `15 min`, that breaks between hours and minutes alone."""
    text = gettext("{hours} h {minutes} min") if minutes >= HOUR_MINUTES else gettext("{minutes} min")
    return re.sub(r"(\d) ", "\\1\u00a0", text.format(hours=minutes // HOUR_MINUTES, minutes=minutes % HOUR_MINUTES))


class Dates:
    """Writes times for one page. `now` in Unix seconds; `gettext` gives the page's texts."""

    def __init__(self, zone: ZoneInfo, language: str, now: float, gettext: Callable[[str], str]) -> None:
        self.zone = zone
        self.now = now
        self._region = _REGIONS[language]
        self._day = _DAYS[language]
        self._gettext = gettext

    def when(self, at: float | None) -> Markup | str:
        """A time, without its date if that is today; a dash for none."""
        if at is None:
            return "–"
        local = datetime.fromtimestamp(at, self.zone)
        if local.date() == date_of(self.now, self.zone):
            text = format_time(local, "HH:mm", tzinfo=self.zone, locale=self._region)
        else:
            text = format_datetime(local, f"{self._day}, HH:mm", tzinfo=self.zone, locale=self._region)
        return self._marked(at, text)

    def until(self, at: float | None) -> Markup | str:
        """The end of a lock, rounded up to the next full minute."""
        return self.when(told_end(at))

    def exactly(self, at: float | None) -> Markup | str:
        """A time with its date and seconds."""
        if at is None:
            return "–"
        return self._marked(at, format_datetime(at, f"{self._day}, HH:mm:ss", tzinfo=self.zone, locale=self._region))

    def day(self, at: float | None) -> Markup | str:
        """A date."""
        if at is None:
            return "–"
        return self._marked(at, format_date(datetime.fromtimestamp(at, self.zone), "long", locale=self._region))

    def field(self, at: float) -> str:
        """A local time as the value of a field for one (HTML, "datetime-local")."""
        return f"{datetime.fromtimestamp(at, self.zone):%Y-%m-%dT%H:%M:%S}"

    def offset(self, milliseconds: float) -> str:
        """By how much another clock is ahead, in seconds."""
        seconds = format_decimal(milliseconds / 1000, "+0.0;-0.0", locale=self._region)
        gettext = self._gettext
        return gettext("{seconds} s").format(seconds=seconds)

    def hours(self, seconds: float) -> str:
        """A length of time in hours and minutes, as on the phone page and the terminal page."""
        return length(int(seconds // MINUTE_SECONDS), self._gettext)

    def days(self, seconds: float) -> str:
        """A length of time in whole days."""
        count = int(seconds // DAY_SECONDS)
        return self._gettext("1 day") if count == 1 else self._gettext("{count} days").format(count=count)

    @staticmethod
    def _marked(at: float, text: str) -> Markup:
        machine = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        return Markup('<time datetime="{machine}">{text}</time>').format(machine=machine, text=text)
