"""QR codes for paper."""

from __future__ import annotations

from typing import Final

from gateway.printing.sheet import Cells

QUIET_ZONE: Final = 4
"""Light modules around the code that scanners need to find it (ISO/IEC 18004 §6.3.8)."""


def qr_code(text: str, *, x: float, y: float, side: float) -> Cells:
    """The code of `text` with its quiet zone in a square of `side` millimetres.

    Level H: three tenths of it may be torn, dirty or covered, as happens to paper on a wall.
    """
    from qrcode.constants import ERROR_CORRECT_H
    from qrcode.main import QRCode

    code = QRCode(border=QUIET_ZONE, error_correction=ERROR_CORRECT_H)
    code.add_data(text)
    return Cells(x=x, y=y, side=side, rows=tuple(tuple(map(bool, row)) for row in code.get_matrix()))
