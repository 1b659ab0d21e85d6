"""Which language a page speaks, and the texts of the pages in that language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import languages
from gateway.languages import LANGUAGES

if TYPE_CHECKING:
    import gettext
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "TRANSLATIONS", "catalogue_path", "choose_language", "load_catalogues"]

ACCEPT_LANGUAGE_LIMIT = 500
"""Characters of `Accept-Language` that are read; browsers send fewer than 100."""

TRANSLATIONS = Path(__file__).parent / "translations"


def catalogue_path(language: str) -> Path:
    """Return where the catalogue of `language` is kept in source form."""
    return languages.catalogue_path(TRANSLATIONS, language)


@cache
def load_catalogues() -> Mapping[str, gettext.NullTranslations]:
    """Return the texts of the pages in every language. Raises what `read_catalogues` does when one is damaged."""
    return languages.read_catalogues(TRANSLATIONS)


def choose_language(asked: str | None, accept_language: str) -> str:
    """Return the language to answer in: what the address asks for (`?lang=`), else what the browser prefers.

    `accept_language` is the field's value (RFC 9110 §12.5.4); regions are ignored (`de-AT` is `de`), malformed
    entries are passed over, because a page in the wrong language is better than none.
    """
    if asked in LANGUAGES:
        return asked
    best, best_weight = LANGUAGES[0], 0.0
    for entry in accept_language[:ACCEPT_LANGUAGE_LIMIT].split(","):
        tag, _, parameter = entry.partition(";")
        language = tag.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best


def _weight(parameter: str) -> float:
    """Read `q=0.8` (RFC 9110 §12.4.2): 1 when left out, 0 when it is no weight."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    if name.strip().lower() != "q" or not value.strip().replace(".", "", 1).isdecimal():
        return 0.0
    return min(1.0, float(value))
