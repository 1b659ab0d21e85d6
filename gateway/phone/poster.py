"""The poster for the hall: the phone link as a QR code, and how to stamp with it, in German and English.

One layout, drawn as SVG, PNG or PDF. It is set for A4; A3 is the same enlarged. The link is a secret of a kind (it is
on a wall, but on no other): it is in the code alone, never in words or metadata. In words there is the page's address
without the token, so that people can tell whether somebody has pasted another code over this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from gateway.printing.qr import qr_code
from gateway.printing.sheet import ACCENT, HAIRLINE, INK, PAPER, QUIET, Box, Disc, Sheet, Text
from gateway.printing.texts import texts, written_date
from gateway.printing.typesetting import LINE_HEIGHT, fit, printable, width_of

if TYPE_CHECKING:
    import gettext
    from collections.abc import Iterator, Mapping
    from datetime import date

    from gateway.printing.sheet import Shape

FileFormat: TypeAlias = Literal["svg", "png", "pdf"]
Paper: TypeAlias = Literal["a4", "a3"]

FILE_FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)
PAPERS: Final[tuple[Paper, ...]] = get_args(Paper)
CONTENT_TYPES: Final[Mapping[FileFormat, str]] = {
    "svg": "image/svg+xml",
    "png": "image/png",
    "pdf": "application/pdf",
}

SIZES: Final[Mapping[Paper, tuple[float, float]]] = {"a4": (210.0, 297.0), "a3": (297.0, 420.0)}
"""Width and height in millimetres (ISO 216)."""

POSTER_LANGUAGES: Final = ("de", "en")
"""From left to right, and from above."""

_LEFT, _RIGHT = 16.0, 194.0
_MIDDLE = 105.0
_COLUMNS: Final = (_LEFT, 112.0)
_COLUMN_WIDTH = 82.0
_CAP_HEIGHT = 0.688
"""Of the font, in ems."""


def poster(company: str, link: str, issued: date, *, file_format: FileFormat, paper: Paper = "a4") -> bytes:
    """Return the poster of a company as a file. `link` is `<public url>/stamp#t=<token>`.

    Any name is set so that it fits. The same arguments give the same bytes.
    """
    sheet = poster_sheet(company, link, issued, paper)
    title = f"{printable(company)}: {texts(POSTER_LANGUAGES[0]).gettext('Stamp your time with your phone')}"
    # Each format brings in its library, and only for those who want it.
    match file_format:
        case "svg":
            from gateway.printing.svg import render_svg

            return render_svg(sheet, title=title)
        case "png":
            from gateway.printing.png import render_png

            return render_png(sheet)
        case "pdf":
            from gateway.printing.pdf import render_pdf

            return render_pdf([sheet], title=title, language=POSTER_LANGUAGES[0], day=issued)


def poster_sheet(company: str, link: str, issued: date, paper: Paper) -> Sheet:
    """Say what stands where on the poster."""
    sheet = Sheet(width=210.0, height=297.0, shapes=tuple(_shapes(printable(company), link, issued)))
    return sheet if paper == "a4" else sheet.on_paper(*SIZES[paper])


def _shapes(company: str, link: str, issued: date) -> Iterator[Shape]:
    yield Box(x=_LEFT, y=15.0, width=_RIGHT - _LEFT, height=1.6, colour=ACCENT)
    yield from _name(company)
    for language, baseline, size in zip(POSTER_LANGUAGES, (64.0, 73.0), (7.6, 6.2), strict=True):
        words = texts(language).gettext("Stamp your time with your phone")
        first = language == POSTER_LANGUAGES[0]
        yield _centred(words, baseline, size, bold=first, language=language, quiet=not first)
    yield from _code(link)
    for language, x in zip(POSTER_LANGUAGES, _COLUMNS, strict=True):
        yield from _how_to(texts(language), language, x)
    yield Box(x=_LEFT, y=263.0, width=_RIGHT - _LEFT, height=0.3, colour=HAIRLINE)
    for language, x in zip(POSTER_LANGUAGES, _COLUMNS, strict=True):
        yield from _small_print(texts(language), language, x, issued)


def _name(company: str) -> Iterator[Shape]:
    """The company's name in the middle of the room above the headline."""
    top, height = 20.0, 34.0
    fitted = fit(company, _RIGHT - _LEFT, height, largest=15.0, smallest=4.0, bold=True)
    leading = fitted.size * LINE_HEIGHT
    block = (len(fitted.lines) - 1) * leading + fitted.size * _CAP_HEIGHT
    first = top + (height - block) / 2 + fitted.size * _CAP_HEIGHT
    for row, line in enumerate(fitted.lines):
        yield _centred(line, first + row * leading, fitted.size, bold=True)


def _code(link: str) -> Iterator[Shape]:
    """The code in a thin frame, and below it where it leads to."""
    outer, top, line = 106.0, 80.0, 0.5
    left = _MIDDLE - outer / 2
    yield Box(x=left, y=top, width=outer, height=outer, colour=ACCENT)
    yield Box(x=left + line, y=top + line, width=outer - 2 * line, height=outer - 2 * line, colour=PAPER)
    yield qr_code(link, x=left + 2.0, y=top + 2.0, side=outer - 4.0)
    address = printable(link.partition("#")[0])
    fitted = fit(address, _RIGHT - _LEFT, 7.0, largest=4.6, smallest=1.5)
    leading = fitted.size * LINE_HEIGHT
    for row, words in enumerate(fitted.lines):
        yield _centred(words, top + outer + 6.4 + row * leading, fitted.size)


def _how_to(language_texts: gettext.NullTranslations, language: str, x: float) -> Iterator[Shape]:
    steps = (
        language_texts.gettext("Scan the code with the camera"),
        language_texts.gettext("Enter personnel number and PIN"),
        language_texts.gettext("Choose Clock in or Clock out"),
    )
    heading = language_texts.gettext("How it works")
    yield Text(x=x, baseline=206.5, words=heading, size=4.6, bold=True, colour=ACCENT, language=language)
    radius, size, indent = 4.7, 5.2, 13.0
    for number, step in enumerate(steps):
        centre = 217.0 + number * 15.0
        yield Disc(x=x + radius, y=centre, radius=radius, colour=ACCENT)
        digit = str(number + 1)
        half = width_of(digit, size, bold=True) / 2
        baseline = centre + size * _CAP_HEIGHT / 2
        yield Text(x=x + radius - half, baseline=baseline, words=digit, size=size, bold=True, colour=PAPER)
        fitted = fit(step, _COLUMN_WIDTH - indent, 13.0, largest=size, smallest=3.0)
        leading = fitted.size * LINE_HEIGHT
        first = centre + fitted.size * _CAP_HEIGHT / 2 - (len(fitted.lines) - 1) * leading / 2
        for row, words in enumerate(fitted.lines):
            yield Text(x=x + indent, baseline=first + row * leading, words=words, size=fitted.size, language=language)


def _small_print(language_texts: gettext.NullTranslations, language: str, x: float, issued: date) -> Iterator[Shape]:
    no_camera = language_texts.gettext("No camera? Please use the terminal.")
    issue = language_texts.gettext("Issued on {date}").format(date=written_date(issued, language))
    yield Text(x=x, baseline=271.0, words=no_camera, size=4.0, bold=True, language=language)
    yield Text(x=x, baseline=278.5, words=issue, size=3.6, colour=QUIET, language=language)


def _centred(
    words: str, baseline: float, size: float, *, bold: bool = False, quiet: bool = False, language: str | None = None
) -> Text:
    x = _MIDDLE - width_of(words, size, bold=bold) / 2
    colour = QUIET if quiet else INK
    return Text(x=x, baseline=baseline, words=words, size=size, bold=bold, colour=colour, language=language)
