"""Times as people write them, in either language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.pages.console.dates import Dates

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
