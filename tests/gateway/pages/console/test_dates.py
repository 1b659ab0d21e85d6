"""Times as people write them, in either language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.pages.catalogues import LANGUAGES, load_catalogues
from gateway.pages.console.dates import Dates
from gateway.pages.console.texts import problem_text

NOON = 1_780_000_000.0


@pytest.mark.parametrize(
    ("language", "when", "exactly"),
    [("en", "28 May 2026, 22:26", "28 May 2026, 22:26:40"), ("de", "28. Mai 2026, 22:26", "28. Mai 2026, 22:26:40")],
)
def test_a_date_is_written_as_in_its_language(language: str, when: str, exactly: str) -> None:
    dates = Dates(ZoneInfo("Europe/Berlin"), language, NOON + 86_400, str)
    assert f">{when}<" in dates.when(NOON)
    assert f">{exactly}<" in dates.exactly(NOON)
    assert ">22:27<" in Dates(ZoneInfo("Europe/Berlin"), language, NOON, str).until(NOON)  # 22:26:40
    assert ">22:26<" in Dates(ZoneInfo("Europe/Berlin"), language, NOON, str).until(NOON - 40)
    assert ">22:26<" in Dates(ZoneInfo("Europe/Berlin"), language, NOON, str).when(NOON)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (59, "0 min"), (900, "15 min"), (3600, "1 h 0 min"), (27_179, "7 h 32 min"), (90_000, "25 h 0 min")],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_length_of_time_is_written_in_one_way_in_both_languages(language: str, seconds: float, text: str) -> None:
    gettext = load_catalogues()[language].gettext
    dates = Dates(ZoneInfo("Europe/Berlin"), language, NOON, gettext)
    assert dates.hours(seconds).replace("\u00a0", " ") == text
    assert problem_text("login-throttled", "", 900, gettext).count("15\u00a0min") == 1


def test_one_day_is_no_plural() -> None:
    gettext = load_catalogues()["de"].gettext
    dates = Dates(ZoneInfo("Europe/Berlin"), "de", NOON, gettext)
    assert [dates.days(count * 86_400) for count in (0, 1, 2)] == ["0 Tage", "1 Tag", "2 Tage"]


@pytest.mark.parametrize(("language", "shown"), [("en", ("+0.0 s", "-1.2 s")), ("de", ("+0,0 s", "-1,2 s"))])
def test_how_far_a_clock_is_ahead_is_written_as_the_language_writes_numbers(
    language: str, shown: tuple[str, str]
) -> None:
    dates = Dates(ZoneInfo("Europe/Berlin"), language, NOON, str)
    assert (dates.offset(0), dates.offset(-1234)) == shown
