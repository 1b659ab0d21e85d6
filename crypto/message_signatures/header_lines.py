"""The header fields of a request as far as the protocol looks at them: each at most once, whatever its spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crypto.message_signatures.fields import MAX_FIELD_BYTES
from crypto.message_signatures.problems import SignatureMalformed, SignatureMissing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REFUSED_FIELD: Final = b"Content-Encoding"
"""A coding is not covered, and the digest would be over other bytes than the ones the handler gets."""

_SINGLE_FIELDS = frozenset(
    {b"Host", b"Content-Type", b"Content-Digest", b"Signature", b"Signature-Input", b"Authorization"}
)

USUAL_NAMES: Final = _SINGLE_FIELDS | {b"Accept", b"Accept-Encoding", b"Connection", b"Content-Length", b"User-Agent"}
"""When all names of a request are among these, spelled like this, nothing needs to be looked at one by one."""


def single_fields(headers: Sequence[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], str | None]:
    """Return the fields the protocol looks at (and perhaps some it does not), `Named-Like-This`, and the name of one
    that was sent twice."""
    fields = dict(headers)
    if len(fields) == len(headers) and USUAL_NAMES.issuperset(fields):
        return fields, None
    fields, repeated = {}, None
    for spelled, value in headers:
        name = spelled.title()
        if name in _SINGLE_FIELDS:
            if name in fields:
                repeated = name.decode().lower()
            else:
                fields[name] = value
        elif name == REFUSED_FIELD:
            fields[name] = value
    return fields, repeated


def text_of(fields: Mapping[bytes, bytes], name: bytes) -> str:
    """Return a field of the signature as text.

    Raises:
        SignatureMissing: it is not there.
        SignatureMalformed: not ASCII, or longer than `MAX_FIELD_BYTES`.
    """
    value = fields.get(name)
    if value is None:
        raise SignatureMissing(f"{name.decode().lower()} is missing")
    if len(value) > MAX_FIELD_BYTES or not value.isascii():
        raise SignatureMalformed(f"{name.decode().lower()} is not ASCII of at most {MAX_FIELD_BYTES} bytes")
    return value.decode()
