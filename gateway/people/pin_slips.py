"""PIN slips: one sheet for each person, to be folded in three and sent in a window envelope.

The name stands in the address field of DIN 5008, form B, and shows in the window of a DL or C6/5 envelope (DIN 680).
The PIN stands in the lowest third, which lies inside both ways of folding, zigzag and wound, and beside the window's
column, so that no light through the window falls on it. The PIN is on the page and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.printing.sheet import ACCENT, HAIRLINE, QUIET, Box, Sheet, Text
from gateway.printing.texts import texts, written_date
from gateway.printing.typesetting import LINE_HEIGHT, fit, printable, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from gateway.printing.sheet import Shape

PAGE: Final = (210.0, 297.0)
"""A4, in millimetres like all below."""

FOLDS: Final = (105.0, 210.0)
"""Where the sheet is folded, from its upper edge (DIN 5008, form B)."""

WINDOW: Final = (20.0, 50.0, 100.0, 90.0)
"""Left, top, right and bottom of what shows however the sheet slides: the window of 90 by 45, 20 from the left and 15
from the bottom of an envelope of 220 by 110, over a folded sheet of 210 by 105 that is pushed to any side."""

_LEFT, _RIGHT = 25.0, 190.0
_SECRET_LEFT = 122.0


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a slip is for, and the PIN, which its `repr` does not show."""

    full_name: str
    personnel_number: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinSlip:
    """Everything that is to be read on one slip, in the company's language: for paper, and for a page to be printed."""

    language: str
    company: str
    full_name: str
    personnel_number: str = field(repr=False)
    pin: str = field(repr=False)
    confidential: str
    heading: str
    purpose: str
    steps: tuple[str, ...]
    secrecy: str
    destroy: str
    number_label: str
    pin_label: str
    issued: str


def pin_slip(company: str, locale: str, recipient: Recipient, issued: date) -> PinSlip:
    """Return the words of one slip. Raises `ValueError` for a locale nothing is printed in."""
    gettext = texts(locale).gettext
    return PinSlip(
        language=locale,
        company=printable(company),
        full_name=printable(recipient.full_name),
        personnel_number=recipient.personnel_number,
        pin=recipient.pin,
        confidential=gettext("Personal and confidential"),
        heading=gettext("Your PIN for time stamping"),
        purpose=gettext(
            "With your personnel number and this PIN you clock in and out, at the terminal and, if your company allows"
            " it, on your own phone. Earlier PINs of yours are no longer valid."
        ),
        steps=(
            gettext("At the terminal: enter the personnel number. On the phone: scan the code on the poster first."),
            gettext("Enter the PIN and choose “Sign in”."),
            gettext("Choose “Clock in” or “Clock out”."),
        ),
        secrecy=gettext(
            "Nobody else can read this PIN in the system: it is stored in such a way that it can only be checked. Tell"
            " it to no one. If you forget it, you get a new one."
        ),
        destroy=gettext("Learn the PIN by heart, then destroy this sheet."),
        number_label=gettext("Personnel number"),
        pin_label=gettext("PIN"),
        issued=gettext("Issued on {date}").format(date=written_date(issued, locale)),
    )


def pin_slips_pdf(
    company: str,
    locale: str,
    recipients: Sequence[Recipient],
    issued: date,
    *,
    on_page: Callable[[int, int], None] | None = None,
) -> bytes:
    """Return one PDF, a page for each recipient in their order; a thousand take seconds and some MB.

    `on_page(done, total)` is told after each page. Raises `ValueError` without recipients, or for a locale nothing is
    printed in.
    """
    from gateway.printing.pdf import render_pdf

    total = len(recipients)
    if not total:
        raise ValueError("a PDF needs a page")
    sheets = (slip_sheet(pin_slip(company, locale, recipient, issued)) for recipient in recipients)
    return render_pdf(
        sheets,
        title=texts(locale).gettext("Your PIN for time stamping"),
        language=locale,
        day=issued,
        on_page=None if on_page is None else lambda done: on_page(done, total),
    )


def slip_sheet(slip: PinSlip) -> Sheet:
    """Say what stands where on a slip."""
    shapes = (*_front(slip), *_middle(slip), *_inside(slip))
    return Sheet(width=PAGE[0], height=PAGE[1], shapes=shapes)


def _front(slip: PinSlip) -> Iterator[Shape]:
    """The upper third: the sender, and what the window shows."""
    sender = fit(slip.company, _RIGHT - _LEFT, 14.0, largest=6.0, smallest=3.0, bold=True)
    yield from _lines(sender.lines, _LEFT, 20.0, sender.size, bold=True)
    yield Text(x=_LEFT, baseline=56.5, words=slip.confidential, size=3.4, colour=QUIET, language=slip.language)
    yield Box(x=_LEFT, y=58.6, width=WINDOW[2] - _LEFT - 5.0, height=0.2, colour=HAIRLINE)
    name = fit(slip.full_name, WINDOW[2] - _LEFT - 5.0, 24.0, largest=5.0, smallest=2.5)
    yield from _lines(name.lines, _LEFT, 66.0, name.size)
    for fold in FOLDS:
        yield Box(x=4.0, y=fold, width=5.0, height=0.2, colour=QUIET)


def _middle(slip: PinSlip) -> Iterator[Shape]:
    """The middle third: what it is, and how to sign in."""
    yield Text(x=_LEFT, baseline=122.0, words=slip.heading, size=6.4, bold=True, colour=ACCENT, language=slip.language)
    size, y = 4.0, 133.0
    steps = ((step, number) for number, step in enumerate(slip.steps, start=1))
    for words, number in ((slip.purpose, None), *steps, (slip.secrecy, None)):
        x = _LEFT if number is None else _LEFT + 7.0
        if number is not None:
            yield Text(x=_LEFT, baseline=y, words=f"{number}.", size=size, bold=True, colour=ACCENT)
        lines = wrap(words, _RIGHT - x, size)
        yield from _lines(lines, x, y, size, language=slip.language)
        y += len(lines) * size * 1.4 + 2.6


def _inside(slip: PinSlip) -> Iterator[Shape]:
    """The lowest third, which no fold leaves outside: what to do with the sheet, and the two numbers."""
    width = _SECRET_LEFT - _LEFT - 14.0
    yield from _lines(wrap(slip.destroy, width, 4.6, bold=True), _LEFT, 230.0, 4.6, bold=True, language=slip.language)
    yield Text(x=_LEFT, baseline=265.0, words=slip.issued, size=3.4, colour=QUIET, language=slip.language)
    yield Box(x=_SECRET_LEFT - 7.0, y=224.0, width=0.5, height=42.0, colour=ACCENT)
    for label, value, baseline, size in (
        (slip.number_label, slip.personnel_number, 228.0, 6.4),
        (slip.pin_label, slip.pin, 248.0, 10.0),
    ):
        yield Text(x=_SECRET_LEFT, baseline=baseline, words=label, size=3.6, colour=QUIET, language=slip.language)
        fitted = fit(value, _RIGHT + 5.0 - _SECRET_LEFT, size * LINE_HEIGHT, largest=size, smallest=3.0, bold=True)
        yield from _lines(fitted.lines, _SECRET_LEFT, baseline + 4.0 + size, fitted.size, bold=True)


def _lines(
    lines: Sequence[str], x: float, baseline: float, size: float, *, bold: bool = False, language: str | None = None
) -> Iterator[Text]:
    for row, words in enumerate(lines):
        place = baseline + row * size * (1.4 if language else LINE_HEIGHT)
        yield Text(x=x, baseline=place, words=words, size=size, bold=bold, language=language)
