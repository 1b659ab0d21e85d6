from __future__ import annotations

import string
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

import gateway.people.pin_slips
import gateway.phone.poster
from gateway.languages import LANGUAGES, catalogue_path
from gateway.printing.texts import TRANSLATIONS, texts, written_date

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

PRINTED = (gateway.phone.poster, gateway.people.pin_slips)


def _texts_of_the_source() -> set[str]:
    found: set[str] = set()
    for module in PRINTED:
        assert module.__file__ is not None
        found |= {str(message) for _, message, _, _ in extract_from_file("python", Path(module.__file__))}
    return found


def _catalogue(language: str) -> Catalog:
    with catalogue_path(TRANSLATIONS, language).open("rb") as source:
        return read_po(source, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_catalogue_holds_exactly_the_texts_that_are_printed(language: str) -> None:
    translated = {str(message.id): str(message.string) for message in _catalogue(language) if message.id}
    assert set(translated) == _texts_of_the_source()
    assert all(translated.values())


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_has_the_placeholders_of_its_original_and_is_not_a_guess(language: str) -> None:
    def placeholders(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    catalogue = _catalogue(language)
    assert not catalogue.obsolete
    for message in catalogue:
        if message.id:
            assert placeholders(str(message.id)) == placeholders(str(message.string)), message.id
            assert not message.fuzzy, message.id


def test_nothing_is_printed_in_a_language_there_is_not() -> None:
    with pytest.raises(ValueError, match="'fr'"):
        texts("fr")


def test_a_date_is_written_with_its_month_in_words() -> None:
    assert written_date(date(2026, 3, 1), "de") == "1. März 2026"
    assert written_date(date(2026, 3, 1), "en") == "1 March 2026"
