"""Which language a page speaks, and the texts of the pages in that language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import languages
from gateway.http.preferences import weighted
from gateway.languages import LANGUAGES

if TYPE_CHECKING:
    import gettext
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "TRANSLATIONS", "catalogue_path", "choose_language", "load_catalogues"]

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
    for tag, weight in weighted(accept_language):
        language = tag.partition("-")[0]
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best
