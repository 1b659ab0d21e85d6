"""The states of a device and every edge between them, as the protocol's diagram draws them.

    registered ─enrol (proof of possession)→ pending ─approve→ active ⇄ suspended
    pending ─deny, or 30 min pass→ registered (a new code and a new key are needed)
    active|suspended ─key expires→ expired
    active|suspended|expired ─replace→ registered (same name and history, old key blocked)
    any ─revoke→ revoked (final; its key is blocked for ever)

Two edges are walked by the clock alone. Nobody waits for them and nothing needs to be written: `state_now` says what a
stored row means at this moment, here and in the gate alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ENROLMENT_CODE_LIFETIME: Final = 30 * 60
"""Seconds: long enough to walk to the terminal, short enough that a photographed code is worth nothing next day."""

PENDING_LIFETIME: Final = 30 * 60
"""Seconds an enrolment waits for its approval."""

KEY_LIFETIME: Final = 90 * 86_400
"""Seconds a device key is accepted after its enrolment. Clients change keys after 30 days by themselves."""

COPIED_REASON: Final = "an old key was used after the key change"
"""Why the gateway itself suspends a terminal: there are two of it."""

WORD_TRIES: Final = 3
"""Wrong words or thumbprints that deny an enrolment: two words are 22 bits, one chance in 1.4 million."""


class DeviceState(StrEnum):
    """What a device is, as stored and as shown."""

    REGISTERED = "registered"
    PENDING = "pending"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Act(StrEnum):
    """What somebody, or the clock, does to a device."""

    ENROL = "enrol"
    APPROVE = "approve"
    DENY = "deny"
    LAPSE = "lapse"
    SUSPEND = "suspend"
    RESUME = "resume"
    EXPIRE = "expire"
    REPLACE = "replace"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Edge:
    """One arrow of the diagram; `blocks_key` where the device's present key is never accepted again."""

    sources: frozenset[DeviceState]
    target: DeviceState
    blocks_key: bool = False


def _edge(*sources: DeviceState, to: DeviceState, blocks_key: bool = False) -> Edge:
    return Edge(frozenset(sources), to, blocks_key)


EDGES: Final[dict[Act, Edge]] = {
    Act.ENROL: _edge(DeviceState.REGISTERED, to=DeviceState.PENDING),
    Act.APPROVE: _edge(DeviceState.PENDING, to=DeviceState.ACTIVE),
    Act.DENY: _edge(DeviceState.PENDING, to=DeviceState.REGISTERED, blocks_key=True),
    Act.LAPSE: _edge(DeviceState.PENDING, to=DeviceState.REGISTERED, blocks_key=True),
    Act.SUSPEND: _edge(DeviceState.ACTIVE, to=DeviceState.SUSPENDED),
    Act.RESUME: _edge(DeviceState.SUSPENDED, to=DeviceState.ACTIVE),
    Act.EXPIRE: _edge(DeviceState.ACTIVE, DeviceState.SUSPENDED, to=DeviceState.EXPIRED),
    Act.REPLACE: _edge(
        DeviceState.ACTIVE, DeviceState.SUSPENDED, DeviceState.EXPIRED, to=DeviceState.REGISTERED, blocks_key=True
    ),
    Act.REVOKE: _edge(*(state for state in DeviceState if state != "revoked"), to=DeviceState.REVOKED, blocks_key=True),
}


def is_allowed(act: Act, state: str) -> bool:
    """Whether `act` leads anywhere from `state` (already made true for now by `state_now`)."""
    return state in EDGES[act].sources


def overdue_act(
    state: str, now: float, *, enrolment_started_at: float | None, key_expires_at: float | None
) -> Act | None:
    """The edge the clock alone has walked since the row was written, or None.

    All times are Unix seconds. A missing time never lets anything live longer: a pending device that does not say since
    when has lapsed, an active one without a key has expired.
    """
    if state == DeviceState.PENDING:
        started = enrolment_started_at
        return Act.LAPSE if started is None or now >= started + PENDING_LIFETIME else None
    if state in EDGES[Act.EXPIRE].sources:
        return Act.EXPIRE if key_expires_at is None or now >= key_expires_at else None
    return None


def state_now(
    state: str, now: float, *, enrolment_started_at: float | None, key_expires_at: float | None
) -> DeviceState:
    """What a stored row means at `now` (Unix seconds): an enrolment nobody approved is over, an old key has expired."""
    act = overdue_act(state, now, enrolment_started_at=enrolment_started_at, key_expires_at=key_expires_at)
    return DeviceState(state) if act is None else EDGES[act].target
