"""QR codes drawn in the terminal, two modules to a character."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from gateway.cli.output import console

if TYPE_CHECKING:
    from typing import TextIO

QUIET_ZONE: Final = 4
"""Light modules around the code that scanners need to find it (ISO/IEC 18004 §6.3.8)."""

_HALVES: Final = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
"""(upper, lower) module is dark → the character that leaves dark modules unpainted, for light on dark terminals."""


def draw(text: str) -> list[str]:
    """The code's lines, light modules painted, to be shown white on black."""
    from qrcode.constants import ERROR_CORRECT_L
    from qrcode.main import QRCode

    # A screen is neither torn nor dirty: the least redundancy gives the largest modules.
    code = QRCode(border=QUIET_ZONE, error_correction=ERROR_CORRECT_L)
    code.add_data(text)
    modules = [list(map(bool, row)) for row in code.get_matrix()]
    if len(modules) % 2:
        modules.append([False] * len(modules))
    return [
        "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(modules[::2], modules[1::2], strict=True)
    ]


def show(text: str) -> None:
    """Print the code on stdout. Colours are set on a terminal, whose own might be dark on light."""
    if not _can_encode(sys.stdout):
        return
    from rich.text import Text

    screen = console()
    for line in draw(text):
        screen.print(Text(line, style="#ffffff on #000000"), soft_wrap=True)


def _can_encode(stream: TextIO) -> bool:
    """Whether block characters can be written at all; the address is printed beside the code in any case."""
    try:
        "█▀▄".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
