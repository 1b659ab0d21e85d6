"""The languages people are spoken to, and how their texts are kept.

English is the language of the source; every other language has gettext catalogues in source form
(`translations/<language>/LC_MESSAGES/stampgate.po` beside what they translate), compiled in memory: nothing generated
is kept beside them, so nothing can be out of step with them.
"""

from __future__ import annotations

import gettext
import io
from typing import TYPE_CHECKING

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LANGUAGES = ("en", "de")
"""The languages there are; the first is the one of the source and of everybody we cannot please otherwise."""


def catalogue_path(translations: Path, language: str) -> Path:
    """Return where the catalogue of `language` is kept in source form below the directory `translations`."""
    return translations / language / "LC_MESSAGES" / "stampgate.po"


def read_catalogues(translations: Path) -> Mapping[str, gettext.NullTranslations]:
    """Return the texts of every language of `LANGUAGES`, by language.

    Raises `OSError` or Babel's `PoFileError` when a catalogue is missing or damaged: half of the texts would be
    unreadable, and that must be found before anybody reads them.
    """
    catalogues: dict[str, gettext.NullTranslations] = {LANGUAGES[0]: gettext.NullTranslations()}
    for language in LANGUAGES[1:]:
        with catalogue_path(translations, language).open("rb") as source:
            catalogue = read_po(source, locale=language, abort_invalid=True)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        catalogues[language] = gettext.GNUTranslations(compiled)
    return catalogues
