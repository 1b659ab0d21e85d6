"""PIN slips: the name in the window, the PIN in the fold, one page for each person and nothing anywhere else."""

from __future__ import annotations

import logging
import re
import resource
import sys
import time
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pytest

from gateway.companies.service import LOCALES
from gateway.people.pin_slips import FOLDS, PAGE, WINDOW, Recipient, pin_slip, pin_slips_pdf, slip_sheet
from gateway.printing.sheet import Text
from tests.gateway.printing.pages import opened, page_sizes, page_texts, place_of

DAY = date(2026, 3, 1)
ANNA = Recipient("Anna Müller", "0042", "683105")
OTHERS = (
    Recipient("Zbigniew Żółć-Łukasz Wójcik", "77", "940172"),
    Recipient("Søren Çağ <b>&amp;", "123456789012", "907311907311"),
)
LONGEST = Recipient(
    "Maximiliane Konstantinopolitanischedudelsackspfeifenmachersgesellschaft-Freifrau von und zu Hohenlohe"
    " Ludovika Leopoldine Theodora Friederike Wilhelmine Auguste Ottilie Henriette Walburga Kreszentia",
    "12",
    "683105",
)


def test_each_person_has_a_page_with_their_own_words_only() -> None:
    pages = page_texts(pin_slips_pdf("Müller GmbH", "de", [ANNA, *OTHERS], DAY))
    assert len(pages) == 3
    for page, recipient in zip(pages, (ANNA, *OTHERS), strict=True):
        for value in (recipient.full_name, recipient.personnel_number, recipient.pin, "Müller GmbH"):
            assert value in page
        others = {other.pin for other in (ANNA, *OTHERS)} - {recipient.pin}
        assert not [pin for pin in others if pin in page.split()]


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("de", ("Ihre PIN für die Zeiterfassung", "Personalnummer", "„Anmelden“", "Niemand sonst kann diese PIN",
                "vernichten Sie dann dieses Blatt", "Ausgestellt am 1. März 2026", "Persönlich und vertraulich")),
        ("en", ("Your PIN for time stamping", "Personnel number", "“Sign in”", "Nobody else can read this PIN",
                "then destroy this sheet", "Issued on 1 March 2026", "Personal and confidential")),
    ],
)  # fmt: skip
def test_it_speaks_the_language_of_the_company(locale: str, said: tuple[str, ...]) -> None:
    (page,) = page_texts(pin_slips_pdf("Müller GmbH", locale, [ANNA], DAY))
    for words in said:
        assert words in page, words
    assert locale in LOCALES
    with pytest.raises(ValueError, match="'fr'"):
        pin_slips_pdf("Müller GmbH", "fr", [ANNA], DAY)


@pytest.mark.parametrize("locale", LOCALES)
def test_the_window_shows_the_name_and_the_fold_hides_the_pin(locale: str) -> None:
    recipients = (ANNA, *OTHERS, LONGEST)
    pdf = pin_slips_pdf("W" * 200, locale, recipients, DAY)
    for page, (size, recipient) in enumerate(zip(page_sizes(pdf), recipients, strict=True)):
        assert size == pytest.approx(PAGE, abs=0.01)
        words = recipient.full_name.split()
        for word in (words[0], words[-1]):
            left, top, right, bottom = place_of(pdf, word, page)
            assert left >= WINDOW[0], word
            assert top >= WINDOW[1], word
            assert right <= WINDOW[2], word
            assert bottom <= WINDOW[3], word
        for secret in (recipient.pin, recipient.personnel_number):
            left, top, right, bottom = place_of(pdf, secret, page)
            assert top > FOLDS[1], "in the lowest third, which is inside"
            assert bottom < PAGE[1] - 10
            assert left > 20 + 90, "beside the window's column"
            assert right < PAGE[0] - 10


@pytest.mark.parametrize("locale", LOCALES)
def test_nothing_but_what_may_be_seen_is_in_the_window_and_every_line_has_its_third(locale: str) -> None:
    slip = pin_slip("W" * 200, locale, LONGEST, DAY)
    lines = [shape for shape in slip_sheet(slip).shapes if isinstance(shape, Text)]
    for line in lines:
        top, bottom = line.baseline - line.size * 0.75, line.baseline + line.size * 0.25
        assert not any(top < fold < bottom for fold in FOLDS), line.words
        assert line.x + line.width <= PAGE[0] - 10
        # The window may reveal 45 to 95 from above when the sheet slides.
        if top < 95 and bottom > 45:
            assert line.words == slip.confidential or line.words in slip.full_name, line.words
            assert WINDOW[1] <= top
            assert bottom <= WINDOW[3]
            assert line.x + line.width <= WINDOW[2]


def test_a_pin_is_on_the_page_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        pdf = pin_slips_pdf("Müller GmbH", "de", [ANNA], DAY)
    with opened(pdf) as document:
        metadata = str(document.get_metadata_dict())
    for secret in (ANNA.pin, ANNA.personnel_number, ANNA.full_name):
        assert secret not in metadata
        assert secret not in caplog.text
    # What is embedded would tell the digits of a single PIN.
    assert "eight" not in caplog.text
    assert ANNA.pin not in repr(ANNA)
    assert ANNA.pin not in repr(pin_slip("Müller GmbH", "de", ANNA, DAY))


def test_the_same_slips_are_the_same_file_and_none_are_none() -> None:
    once, again = (pin_slips_pdf("Müller GmbH", "de", [ANNA, *OTHERS], DAY) for _ in range(2))
    assert once == again
    with pytest.raises(ValueError, match="needs a page"):
        pin_slips_pdf("Müller GmbH", "de", [], DAY)


def test_a_page_to_be_printed_says_the_same_as_the_paper() -> None:
    slip = pin_slip("Müller GmbH", "de", ANNA, DAY)
    paper = page_texts(pin_slips_pdf("Müller GmbH", "de", [ANNA], DAY))[0]
    for name, words in asdict(slip).items():
        if name != "language":
            for line in words if isinstance(words, tuple) else (words,):
                assert line in paper, name


def peak_memory_mb(*, reset: bool = False) -> float:
    """The most memory this process has had, on Linux since the last `reset`: other tests had more before."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (peak,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(peak) / 1024


def test_hundreds_of_slips_take_seconds_and_some_megabytes_and_tell_how_far_they_are() -> None:
    people = [Recipient(f"Łucja Größe {number}", str(number), f"{683105 + number}") for number in range(200)]
    told: list[tuple[int, int]] = []
    pin_slips_pdf("Müller GmbH", "de", people[:1], DAY)
    before, started = peak_memory_mb(reset=True), time.process_time()
    pdf = pin_slips_pdf("Müller GmbH", "de", people, DAY, on_page=lambda done, total: told.append((done, total)))
    took = time.process_time() - started
    grown = peak_memory_mb() - before
    assert told == [(done, 200) for done in range(1, 201)]
    with opened(pdf) as document:
        assert len(document) == 200
    assert took < 6, f"{took:.1f} s"
    assert grown < 30, f"{grown:.0f} MB"
    assert len(pdf) < 1_600_000
