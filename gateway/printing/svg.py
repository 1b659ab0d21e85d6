"""A sheet as SVG 1.1: self-contained, no style and no script, so it may also stand inline under a strict policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape, quoteattr

from gateway.printing.sheet import PAPER, Box, Cells, Disc, Text
from gateway.printing.typesetting import FAMILY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.printing.sheet import Colour, Shape, Sheet

FONT_STACK: Final = f"'{FAMILY}', Arimo, Arial, Helvetica, sans-serif"
"""Faces as wide as the one that was measured with, then whatever there is."""


def render_svg(sheet: Sheet, *, title: str) -> bytes:
    """Draw `sheet` as an SVG document in UTF-8. `title` and texts must be `printable`."""
    width, height = _number(sheet.width), _number(sheet.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}" font-family={quoteattr(FONT_STACK)}>',
        f"<title>{escape(title)}</title>",
        _shape(Box(x=0, y=0, width=sheet.width, height=sheet.height, colour=PAPER)),
        *map(_shape, sheet.shapes),
        "</svg>",
    ]
    return "\n".join((*lines, "")).encode()


def _shape(shape: Shape) -> str:
    match shape:
        case Text():
            return _text(shape)
        case Box():
            return f'<path fill="{_colour(shape.colour)}" d="{_outline([shape])}"/>'
        case Disc():
            place = f'cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
            return f'<circle {place} fill="{_colour(shape.colour)}"/>'
        case Cells():
            # One path: between many a renderer would show hairlines of the paper.
            return f'<path shape-rendering="crispEdges" d="{_outline(shape.dark_boxes())}"/>'


def _text(text: Text) -> str:
    # The width it was measured with, so that no other font can push it over an edge.
    attributes = (
        f'x="{_number(text.x)}" y="{_number(text.baseline)}" font-size="{_number(text.size)}"'
        f' fill="{_colour(text.colour)}" textLength="{_number(text.width)}" lengthAdjust="spacingAndGlyphs"'
    )
    weight = ' font-weight="bold"' if text.bold else ""
    language = "" if text.language is None else f" xml:lang={quoteattr(text.language)}"
    return f"<text {attributes}{weight}{language}>{escape(text.words)}</text>"


def _outline(boxes: Iterable[Box]) -> str:
    return "".join(
        f"M{_number(box.x)} {_number(box.y)}h{_number(box.width)}v{_number(box.height)}h{_number(-box.width)}z"
        for box in boxes
    )


def _colour(colour: Colour) -> str:
    return "#" + bytes(colour).hex()


def _number(value: float) -> str:
    """Micrometres: finer than any printer, and the same text on every machine."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
