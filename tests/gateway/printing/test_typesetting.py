from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.printing.bidi import as_seen
from gateway.printing.typesetting import LINE_HEIGHT, fit, missing, printable, width_of, wrap


@given(st.text(), st.floats(5, 200))
def test_no_line_is_wider_than_its_column_and_no_letter_is_lost(text: str, width: float) -> None:
    words = printable(text)
    lines = wrap(words, width, 4.0)
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(width_of(line, 4.0) <= width or len(line) == 1 for line in lines)


@given(st.text(max_size=400))
def test_what_is_fitted_fits(text: str) -> None:
    fitted = fit(printable(text), 80.0, 30.0, largest=12.0, smallest=2.0, bold=True)
    assert len(fitted.lines) * fitted.size * LINE_HEIGHT <= 30.0 + 1e-9
    assert all(width_of(line, fitted.size, bold=True) <= 80.0 for line in fitted.lines)


def test_a_short_name_is_as_large_as_allowed_and_a_long_one_smaller_on_even_lines() -> None:
    assert fit("Müller", 178.0, 34.0, largest=15.0, smallest=4.0).size == 15.0
    long = fit(
        "Vereinigte Oberflächenveredelungswerke Niederösterreich Aktiengesellschaft",
        178.0,
        34.0,
        largest=15.0,
        smallest=4.0,
    )
    assert long.size < 15.0
    widths = [width_of(line, long.size) for line in long.lines]
    assert min(widths) > 0.5 * max(widths)


def test_a_word_is_broken_only_when_nothing_else_helps_and_after_its_hyphen_first() -> None:
    assert wrap("Łódź-Żółkiewski", width_of("Żółkiewski", 4.0), 4.0) == ["Łódź-", "Żółkiewski"]
    assert fit("Oberflächenveredelung", 30.0, 20.0, largest=9.0, smallest=1.0).lines == ("Oberflächenveredelung",)


def test_what_does_not_fit_at_the_smallest_size_is_cut_with_an_ellipsis() -> None:
    fitted = fit("W" * 500, 40.0, 10.0, largest=8.0, smallest=4.0)
    assert fitted.size == 4.0
    assert fitted.lines[-1].endswith("W…")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (" a\tb\r\nc\u2028d ", "a b c d"),
        ("a\0\x1b[31mb\x7f\x85", "a[31mb"),
        ("\u202eGmbH\u202c \u200fא\u2066x\u2069\ufeff", "GmbH אx"),
        ("\ud800a\ufffe\U000e0041", "a"),
        ("Łódź Çağ ÅØ ßẞ Ељ Ωμ", "Łódź Çağ ÅØ ßẞ Ељ Ωμ"),
    ],
)
def test_only_what_is_seen_is_printed(given: str, left: str) -> None:
    assert printable(given) == left


def test_every_letter_of_european_names_is_in_the_font_and_what_is_not_is_told() -> None:
    assert missing("ÄÖÜäöüßẞ ĄĆĘŁŃÓŚŹŻąćęłńóśźż ČŘŠŽĐ Őű ăâîșț Ğış ÅÆØ Ñ ЂЉЯ ΑΩ ’–„“…") == ""
    assert missing("漢Müller漢語") == "漢語"


def test_hebrew_runs_from_right_to_left_and_a_box_stands_for_what_cannot_be_drawn() -> None:
    assert as_seen("Müller אבג") == "Müller גבא"
    assert as_seen("漢 Müller") == "□ Müller"
