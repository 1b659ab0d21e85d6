"""QR codes on a page: the ones that are printed, drawn inline, because the policy lets no data address in."""

from __future__ import annotations

from markupsafe import Markup

from gateway.printing.qr import qr_code
from gateway.printing.sheet import Sheet
from gateway.printing.svg import render_svg

SIDE = 100.0
"""Millimetres in the drawing; the style sheet says how large it is shown."""


def inline_qr(text: str) -> Markup:
    """Return the code of `text` as an SVG element."""
    sheet = Sheet(width=SIDE, height=SIDE, shapes=(qr_code(text, x=0, y=0, side=SIDE),))
    return inline_svg(render_svg(sheet, title="QR"))


def inline_svg(document: bytes) -> Markup:
    """Return an SVG document of ours as an element of a page, without its XML declaration."""
    return Markup(document.decode().partition("?>")[2].strip())  # noqa: S704 drawn by us, its texts escaped there
