"""The values the device service takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.devices import Device


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """What a terminal says it runs; shown to IT, believed for nothing."""

    name: str
    version: str
    platform: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A device that waits for its terminal. Code and address are shown this once; `expires_at` in Unix seconds."""

    device: Device
    enrolment_code: str = field(repr=False)
    enrolment_url: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class EnrolmentStarted:
    """The gateway's answer to a terminal that proved possession of its key."""

    device_id: str
    enrolment_id: str
    state: str
    gateway_keyid: str
