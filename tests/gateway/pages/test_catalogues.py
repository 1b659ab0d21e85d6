"""Languages: every text exists in each of them, and a browser's wish is understood or passed over."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gateway.pages.catalogues import LANGUAGES, TRANSLATIONS, catalogue_path, choose_language, load_catalogues
from gateway.pages.phone import TEMPLATES

MODULES = TEMPLATES.parent / "console"
MARKS = ("N_", "gettext", "_gettext")

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog


def _texts_of_the_pages() -> set[str]:
    """What templates say, and what modules mark for them."""
    found = (
        *extract_from_dir(TEMPLATES, method_map=[("**.html", "jinja2.ext.babel_extract")]),
        *extract_from_dir(MODULES, method_map=[("**.py", "python")], keywords=dict.fromkeys(MARKS)),
    )
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def _catalogue(language: str) -> Catalog:
    with catalogue_path(language).open("rb") as source:
        return read_po(source, locale=language, abort_invalid=True)


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_catalogue_holds_exactly_the_texts_of_the_pages(language: str) -> None:
    translated = {str(message.id): str(message.string) for message in _catalogue(language) if message.id}
    assert set(translated) == _texts_of_the_pages()
    assert all(translated.values())


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_has_the_same_placeholders_as_its_original(language: str) -> None:
    def placeholders(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for message in _catalogue(language):
        assert placeholders(str(message.id)) == placeholders(str(message.string)) or not message.id, message.id


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_catalogue_has_nothing_fuzzy_or_obsolete(language: str) -> None:
    catalogue = _catalogue(language)
    assert not catalogue.obsolete
    assert not [message.id for message in catalogue if message.id and message.fuzzy]


def test_no_compiled_catalogue_is_kept_beside_its_source() -> None:
    assert not list(TRANSLATIONS.rglob("*.mo"))


def test_catalogues_speak_their_language() -> None:
    catalogues = load_catalogues()
    assert set(catalogues) == set(LANGUAGES)
    assert catalogues["en"].gettext("Clock in") == "Clock in"
    assert catalogues["de"].gettext("Clock in") == "Kommen"


@pytest.mark.parametrize(
    ("asked", "accept_language", "language"),
    [
        (None, "", "en"),
        (None, "de", "de"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "DE-at", "de"),
        (None, "en;q=0.5, de;q=0.9", "de"),
        (None, "fr, de;q=0.4, en;q=0.3", "de"),
        (None, "fr", "en"),
        (None, "de;q=0", "en"),
        (None, "de;q=", "en"),
        (None, "de;q=nan, en;q=0.1", "en"),
        (None, "de;q=1e9", "en"),
        (None, "de;q=²", "en"),
        (None, "de;level=1", "en"),
        (None, ";;;,,,q=1", "en"),
        (None, "x" * 500 + ",de", "en"),
        ("de", "en", "de"),
        ("en", "de", "en"),
        ("fr", "de", "de"),
        ("../../de", "en", "en"),
        ("", "de", "de"),
    ],
)
def test_the_address_decides_before_the_browser_does(asked: str | None, accept_language: str, language: str) -> None:
    assert choose_language(asked, accept_language) == language
