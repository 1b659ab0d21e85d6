"""A camera must be able to read what is drawn, on dark and on light terminals."""

from __future__ import annotations

import pytest
import zxingcpp

from gateway.cli.qr import draw

URLS = (
    "http://localhost:8080/kiosk#enrol=WDJB-MJHT",
    "https://stamp.example.com/stamp#t=QtKXNAwTFmeOCBqtOf3JZYHt580CFc56uHk0F1Wbu-U",
)


PIXELS = 8


def photograph(lines: list[str]) -> memoryview:
    """The lines as a camera sees them: painted halves light, the rest dark, eight pixels to a module."""
    rows = []
    for line in lines:
        for painted in ("█▀", "█▄"):
            rows += [b"".join((b"\xff" if character in painted else b"\0") * PIXELS for character in line)] * PIXELS
    return memoryview(b"".join(rows)).cast("B", (len(rows), len(rows[0])))


@pytest.mark.parametrize("url", URLS)
def test_what_is_drawn_can_be_read(url: str) -> None:
    lines = draw(url)
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80
    assert [found.text for found in zxingcpp.read_barcodes(photograph(lines))] == [url]
