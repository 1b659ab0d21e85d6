"""Requests whose bytes are utterly ordinary, read without an HTTP parser; of all others this knows nothing.

A terminal's request is one small piece: a request line that is known beforehand, a dozen field lines, a short body.
aiohttp's parser makes more objects of it than checking its signature takes time. So what keeps to the letter of a small
part of the grammar (RFC 9112, sections 3 and 5; RFC 9110, section 5.5) is read here, and whatever else there is
(another line ending, a field that is folded, nameless or there twice, a length that is not exactly the body's, chunks,
an upgrade, an expectation, a coding) is left for the parser to judge. Nothing is refused here, and nothing corrected.
"""

from __future__ import annotations

from typing import Final

from crypto.message_signatures.header_lines import USUAL_NAMES

Fields = list[tuple[bytes, bytes]]

BYTES_AT_MOST: Final = 8190
"""What aiohttp allows a single line: a request that is no longer keeps to all its limits of size."""

FIELDS_AT_MOST: Final = 100
"""Fewer than aiohttp's limit (128)."""

_IN_TOKEN: Final = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_IN_LINE: Final = b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
"""Characters of field names, and those of field lines, with obs-text, which aiohttp takes as well."""

_STAYS_OPEN: Final = frozenset({None, b"keep-alive", b"Keep-Alive"})
"""Values of Connection."""


def read_whole(data: bytes, extraordinary: frozenset[bytes]) -> tuple[Fields, bytes] | None:
    """Return the field lines and the body of a request that is all of `data`, or `None` if it is not that ordinary.

    The request line is the caller's to know: it must be one of HTTP/1.1. Names are as they were sent, values without
    the white space around them. `extraordinary`: names, in lower case, of further fields that are not read here; no
    terminal's usual ones (`USUAL_NAMES`), which are not looked at one by one.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    if not blank or len(data) > BYTES_AT_MOST or len(lines) > FIELDS_AT_MOST:
        return None
    if head.translate(None, _IN_LINE) != b"\r\n" * (len(lines) - 1):
        return None
    del lines[0]
    try:
        fields = [(name, value.strip(b" \t")) for name, value in [line.split(b":", 1) for line in lines]]
    except ValueError:  # a line without a colon
        return None
    by_name = dict(fields)
    if USUAL_NAMES.issuperset(by_name):
        host, connection, length = by_name.get(b"Host"), by_name.get(b"Connection"), by_name.get(b"Content-Length")
    else:
        by_name = {name.lower(): value for name, value in fields}
        if b"" in by_name or b"".join(by_name).translate(None, _IN_TOKEN) or not extraordinary.isdisjoint(by_name):
            return None
        host, connection, length = by_name.get(b"host"), by_name.get(b"connection"), by_name.get(b"content-length")
    if len(by_name) != len(fields) or host is None or connection not in _STAYS_OPEN:
        return None
    if body if length is None else length != b"%d" % len(body):
        return None
    return fields, body
