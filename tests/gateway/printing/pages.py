"""Reads printed pages back: pictures of them, QR codes in them, words and where they stand."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pypdfium2
import zxingcpp
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator

MM = 25.4 / 72
"""Millimetres in a point."""

CAMERA_PIXELS = 1000
"""Across a page: a phone's camera sees at least so many."""

_HYPHEN = "\ufffe"


@contextmanager
def opened(pdf: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """The document as a viewer reads it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        yield document
    finally:
        document.close()


def page_texts(pdf: bytes) -> list[str]:
    """The words of each page, white space made single."""
    with opened(pdf) as document:
        # PDFium takes a hyphen at the end of a line for one of hyphenation, and marks it so.
        texts = (page.get_textpage().get_text_range().replace(_HYPHEN, "-") for page in document)
        return [" ".join(text.split()) for text in texts]


def page_sizes(pdf: bytes) -> list[tuple[float, float]]:
    """Width and height of each page in millimetres."""
    with opened(pdf) as document:
        return [(width * MM, height * MM) for width, height in (page.get_size() for page in document)]


def place_of(pdf: bytes, words: str, page: int = 0) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the ink of `words` in millimetres from the upper left corner; it stands once."""
    with opened(pdf) as document:
        sheet = document[page]
        height = sheet.get_height()
        text = sheet.get_textpage()
        search = text.search(words, match_case=True)
        found = search.get_next()
        assert found is not None, words
        assert search.get_next() is None, words
        start, count = found
        boxes = [text.get_charbox(index) for index in range(start, start + count)]
        left, bottom = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, top = max(box[2] for box in boxes), max(box[3] for box in boxes)
        return left * MM, (height - top) * MM, right * MM, (height - bottom) * MM


def picture(pdf: bytes) -> Image.Image:
    """The first page in grey, as large as a camera sees it at least."""
    with opened(pdf) as document:
        page = document[0]
        shown: Image.Image = page.render(scale=CAMERA_PIXELS / page.get_width(), grayscale=True).to_pil()
        return shown


def codes(picture: Image.Image | bytes) -> list[str]:
    """What a camera reads in the picture that is a QR code."""
    shown = picture if isinstance(picture, Image.Image) else Image.open(io.BytesIO(picture))
    grey = shown.convert("L")
    grey = grey.reduce(max(1, grey.width // CAMERA_PIXELS))
    pixels = memoryview(grey.tobytes()).cast("B", (grey.height, grey.width))
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    return [found.text for found in zxingcpp.read_barcodes(pixels, formats=formats)]
