"""What IT may say about a terminal: label, location, networks, and why something was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.devices.networks import read_networks
from gateway.http.field_faults import FieldError, FieldFault
from gateway.http.problems import Problem
from gateway.people.fields import read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL_LIMIT: Final = 100
LOCATION_LIMIT: Final = 200
REASON_LIMIT: Final = 200
"""Characters, as wide as their columns."""


def read_label(text: str) -> str:
    """What a terminal is called."""
    return read_text(text, LABEL_LIMIT)


def read_location(text: str) -> str:
    """Where a terminal is; may be empty."""
    return read_text(text, LOCATION_LIMIT) if text.strip() else ""


def read_reason(reason: str | None) -> str | None:
    """The reason as it is stored; None when there is nothing in it. Raises Problem `bad-request`."""
    if reason is None or not reason.strip():
        return None
    try:
        return read_text(reason, REASON_LIMIT)
    except FieldFault as fault:
        raise Problem("bad-request", errors=[FieldError("reason", str(fault))]) from None


def read_fields(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they are stored. Raises Problem `bad-request` with every fault."""
    faults: list[FieldError] = []
    read: dict[str, Any] = {}
    for name, value in values.items():
        try:
            if name == "label":
                read[name] = read_label(value)
            elif name == "location":
                read[name] = read_location(value)
            elif name == "allowed_networks":
                read[name] = tuple(read_networks(name, value, faults))
            else:
                raise FieldFault("is not a known field")
        except FieldFault as fault:
            faults.append(FieldError(name, str(fault)))
    if faults:
        raise Problem("bad-request", errors=faults, cause="faulty: " + ", ".join(fault.field for fault in faults))
    return read
