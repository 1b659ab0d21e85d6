"""The font of everything printed, and how words are broken and fitted in it.

It is Liberation Sans (fonts/LICENSE): as wide as Arial and Helvetica letter by letter, so an SVG shown without it comes
out the same, and with all of Latin, Greek, Cyrillic and Hebrew. Lengths are millimetres.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAMILY: Final = "Liberation Sans"
LINE_HEIGHT: Final = 1.2
"""From one baseline to the next, in ems."""

_FONTS: Final = Path(__file__).parent / "fonts"
_FINEST_STEP: Final = 0.25
"""Millimetres between two sizes that are tried: finer than anybody sees."""
_ELLIPSIS: Final = "…"
_PART: Final = re.compile(r"[^ -]*[ -]+|[^ -]+")
"""What is never broken: a word with the space behind it, or the part of one up to its hyphen."""


def font_file(*, bold: bool) -> Path:
    """Where the font is."""
    return _FONTS / f"LiberationSans-{'Bold' if bold else 'Regular'}.ttf"


def printable(text: str) -> str:
    """`text` on one line, without anything that is not a character to be seen.

    Controls break XML, marks and overrides of the writing direction show something else than what is stored.
    """
    spaced = (" " if character.isspace() else character for character in text)
    return " ".join("".join(c for c in spaced if not unicodedata.category(c).startswith("C")).split())


def missing(text: str) -> str:
    """The characters of `text` that the font does not have, each once; PNG and PDF show a box in their place."""
    advances = _advances(bold=False)
    return "".join(dict.fromkeys(character for character in text if ord(character) not in advances))


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """How wide a line is at `size`. Characters the font does not have count as a whole em."""
    advances = _advances(bold=bold)
    return size * sum(map(advances.get, map(ord, text), repeat(1.0)))  # asked some ten thousand times for a long name


def wrap(text: str, width: float, size: float, *, bold: bool = False) -> list[str]:
    """Break `text` at spaces and after hyphens into lines no wider than `width`; what is wider is broken anywhere."""
    lines: list[str] = []
    line = ""
    for part in _PART.findall(text):
        if width_of((line + part).rstrip(), size, bold=bold) <= width:
            line += part
            continue
        if line:
            lines.append(line.rstrip())
        *full, line = _pieces(part, width, size, bold=bold)
        lines += full
    return [*lines, line.rstrip()] if line else lines


@dataclass(frozen=True, slots=True)
class Fitted:
    """Lines, and the size at which they fit."""

    lines: tuple[str, ...]
    size: float


def fit(text: str, width: float, height: float, *, largest: float, smallest: float, bold: bool = False) -> Fitted:
    """Set `text` as large as it fits: whole words if that is possible at all, lines of about the same length.

    At the smallest size words are broken too, and what still does not fit is cut with an ellipsis.
    """
    sizes = [largest - step * _FINEST_STEP for step in range(int((largest - smallest) / _FINEST_STEP) + 1)]
    for size in sizes:
        if _widest_part(text, size, bold=bold) <= width:
            lines = wrap(text, width, size, bold=bold)
            if len(lines) <= _rows(height, size):
                return Fitted(tuple(_even(text, width, size, lines, bold=bold)), size)
    for size in sizes:
        lines = wrap(text, width, size, bold=bold)
        if len(lines) <= _rows(height, size):
            return Fitted(tuple(lines), size)
    kept = wrap(text, width, smallest, bold=bold)[: max(1, _rows(height, smallest))]
    last = kept[-1]
    while width_of(last + _ELLIPSIS, smallest, bold=bold) > width:
        last = last[:-1]
    return Fitted((*kept[:-1], last + _ELLIPSIS), smallest)


def _rows(height: float, size: float) -> int:
    """How many lines stand below each other in `height`."""
    return int(height / (size * LINE_HEIGHT) + 1e-9)


def _even(text: str, width: float, size: float, lines: list[str], *, bold: bool) -> list[str]:
    """The same number of lines in the narrowest column that holds them: no last line of one short word."""
    best = lines
    narrow, wide = _widest_part(text, size, bold=bold), width
    while wide - narrow > 1.0:
        middle = (narrow + wide) / 2
        tried = wrap(text, middle, size, bold=bold)
        if len(tried) > len(lines):
            narrow = middle
        else:
            best, wide = tried, middle
    return best


def _widest_part(text: str, size: float, *, bold: bool) -> float:
    return max((width_of(part.rstrip(), size, bold=bold) for part in _PART.findall(text)), default=0.0)


def _pieces(word: str, width: float, size: float, *, bold: bool) -> Iterable[str]:
    """`word` in pieces no wider than `width`, each of one character at least."""
    pieces = [""]
    for character in word:
        if pieces[-1] and width_of(pieces[-1] + character, size, bold=bold) > width:
            pieces.append("")
        pieces[-1] += character
    return pieces


@cache
def _advances(*, bold: bool) -> Mapping[int, float]:
    """Code point → how far the next character stands, in ems."""
    from fontTools.ttLib import TTFont  # 0.1 s that only those pay who print

    with TTFont(font_file(bold=bold), recalcTimestamp=False) as font:
        units = font["head"].unitsPerEm
        metrics = font["hmtx"]
        return {point: metrics[name][0] / units for point, name in font.getBestCmap().items()}
