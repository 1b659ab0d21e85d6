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
    part = max(range(3), key=lambda part: abs(ink[part] - ground[part]))  # that tells the share best
    shares = [(colour[part] - ground[part]) / (ink[part] - ground[part]) for colour in found]
    return all(
        abs(below + (above - below) * share - mixed) <= 1
        for share, colour in zip(shares, found, strict=True)
        for below, above, mixed in zip(ground, ink, colour, strict=True)
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


def test_words_on_two_grounds_are_soft_towards_each() -> None:
    left = Box(x=0, y=0, width=10, height=30, colour=ACCENT)
    found = colours(left, Text(x=3, baseline=15, words="MMMM", size=5, bold=True, colour=BLACK))
    assert {PAPER, ACCENT, BLACK} < found
    on_paper = {colour for colour in found if are_between({colour}, PAPER, BLACK)}
    on_accent = {colour for colour in found if are_between({colour}, ACCENT, BLACK)}
    assert on_paper | on_accent == found
    assert min(len(on_paper), len(on_accent)) > 10


def test_what_reaches_over_the_edge_of_the_sheet_is_cut_off_there() -> None:
    whole = colours(Disc(x=10, y=10, radius=5, colour=ACCENT))
    for x in (0, 20):
        assert colours(Disc(x=x, y=10, radius=5, colour=ACCENT)) <= whole | {PAPER}
        assert ACCENT in colours(Disc(x=x, y=10, radius=5, colour=ACCENT))
    for x in (-30, 30):
        assert colours(Text(x=x, baseline=12, words="away", size=5)) == {PAPER}
    assert INK in colours(Text(x=-10, baseline=12, words="too long for this sheet by far", size=5))


def test_more_inks_than_a_palette_holds_are_drawn_by_the_nearest() -> None:
    inks = [Text(x=1, baseline=2 + n, words="ink", size=3, colour=(n * 9, 255 - n * 9, 128)) for n in range(28)]
    found = colours(*inks)
    assert 100 < len(found) <= 256
    assert inks[-1].colour in found
