"""Sheets as one PDF, its font embedded with the characters that are used. The same sheets give the same bytes."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Final

from fpdf import FPDF
from fpdf.drawing import PaintedPath
from fpdf.enums import PathPaintRule
from fpdf.fonts import TTFFont

from gateway.printing.bidi import as_seen
from gateway.printing.sheet import BLACK, Box, Cells, Disc, Text
from gateway.printing.typesetting import FAMILY, font_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from gateway.printing.sheet import Shape, Sheet

_POINTS_PER_MM: Final = 72 / 25.4

_NOT_EMBEDDED: Final = ("GDEF", "GPOS", "GSUB", "kern")
"""Tables that fpdf2 leaves out at the end: without them they are not read either, which takes long."""

for _name in ("fontTools", "fpdf"):
    # They tell which characters they embed: on a slip with one PIN those are its digits.
    logging.getLogger(_name).setLevel(logging.WARNING)


def render_pdf(
    sheets: Iterable[Sheet],
    *,
    title: str,
    language: str,
    day: date,
    on_page: Callable[[int], None] | None = None,
) -> bytes:
    """Draw each sheet as a page. `day` is the document's date; `on_page` is told how many pages are done.

    Nothing but title, language and day is in the document's metadata.
    """
    pdf = FPDF(unit="mm")
    pdf.set_title(title)
    pdf.set_lang(language)
    pdf.set_creator("Stampgate")
    pdf.set_producer("Stampgate")
    pdf.set_creation_date(datetime.combine(day, time(), UTC))
    pdf.set_auto_page_break(False)
    for bold in (False, True):
        pdf.add_font(FAMILY, "B" if bold else "", font_file(bold=bold))
    fonts = [font for font in pdf.fonts.values() if isinstance(font, TTFFont)]
    try:
        for font in fonts:
            for table in _NOT_EMBEDDED:
                del font.ttfont[table]
            font.ttfont.recalcBBoxes = False  # letters are embedded as they are, not measured and written anew
        for done, sheet in enumerate(sheets, start=1):
            pdf.add_page(format=(sheet.width, sheet.height))
            for shape in sheet.shapes:
                _draw(pdf, shape)
            if on_page is not None:
                on_page(done)
        return bytes(pdf.output())
    finally:
        for font in fonts:  # fpdf2 reads its fonts lazily and leaves the files open
            font.close()


def _draw(pdf: FPDF, shape: Shape) -> None:
    match shape:
        case Text():
            pdf.set_font(FAMILY, "B" if shape.bold else "", shape.size * _POINTS_PER_MM)
            pdf.set_text_color(*shape.colour)
            pdf.text(shape.x, shape.baseline, as_seen(shape.words))
        case Box():
            pdf.set_fill_color(*shape.colour)
            pdf.rect(shape.x, shape.y, shape.width, shape.height, style="F")
        case Disc():
            pdf.set_fill_color(*shape.colour)
            pdf.circle(shape.x, shape.y, shape.radius, style="F")
        case Cells():
            # One path: between many a viewer shows hairlines of the paper.
            path = PaintedPath()
            path.style.fill_color = "#" + bytes(BLACK).hex()
            path.style.stroke_color = None
            path.style.paint_rule = PathPaintRule.FILL_NONZERO
            for box in shape.dark_boxes():
                path.rectangle(box.x, box.y, box.width, box.height)
            with pdf.drawing_context() as drawing:
                drawing.add_item(path, False)  # no copy: it takes longer than all else about a poster
