"""What a company's settings may be: one rule for the interface, the pages and the command line."""

from __future__ import annotations

from functools import cache
from typing import Final
from zoneinfo import available_timezones

from gateway.http.field_faults import FieldFault

_NO_PLACES: Final = frozenset({"Factory", "localtime", "posixrules"})
"""Files beside the time zones that name none: what they mean is this machine's affair."""


@cache
def time_zones() -> frozenset[str]:
    """The names of the IANA time zones, read once: they are some 600 files."""
    return frozenset(available_timezones() - _NO_PLACES)


def read_timezone(name: str) -> str:
    """The name of an IANA time zone."""
    if name not in time_zones():
        raise FieldFault("must be a time zone such as Europe/Berlin")
    return name
