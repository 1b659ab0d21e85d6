"""The order in which characters stand on paper, where the format does not find it by itself (PNG, PDF)."""

from __future__ import annotations

import unicodedata

from gateway.printing.typesetting import missing

BOX = "□"
"""Stands for a character that the font does not have."""

_FIRST_FROM_RIGHT = "\u0590"
"""Where Hebrew begins: of all before it nothing is written from right to left."""


def as_seen(line: str) -> str:
    """`line` from left to right as it is seen (Unicode UAX 9), with boxes for what cannot be drawn."""
    absent = frozenset(missing(line))
    drawn = "".join(BOX if character in absent else character for character in line)
    if max(drawn, default="") < _FIRST_FROM_RIGHT or not any(
        unicodedata.bidirectional(character) in {"R", "AL"} for character in drawn
    ):
        return drawn
    from fpdf.bidi import BidiParagraph
    from fpdf.enums import TextDirection

    return BidiParagraph(text=drawn, base_direction=TextDirection.LTR).get_reordered_string()
