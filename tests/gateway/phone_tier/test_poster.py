"""The poster: a camera reads its code, people read its words, and no name breaks it."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from datetime import date
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.companies.service import LOCALES
from gateway.phone import poster as posters
from gateway.phone.poster import (
    CONTENT_TYPES,
    FILE_FORMATS,
    PAPERS,
    POSTER_LANGUAGES,
    SIZES,
    FileFormat,
    Paper,
    poster,
    poster_sheet,
)
from gateway.printing.png import render_png
from gateway.printing.qr import qr_code
from gateway.printing.sheet import Text
from tests.gateway.printing.pages import codes, opened, page_sizes, page_texts, picture, place_of
from tests.samples import samples

ADDRESS = "https://stamp.example.com/stamp"
TOKEN = "QtKXNAwTFmeOCBqtOf3JZYHt580CFc56uHk0F1Wbu-U"
LINK = f"{ADDRESS}#t={TOKEN}"
DAY = date(2026, 3, 1)
SVG = "{http://www.w3.org/2000/svg}"

PLAIN = "Müller GmbH"
LONG = "Przedsiębiorstwo Wielobranżowe Łódź-Żółkiewski & Größenwahn Überlandwerke Süßwaren GmbH & Co. KGaA"
HOSTILE_TO_XML = (
    "<script>alert(1)</script>",
    "</text></svg><svg onload='x'>",
    "]]> & &amp; &#0; &bogus; <!-- <?xml",
)
HOSTILE = (
    "\"quotes\" and 'quotes' = \\(x\\) ) Tj ET",
    "a\0b\x08c\x1b[31m\x7f\x85\ud800\ufffe\uffff",
    "\u202eGmbH\u202c \u200f\u2067Müller\u2069",
    "",
    " \n\t ",
    "W" * 200,
    "ﷺ" * 200,
    "漢字 😀 אבג",
    "i" * 400,
)


POSTERS: tuple[tuple[str, Paper], ...] = ((PLAIN, "a4"), (LONG, "a3"))
"""Each paper with a name of its own: neither moves what the other does."""


@pytest.fixture(autouse=True)
def each_code_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One link is on most posters here, and its code takes as long as all else about one."""
    monkeypatch.setattr(posters, "qr_code", made_codes)


made_codes = cache(qr_code)


@cache
def printed(company: str, link: str = LINK, paper: Paper = "a4") -> bytes:
    """A poster as PDF, made once for all tests that only read it: that the same one is the same file is tested here."""
    return poster(company, link, DAY, file_format="pdf", paper=paper)


@cache
def drawn(company: str, paper: Paper = "a4") -> bytes:
    """The same as PNG."""
    return poster(company, LINK, DAY, file_format="png", paper=paper)


@pytest.mark.parametrize(("company", "paper"), POSTERS)
def test_a_camera_reads_the_link_from_a_printed_pdf_and_a_png(company: str, paper: Paper) -> None:
    assert codes(picture(printed(company, paper=paper))) == [LINK]
    assert codes(drawn(company, paper)) == [LINK]


def test_a_long_address_can_be_read_too() -> None:
    link = f"https://{'a-rather-long-name-of-a-machine.' * 6}example.com:8443/stamp#t={TOKEN}"
    pdf = printed(PLAIN, link)
    assert codes(picture(pdf)) == [link]
    assert link.partition("#")[0] in page_texts(pdf)[0].replace(" ", "")


def test_the_code_is_read_though_a_corner_of_paper_covers_a_tenth_of_it() -> None:
    shown = picture(printed(PLAIN))
    scale = shown.width / 210
    left, top, right, bottom = (round(edge * scale) for edge in (90, 115, 118, 143))
    shown.paste("white", (left, top, right, bottom))
    assert codes(shown) == [LINK]


@pytest.mark.parametrize(("company", "paper"), POSTERS)
def test_the_paper_has_its_exact_size(company: str, paper: Paper) -> None:
    width, height = SIZES[paper]
    (size,) = page_sizes(printed(company, paper=paper))
    assert size == pytest.approx((width, height), abs=0.01)
    shown = Image.open(io.BytesIO(drawn(company, paper)))
    assert shown.size == (round(width / 25.4 * 300), round(height / 25.4 * 300))
    assert shown.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    root = ET.fromstring(poster(company, LINK, DAY, file_format="svg", paper=paper))
    assert (root.get("width"), root.get("height")) == (f"{width:g}mm", f"{height:g}mm")
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"


@pytest.mark.parametrize(("company", "paper"), POSTERS)
def test_both_languages_the_name_and_the_address_are_there(company: str, paper: Paper) -> None:
    text = page_texts(printed(company, paper=paper))[0]
    assert company in text
    for words in (
        "Zeit stempeln mit dem Handy", "Stamp your time with your phone",
        "Den Code mit der Kamera scannen", "Scan the code with the camera",
        "Personalnummer und PIN eingeben", "Enter personnel number and PIN",
        "Kommen oder Gehen wählen", "Choose Clock in or Clock out",
        "Keine Kamera? Bitte am Terminal stempeln.", "No camera? Please use the terminal.",
        "Ausgestellt am 1. März 2026", "Issued on 1 March 2026",
        ADDRESS,
    ):  # fmt: skip
        assert text.count(words) == 1, words


def test_the_token_is_in_the_code_alone() -> None:
    pdf = printed(PLAIN)
    assert TOKEN not in page_texts(pdf)[0]
    with opened(pdf) as document:
        metadata = document.get_metadata_dict()
    assert TOKEN not in str(metadata)
    assert metadata["Title"] == "Müller GmbH: Zeit stempeln mit dem Handy"
    assert TOKEN.encode() not in poster(PLAIN, LINK, DAY, file_format="svg")
    assert TOKEN.encode() not in drawn(PLAIN)


@pytest.mark.parametrize("file_format", FILE_FORMATS)
def test_the_same_poster_is_the_same_file(file_format: FileFormat, monkeypatch: pytest.MonkeyPatch) -> None:
    company, paper = POSTERS[1]
    kept = {"pdf": printed, "png": drawn}.get(file_format)
    once = kept(company, paper=paper) if kept else poster(company, LINK, DAY, file_format="svg", paper=paper)
    monkeypatch.setattr(posters, "qr_code", qr_code)
    assert poster(company, LINK, DAY, file_format=file_format, paper=paper) == once
    assert CONTENT_TYPES[file_format]


def test_a_pdf_says_its_own_date_and_not_the_time_of_day() -> None:
    with opened(printed(PLAIN)) as document:
        assert document.get_metadata_dict()["CreationDate"].startswith("D:20260301000000")


@pytest.mark.parametrize("company", [*HOSTILE_TO_XML, *HOSTILE])
def test_no_name_breaks_out_of_the_svg(company: str) -> None:
    root = ET.fromstring(poster(company, LINK, DAY, file_format="svg"))
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{name}" for name in ("svg", "title", "path", "text", "circle")
    }
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or "href" in name or name in ("style", "class")]


@pytest.mark.parametrize("company", HOSTILE)
def test_no_name_breaks_the_code_or_the_page(company: str) -> None:
    pdf = printed(company)
    assert codes(picture(pdf)) == [LINK]
    assert page_sizes(pdf)
    assert "1. März 2026" in page_texts(pdf)[0]
    # A name is drawn as PNG alike on paper of any size, and on small paper for little.
    assert codes(render_png(poster_sheet(company, LINK, DAY, "a4").on_paper(70, 99))) == [LINK]


@given(st.text(max_size=250))
@settings(max_examples=samples(20), deadline=None)
def test_whatever_the_name_the_svg_is_xml_and_shows_it(company: str) -> None:
    root = ET.fromstring(poster(company, LINK, DAY, file_format="svg"))
    title = root.find(f"{SVG}title")
    assert title is not None
    assert (title.text or "").endswith(": Zeit stempeln mit dem Handy")


def test_a_name_in_quotes_and_brackets_is_shown_as_it_is() -> None:
    company = "<b>\"Müller\" & 'Söhne'</b>"
    assert company in page_texts(poster(company, LINK, DAY, file_format="pdf"))[0]
    root = ET.fromstring(poster(company, LINK, DAY, file_format="svg"))
    assert company in [element.text for element in root.iter(f"{SVG}text")]


def test_the_svg_needs_nothing_from_elsewhere() -> None:
    document = poster(PLAIN, LINK, DAY, file_format="svg").decode()
    assert "url(" not in document
    assert "<image" not in document
    assert document.count("http") == 2, "the namespace, and the address in words"


@pytest.mark.parametrize("company", [PLAIN, LONG, "W" * 200, "漢" * 200])
def test_everything_stands_within_the_margins_and_nothing_on_the_code(company: str) -> None:
    for paper in PAPERS:
        sheet = poster_sheet(company, LINK, DAY, paper)
        edge = sheet.width * 15.9 / 210
        words = [shape for shape in sheet.shapes if isinstance(shape, Text)]
        for text in words:
            assert edge <= text.x, text
            assert text.x + text.width <= sheet.width - edge + 1e-6, text
            assert text.baseline <= sheet.height - edge
        for one, other in product(words, words):
            apart = one.baseline + one.size * 0.22 <= other.baseline - other.size * 0.72 + 0.01
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = other.baseline + other.size * 0.22 <= one.baseline - one.size * 0.72 + 0.01
            assert one is other or apart or above or beside, (one.words, other.words)


def test_a3_is_a4_enlarged() -> None:
    small = place_of(printed(PLAIN), PLAIN)
    large = place_of(printed(PLAIN, paper="a3"), PLAIN)
    assert large == pytest.approx([edge * 420 / 297 for edge in small], abs=0.1)


def test_the_poster_speaks_every_language_of_a_company() -> None:
    assert set(POSTER_LANGUAGES) == set(LOCALES)
