"""The texts of what is printed, in every language; apart from those of the pages, which other people translate."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel.dates import format_date

from gateway.languages import read_catalogues

if TYPE_CHECKING:
    import gettext
    from datetime import date

TRANSLATIONS: Final = Path(__file__).parent / "translations"

_REGIONS: Final = {"en": "en_GB", "de": "de_DE"}
"""Whose way of writing a date is meant: day before month in both, so that no date can be misread."""


@cache
def texts(language: str) -> gettext.NullTranslations:
    """The texts of one language. Raises `ValueError` when it is none of ours."""
    catalogues = read_catalogues(TRANSLATIONS)
    if language not in catalogues:
        raise ValueError(f"nothing is printed in the language {language!r}")
    return catalogues[language]


def written_date(day: date, language: str) -> str:
    """A day with its month in words: 3 March 2026, 3. März 2026."""
    return format_date(day, format="long", locale=_REGIONS[language])
