"""Where local days begin, also where a clock change falls on midnight."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.stamping.local_day import date_of, instants, local_day, midnight, zone_named

HOUR = 3600.0
NAMES = ["Europe/Berlin", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Asia/Kathmandu", "UTC"]
moments = st.floats(1_262_304_000, 2_208_988_800)


@given(now=moments, name=st.sampled_from(NAMES))
def test_every_moment_lies_in_its_local_day(now: float, name: str) -> None:
    zone = ZoneInfo(name)
    day, start = local_day(now, zone)
    assert day == datetime.fromtimestamp(int(now), zone).date().isoformat()
    assert start <= now < midnight(date.fromisoformat(day) + timedelta(days=1), zone)
    assert local_day(start, zone) == (day, start)
    assert local_day(start - 0.001, zone)[0] < day


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Europe/Berlin", date(2026, 7, 1), 24),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # there is no midnight: the clock goes from 23:59 to 1:00
        ("America/Sao_Paulo", date(2018, 2, 17), 25),  # 23:00 to midnight comes twice
        ("Pacific/Apia", date(2011, 12, 30), 0),  # this day was left out
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
    ],
)
def test_a_local_day_is_as_long_as_the_clocks_make_it(name: str, day: date, hours: int) -> None:
    zone = ZoneInfo(name)
    assert midnight(day + timedelta(days=1), zone) - midnight(day, zone) == hours * HOUR


def test_the_same_moment_is_another_day_elsewhere() -> None:
    now = datetime(2026, 6, 1, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp()
    assert date_of(now, ZoneInfo("America/New_York")) == date(2026, 6, 1)
    assert date_of(now, ZoneInfo("Europe/Berlin")) == date(2026, 6, 2)


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd", "Europe/Berlin\x00", "/etc/localtime"])
def test_a_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        zone_named(name)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2025-10-26T01:59:59", ["2025-10-25T23:59:59"]),
        ("2025-10-26T02:30:00", ["2025-10-26T00:30:00", "2025-10-26T01:30:00"]),
        ("2025-10-26T03:00:00", ["2025-10-26T02:00:00"]),
        ("2026-03-29T02:30:00", []),
        ("2026-03-29T03:00:00", ["2026-03-29T01:00:00"]),
    ],
)
def test_a_local_time_is_one_instant_or_two_or_none(local: str, utc: list[str]) -> None:
    found = instants(datetime.fromisoformat(local), ZoneInfo("Europe/Berlin"))
    assert found == [datetime.fromisoformat(f"{one}+00:00").timestamp() for one in utc]


@given(now=moments, name=st.sampled_from(NAMES))
def test_every_instant_is_among_those_of_its_local_time(now: float, name: str) -> None:
    zone = ZoneInfo(name)
    local = datetime.fromtimestamp(int(now), zone).replace(tzinfo=None, fold=0)
    assert int(now) in instants(local, zone)


def test_a_time_with_a_zone_is_no_local_time() -> None:
    with pytest.raises(ValueError, match="no zone of its own"):
        instants(datetime.fromisoformat("2026-01-05T08:00:00+09:00"), ZoneInfo("Europe/Berlin"))
