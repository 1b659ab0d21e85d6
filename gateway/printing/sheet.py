"""A sheet of paper and what is on it: the one description from which every file format is drawn.

Lengths are millimetres from the upper left corner, colours red, green and blue from 0 to 255. Texts lie on one line
each: breaking and fitting them is done before (`typesetting`), so that every format breaks them alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from gateway.printing.typesetting import width_of

Colour: TypeAlias = tuple[int, int, int]

INK: Final[Colour] = (24, 32, 40)
QUIET: Final[Colour] = (94, 104, 114)
"""For what is read second; dark enough (6:1 on white) for a bad printer and bad eyes."""
ACCENT: Final[Colour] = (0, 95, 115)
HAIRLINE: Final[Colour] = (196, 204, 210)
PAPER: Final[Colour] = (255, 255, 255)
BLACK: Final[Colour] = (0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One line, its first character at `x` on `baseline`; `size` is the em. `language` is that of the words, if any.

    The words may be a secret, so they are not in its `repr`.
    """

    x: float
    baseline: float
    words: str = field(repr=False)
    size: float
    bold: bool = False
    colour: Colour = INK
    language: str | None = None

    @property
    def width(self) -> float:
        """How much room the words take in the font of `typesetting`."""
        return width_of(self.words, self.size, bold=self.bold)

    def scaled(self, factor: float, right: float, down: float) -> Text:
        """The same `factor` times as large, then moved."""
        x, baseline = self.x * factor + right, self.baseline * factor + down
        return replace(self, x=x, baseline=baseline, size=self.size * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A filled rectangle; a line is a thin one."""

    x: float
    y: float
    width: float
    height: float
    colour: Colour = INK

    def scaled(self, factor: float, right: float, down: float) -> Box:
        """The same `factor` times as large, then moved."""
        x, y = self.x * factor + right, self.y * factor + down
        return replace(self, x=x, y=y, width=self.width * factor, height=self.height * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disc:
    """A filled circle around its centre."""

    x: float
    y: float
    radius: float
    colour: Colour = INK

    def scaled(self, factor: float, right: float, down: float) -> Disc:
        """The same `factor` times as large, then moved."""
        return replace(self, x=self.x * factor + right, y=self.y * factor + down, radius=self.radius * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """A square of square cells, the dark ones (`True`) black: a QR code with its quiet zone."""

    x: float
    y: float
    side: float
    rows: tuple[tuple[bool, ...], ...] = field(repr=False)

    def scaled(self, factor: float, right: float, down: float) -> Cells:
        """The same `factor` times as large, then moved."""
        return replace(self, x=self.x * factor + right, y=self.y * factor + down, side=self.side * factor)

    def dark_boxes(self) -> list[Box]:
        """The dark cells, those side by side joined."""
        cell = self.side / len(self.rows)
        boxes = []
        for row, cells in enumerate(self.rows):
            start = None
            for column, dark in enumerate((*cells, False)):
                if dark and start is None:
                    start = column
                elif not dark and start is not None:
                    boxes.append(
                        Box(
                            x=self.x + start * cell,
                            y=self.y + row * cell,
                            width=(column - start) * cell,
                            height=cell,
                            colour=BLACK,
                        )
                    )
                    start = None
        return boxes


Shape: TypeAlias = Text | Box | Disc | Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A page: its size, and its shapes from the lowest to the uppermost."""

    width: float
    height: float
    shapes: tuple[Shape, ...]

    def on_paper(self, width: float, height: float) -> Sheet:
        """The same as large as it fits on other paper, in the middle: the sizes of ISO 216 differ by rounding only."""
        factor = min(width / self.width, height / self.height)
        right, down = (width - self.width * factor) / 2, (height - self.height * factor) / 2
        shapes = tuple(shape.scaled(factor, right, down) for shape in self.shapes)
        return Sheet(width=width, height=height, shapes=shapes)
