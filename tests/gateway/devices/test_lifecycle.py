from __future__ import annotations

import pytest

from gateway.devices.lifecycle import (
    EDGES,
    KEY_LIFETIME,
    PENDING_LIFETIME,
    Act,
    DeviceState,
    is_allowed,
    overdue_act,
    state_now,
)

REGISTERED, PENDING, ACTIVE, SUSPENDED, EXPIRED, REVOKED = (
    "registered",
    "pending",
    "active",
    "suspended",
    "expired",
    "revoked",
)

# protocol.md, "Enrolment", drawn once more by hand: (state, act) → state
DIAGRAM = {
    (REGISTERED, "enrol"): PENDING,
    (PENDING, "approve"): ACTIVE,
    (PENDING, "deny"): REGISTERED,
    (PENDING, "lapse"): REGISTERED,
    (ACTIVE, "suspend"): SUSPENDED,
    (SUSPENDED, "resume"): ACTIVE,
    (ACTIVE, "expire"): EXPIRED,
    (SUSPENDED, "expire"): EXPIRED,
    (ACTIVE, "replace"): REGISTERED,
    (SUSPENDED, "replace"): REGISTERED,
    (EXPIRED, "replace"): REGISTERED,
    (REGISTERED, "revoke"): REVOKED,
    (PENDING, "revoke"): REVOKED,
    (ACTIVE, "revoke"): REVOKED,
    (SUSPENDED, "revoke"): REVOKED,
    (EXPIRED, "revoke"): REVOKED,
}


@pytest.mark.parametrize("state", [state.value for state in DeviceState])
@pytest.mark.parametrize("act", list(Act))
def test_there_are_exactly_the_edges_of_the_protocol(state: str, act: Act) -> None:
    expected = DIAGRAM.get((state, act.value))
    assert is_allowed(act, state) == (expected is not None)
    if expected is not None:
        assert EDGES[act].target == expected


def test_every_edge_back_to_registered_and_every_end_blocks_the_key() -> None:
    blocking = {act for act, edge in EDGES.items() if edge.blocks_key}
    assert blocking == {Act.DENY, Act.LAPSE, Act.REPLACE, Act.REVOKE}


@pytest.mark.parametrize(("waited", "state"), [(PENDING_LIFETIME - 0.001, "pending"), (PENDING_LIFETIME, "registered")])
def test_an_enrolment_ends_by_itself_after_thirty_minutes(waited: float, state: str) -> None:
    assert PENDING_LIFETIME == 1800
    assert state_now("pending", 1000.0 + waited, enrolment_started_at=1000.0, key_expires_at=9e9) == state


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_a_key_ends_after_ninety_days(state: str) -> None:
    assert KEY_LIFETIME == 90 * 24 * 3600
    assert state_now(state, 99.999, enrolment_started_at=None, key_expires_at=100.0) == state
    assert state_now(state, 100.0, enrolment_started_at=None, key_expires_at=100.0) == "expired"


@pytest.mark.parametrize("state", ["registered", "revoked", "expired"])
def test_time_changes_no_other_state(state: str) -> None:
    assert overdue_act(state, 9e9, enrolment_started_at=0.0, key_expires_at=0.0) is None


def test_a_missing_time_lets_nothing_live_longer() -> None:
    assert state_now("pending", 0.0, enrolment_started_at=None, key_expires_at=None) == "registered"
    assert state_now("active", 0.0, enrolment_started_at=None, key_expires_at=None) == "expired"
