"""The values the device service takes and gives, and how terminals look on the wire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.devices.fields import LABEL_LIMIT, LOCATION_LIMIT, REASON_LIMIT, read_label, read_location
from gateway.devices.lifecycle import DeviceState
from gateway.devices.networks import NETWORKS_LIMIT, read_network
from gateway.http.changes import Changes, omitted
from gateway.http.models import Answer, Body, Rfc3339

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


class TerminalClient(Answer):
    """What a terminal says it runs."""

    name: str | None = None
    version: str | None = None
    platform: str | None = None


class TerminalAnswer(Answer):
    """A terminal. While it waits for approval neither its key nor its words are shown to anybody."""

    id: str
    label: str
    location: str
    allowed_networks: tuple[str, ...]
    state: DeviceState
    created_at: Rfc3339
    approved_at: Rfc3339 | None = None
    last_seen_at: Rfc3339 | None = None
    client: TerminalClient | None = None
    clock_offset_ms: int | None = Field(None, description="The terminal's clock minus the gateway's.")
    keyid: str | None = None
    key_created_at: Rfc3339 | None = None
    key_expires_at: Rfc3339 | None = None
    code_expires_at: Rfc3339 | None = Field(None, description="Until when its enrolment code is good.")
    words_asked: tuple[int, ...] | None = Field(
        None, description="Which of the words on its screen prove having stood before it; only while it waits."
    )
    reason: str | None = None


class TerminalsAnswer(Answer):
    """All terminals, oldest first."""

    items: tuple[TerminalAnswer, ...]


class OneTerminalAnswer(Answer):
    """A terminal after what was done to it."""

    device: TerminalAnswer


class RegisteredTerminal(Answer):
    """A terminal that waits to be enrolled. Code and address are shown this once."""

    device: TerminalAnswer
    enrolment_code: str
    enrolment_url: str
    expires_at: Rfc3339


Network = Annotated[str, AfterValidator(read_network), Field(max_length=64)]
Networks = Annotated[list[Network], Field(max_length=NETWORKS_LIMIT, examples=[["192.168.10.0/24"]])]
Label = Annotated[str, AfterValidator(read_label), Field(min_length=1, max_length=LABEL_LIMIT)]
Location = Annotated[str, AfterValidator(read_location), Field(max_length=LOCATION_LIMIT)]


class TerminalBody(Body):
    """A new terminal."""

    label: Label
    location: Location = ""
    allowed_networks: Networks = Field(default_factory=list)


class TerminalChanges(Changes):
    """What to change about a terminal; what is left out stays."""

    label: Label = omitted()
    location: Location = omitted()
    allowed_networks: Networks = omitted()


class ApprovalBody(Body):
    """Either the words asked for, by their places, or the whole thumbprint, as the terminal's screen shows them."""

    words: dict[Literal["1", "2", "3", "4", "5"], Annotated[str, Field(max_length=64)]] | None = Field(
        None, examples=[{"2": "amber", "5": "violin"}]
    )
    thumbprint: Annotated[str, Field(max_length=64)] | None = None


class ReasonBody(Body):
    """Why."""

    reason: Annotated[str, Field(max_length=REASON_LIMIT)] | None = None


def terminal_answer(device: Device) -> TerminalAnswer:
    """Return the answer model of a terminal as the service shows it."""
    client = TerminalClient(name=device.client_name, version=device.client_version, platform=device.client_platform)
    return TerminalAnswer(
        id=device.id,
        label=device.label,
        location=device.location,
        allowed_networks=device.allowed_networks,
        state=DeviceState(device.state),
        created_at=device.created_at,
        approved_at=device.approved_at,
        last_seen_at=device.last_seen_at,
        client=None if device.client_name is None else client,
        clock_offset_ms=device.clock_offset_ms,
        keyid=device.keyid,
        key_created_at=device.key_created_at,
        key_expires_at=device.key_expires_at,
        code_expires_at=device.code_expires_at if device.state == DeviceState.REGISTERED else None,
        words_asked=device.words_asked,
        reason=device.reason,
    )


def registered_terminal(registered: Registered) -> RegisteredTerminal:
    """Return the answer model of a terminal with its new code."""
    return RegisteredTerminal(
        device=terminal_answer(registered.device),
        enrolment_code=registered.enrolment_code,
        enrolment_url=registered.enrolment_url,
        expires_at=registered.expires_at,
    )
