"""A sheet as PNG: few colours, each ink soft at its edges towards what it stands on."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from gateway.printing.png import render_png
from gateway.printing.sheet import ACCENT, BLACK, INK, PAPER, Box, Disc, Sheet, Text

if TYPE_CHECKING:
    from gateway.printing.sheet import Colour, Shape

DISC = Disc(x=10, y=10, radius=5, colour=ACCENT)
NUMBER = Text(x=8, baseline=12, words="3", size=7, bold=True, colour=PAPER)
WORD = Text(x=2, baseline=27, words="Größe", size=5)


def colours(*shapes: Shape, inside: bool = False) -> set[Colour]:
    """Those of all dots of a small sheet, or of a square inside the disc."""
    with Image.open(io.BytesIO(render_png(Sheet(width=20, height=30, shapes=shapes)))) as picture:
        assert picture.mode == "P"
        middle, half = round(10 / 25.4 * 300), round(3.4 / 25.4 * 300)
        square = (middle - half, middle - half, middle + half, middle + half)
        parts = (picture.crop(square) if inside else picture).convert("RGB").tobytes()
    return set(zip(parts[::3], parts[1::3], parts[2::3], strict=True))


def are_between(found: set[Colour], ground: Colour, ink: Colour) -> bool:
    """Whether all are mixed of the two, each part of a colour alike."""
    shares = [(colour[0] - ground[0]) / (ink[0] - ground[0]) for colour in found]
    return all(
        abs(below + (above - below) * share - part) <= 1
        for share, colour in zip(shares, found, strict=True)
        for below, above, part in zip(ground, ink, colour, strict=True)
    )


def test_words_and_discs_are_soft_at_their_edges_and_boxes_sharp() -> None:
    for shape, ink in ((WORD, INK), (DISC, ACCENT)):
        found = colours(shape)
        assert {PAPER, ink} < found
        assert 10 < len(found) <= 32
        assert are_between(found, PAPER, ink)
    assert colours(Box(x=1.01, y=1.01, width=7.77, height=0.01, colour=BLACK)) == {PAPER, BLACK}


def test_light_words_on_a_disc_are_soft_towards_the_disc() -> None:
    assert colours(DISC, inside=True) == {ACCENT}
    found = colours(DISC, NUMBER, inside=True)
    assert {ACCENT, PAPER} < found
    assert 10 < len(found) <= 32
    assert are_between(found, ACCENT, PAPER)


def test_what_stands_beside_keeps_its_own_colours() -> None:
    assert colours(DISC, NUMBER, WORD) == colours(DISC, NUMBER) | colours(WORD)
