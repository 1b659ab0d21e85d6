"""Which language a page speaks, and the texts of that language.

English is the language of the templates; every other language has one gettext catalogue in source form
(`translations/<language>/LC_MESSAGES/stampgate.po`), compiled in memory at start: nothing generated is kept beside it,
so nothing can be out of step with it.
"""

from __future__ import annotations

import gettext
import io
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES = ("en", "de")
"""The languages pages exist in; the first is the one of the templates and of everybody we cannot please otherwise."""

ACCEPT_LANGUAGE_LIMIT = 500
"""Characters of `Accept-Language` that are read; browsers send fewer than 100."""

TRANSLATIONS = Path(__file__).parent / "translations"


def catalogue_path(language: str) -> Path:
    """Return where the catalogue of `language` is kept in source form."""
    return TRANSLATIONS / language / "LC_MESSAGES" / "stampgate.po"


def load_catalogues() -> Mapping[str, gettext.NullTranslations]:
    """Return the texts of every language of `LANGUAGES`, by language.

    Raises `OSError` or Babel's `PoFileError` when a catalogue is missing or damaged: a gateway must not start with
    half of its pages unreadable.
    """
    catalogues: dict[str, gettext.NullTranslations] = {LANGUAGES[0]: gettext.NullTranslations()}
    for language in LANGUAGES[1:]:
        with catalogue_path(language).open("rb") as source:
            catalogue = read_po(source, locale=language, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        catalogues[language] = gettext.GNUTranslations(compiled)
    return catalogues


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
