"""What a client would rather have: the weighted lists of `Accept-Language` and `Accept-Encoding` (RFC 9110 §12.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_CHARACTERS: Final = 500
"""How much of a field is read; browsers send fewer than 100."""


def weighted(field: str) -> Iterator[tuple[str, float]]:
    """Yield each entry of a field, in lower case, with its weight (0 to 1).

    A malformed entry has weight 0: an answer in another language or form is better than none.
    """
    for entry in field[:READ_CHARACTERS].split(","):
        name, _, parameter = entry.partition(";")
        yield name.strip().lower(), _weight(parameter)


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell if an answer may be packed with gzip (RFC 9110 §12.5.3)."""
    return any(name in ("gzip", "x-gzip") and weight > 0 for name, weight in weighted(accept_encoding))


def _weight(parameter: str) -> float:
    """Read `q=0.8`: 1 when left out, 0 when it is no weight."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    if name.strip().lower() != "q" or not value.strip().replace(".", "", 1).isdecimal():
        return 0.0
    return min(1.0, float(value))


def accepts_pages(accept: str) -> bool:
    """Tell a browser, which names text/html, from everything else (RFC 9110 §12.5.1)."""
    return "text/html" in accept[:READ_CHARACTERS]
