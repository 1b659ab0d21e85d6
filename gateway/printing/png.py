"""A sheet as PNG at 300 dots per inch, what a print shop asks for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont

from gateway.printing.bidi import as_seen
from gateway.printing.sheet import PAPER, Box, Cells, Disc, Text
from gateway.printing.typesetting import font_file

if TYPE_CHECKING:
    from gateway.printing.sheet import Shape, Sheet

DOTS_PER_INCH: Final = 300
_DOTS_PER_MM: Final = DOTS_PER_INCH / 25.4
_FINER: Final = 4
"""Circles are drawn so many times too large and made small again: Pillow's own have steps."""


def render_png(sheet: Sheet) -> bytes:
    """Draw `sheet` as a PNG file. An A3 sheet takes 52 MB of memory meanwhile."""
    picture = Image.new("RGB", (_dots(sheet.width), _dots(sheet.height)), PAPER)
    draw = ImageDraw.Draw(picture)
    for shape in sheet.shapes:
        _draw(picture, draw, shape)
    file = io.BytesIO()
    picture.save(file, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
    return file.getvalue()


def _draw(picture: Image.Image, draw: ImageDraw.ImageDraw, shape: Shape) -> None:
    match shape:
        case Text():
            font = ImageFont.truetype(
                font_file(bold=shape.bold), shape.size * _DOTS_PER_MM, layout_engine=ImageFont.Layout.BASIC
            )
            place = (shape.x * _DOTS_PER_MM, shape.baseline * _DOTS_PER_MM)
            draw.text(place, as_seen(shape.words), fill=shape.colour, font=font, anchor="ls")
        case Box():
            _fill(draw, shape)
        case Disc():
            side = max(1, _dots(2 * shape.radius))
            mask = Image.new("L", (side * _FINER, side * _FINER))
            ImageDraw.Draw(mask).ellipse((0, 0, side * _FINER - 1, side * _FINER - 1), fill=255)
            corner = (_dots(shape.x - shape.radius), _dots(shape.y - shape.radius))
            picture.paste(shape.colour, corner, mask.resize((side, side), Image.Resampling.LANCZOS))
        case Cells():
            for box in shape.dark_boxes():
                _fill(draw, box)


def _fill(draw: ImageDraw.ImageDraw, box: Box) -> None:
    """A rectangle from dot to dot: neighbours share the rounded edge, and a hairline keeps one dot."""
    left, top = _dots(box.x), _dots(box.y)
    right, bottom = max(left + 1, _dots(box.x + box.width)), max(top + 1, _dots(box.y + box.height))
    draw.rectangle((left, top, right - 1, bottom - 1), fill=box.colour)


def _dots(millimetres: float) -> int:
    return round(millimetres * _DOTS_PER_MM)
