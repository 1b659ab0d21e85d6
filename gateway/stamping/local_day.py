"""Local days: where midnight is in a company's time zone, daylight saving included."""

from __future__ import annotations

import math
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from datetime import date

_latest: dict[str, tuple[float, float, str]] = {}
"""Per zone the day asked for last, as (start, end, ISO date): every stamp of a day asks for the same one. Bounded by
the number of time zones that exist."""


def zone_named(name: str) -> ZoneInfo:
    """Return the IANA time zone `name`. Raises `ValueError` when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone named {name[:64]!r}") from error


def midnight(day: date, zone: ZoneInfo) -> float:
    """Return the Unix time at which the local `day` begins."""
    return datetime.combine(day, time(), zone).timestamp()


def day_ends(day: date, zone: ZoneInfo) -> float | None:
    """Return the Unix time at which the local day after `day` begins; `None` behind the calendar's end."""
    try:
        return midnight(day + timedelta(days=1), zone)
    except OverflowError:
        return None


def instants(local: datetime, zone: ZoneInfo) -> list[float]:
    """Return the Unix times at which clocks in `zone` show `local`, which has no zone of its own, in their order.

    One of them; two in the hour that comes twice when clocks are put back, none in the hour that is left out when they
    are put forward. Raises `ValueError` for a time with a zone.
    """
    if local.tzinfo is not None:
        raise ValueError("a local time has no zone of its own")
    found = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    return sorted({at for at in found if datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0) == local})


def date_of(now: float, zone: ZoneInfo) -> date:
    """Return the local date at `now`."""
    # Whole seconds: a fraction just below midnight must not be rounded into the next day.
    return datetime.fromtimestamp(math.floor(now), zone).date()


def local_day(now: float, zone: ZoneInfo) -> tuple[str, float]:
    """Return the local ISO date at `now` and the Unix time of its midnight."""
    found = _latest.get(zone.key)
    if found is None or not found[0] <= now < found[1]:
        day = date_of(now, zone)
        found = (midnight(day, zone), midnight(day + timedelta(days=1), zone), day.isoformat())
        _latest[zone.key] = found
    return found[2], found[0]
