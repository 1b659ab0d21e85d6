"""A sheet as PNG at 300 dots per inch, what a print shop asks for.

Its dots are numbers of a palette, one byte each: a third of the memory and of the work that red, green and blue take.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageChops, ImageDraw, ImageFont

from gateway.printing.bidi import as_seen
from gateway.printing.sheet import BLACK, PAPER, Box, Cells, Disc, Text
from gateway.printing.typesetting import font_file

if TYPE_CHECKING:
    from gateway.printing.sheet import Colour, Shape, Sheet

DOTS_PER_INCH: Final = 300
_DOTS_PER_MM: Final = DOTS_PER_INCH / 25.4
_FINER: Final = 4
"""Circles are drawn so many times too large and made small again: Pillow's own have steps."""
_SHADES: Final = 32
"""From the ground to the ink at a soft edge: more are not seen in dots so small."""
_COLOURS: Final = 256
"""What a palette holds; on a sheet of more, the nearest stands for another."""


def render_png(sheet: Sheet) -> bytes:
    """Draw `sheet` as a PNG file. An A3 sheet takes 18 MB of memory meanwhile."""
    picture = _Picture(sheet)
    for shape in sheet.shapes:
        picture.draw(shape)
    return picture.file()


class _Picture:
    """The dots, and what their numbers mean."""

    def __init__(self, sheet: Sheet) -> None:
        self._numbers: dict[Colour, int] = {}
        self._dots = Image.new("L", (_dots(sheet.width), _dots(sheet.height)), self._number(PAPER))
        self._pen = ImageDraw.Draw(self._dots)
        for shape in sheet.shapes:  # before the shades: what the palette has no room for is nearly the same as another
            self._number(BLACK if isinstance(shape, Cells) else shape.colour)

    def draw(self, shape: Shape) -> None:
        match shape:
            case Text():
                self._write(shape)
            case Box():
                self._fill(shape)
            case Disc():
                side = max(1, _dots(2 * shape.radius))
                disc = Image.new("L", (side * _FINER, side * _FINER))
                ImageDraw.Draw(disc).ellipse((0, 0, side * _FINER - 1, side * _FINER - 1), fill=255)
                corner = (_dots(shape.x - shape.radius), _dots(shape.y - shape.radius))
                self._lay(disc.resize((side, side), Image.Resampling.LANCZOS), corner, shape.colour)
            case Cells():
                for box in shape.dark_boxes():
                    self._fill(box)

    def file(self) -> bytes:
        self._dots.putpalette(bytes(part for colour in self._numbers for part in colour))
        file = io.BytesIO()
        self._dots.save(file, "PNG", dpi=(DOTS_PER_INCH, DOTS_PER_INCH))
        return file.getvalue()

    def _write(self, text: Text) -> None:
        words = as_seen(text.words)
        font = ImageFont.truetype(
            font_file(bold=text.bold), text.size * _DOTS_PER_MM, layout_engine=ImageFont.Layout.BASIC
        )
        x, y = text.x * _DOTS_PER_MM, text.baseline * _DOTS_PER_MM
        left, top, right, bottom = font.getbbox(words, anchor="ls")
        corner = (math.floor(x + left) - 1, math.floor(y + top) - 1)
        letters = Image.new("L", (math.ceil(right - left) + 3, math.ceil(bottom - top) + 3))
        ImageDraw.Draw(letters).text((x - corner[0], y - corner[1]), words, fill=255, font=font, anchor="ls")
        self._lay(letters, corner, text.colour)

    def _fill(self, box: Box) -> None:
        """A rectangle from dot to dot: neighbours share the rounded edge, and a hairline keeps one dot."""
        left, top = _dots(box.x), _dots(box.y)
        right, bottom = max(left + 1, _dots(box.x + box.width)), max(top + 1, _dots(box.y + box.height))
        self._pen.rectangle((left, top, right - 1, bottom - 1), fill=self._number(box.colour))

    def _lay(self, form: Image.Image, corner: tuple[int, int], colour: Colour) -> None:
        """Colour the ground as thickly as `form` is white, what is off the sheet left out."""
        left, top = max(0, corner[0]), max(0, corner[1])
        right, bottom = min(self._dots.width, corner[0] + form.width), min(self._dots.height, corner[1] + form.height)
        if left >= right or top >= bottom:
            return
        form = form.crop((left - corner[0], top - corner[1], right - corner[0], bottom - corner[1]))
        ground, is_inked = self._dots.crop((left, top, right, bottom)), form.point([0, *[255] * 255])
        colours = tuple(self._numbers)
        for number in (number for number, dots in enumerate(ground.histogram(is_inked)) if dots):
            shades = [self._number(_mixed(colours[number], colour, step)) for step in range(_SHADES)]
            inked = form.point([shades[round(thick * (_SHADES - 1) / 255)] for thick in range(256)])
            is_there = ImageChops.darker(ground.point([255 * (other == number) for other in range(256)]), is_inked)
            self._dots.paste(inked, (left, top), is_there)

    def _number(self, colour: Colour) -> int:
        if len(self._numbers) == _COLOURS and colour not in self._numbers:
            colour = min(self._numbers, key=lambda known: math.dist(known, colour))
        return self._numbers.setdefault(colour, len(self._numbers))


def _mixed(ground: Colour, ink: Colour, step: int) -> Colour:
    red, green, blue = (
        round(below + (above - below) * step / (_SHADES - 1)) for below, above in zip(ground, ink, strict=True)
    )
    return red, green, blue


def _dots(millimetres: float) -> int:
    return round(millimetres * _DOTS_PER_MM)
