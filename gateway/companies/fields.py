"""What a company's settings may be: one rule for the interface, the pages and the command line."""

from __future__ import annotations

from zoneinfo import available_timezones

from gateway.http.field_faults import FieldFault


def read_timezone(name: str) -> str:
    """The name of an IANA time zone."""
    if name not in available_timezones():
        raise FieldFault("must be a time zone such as Europe/Berlin")
    return name
