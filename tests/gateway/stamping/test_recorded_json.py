"""The hand-written JSON of a recorded stamp against the model it stands for."""

from __future__ import annotations

import pytest

from gateway.stamping.actions import Action, State
from gateway.stamping.models import recorded_answer, recorded_json
from gateway.stamping.records import Recorded, Stamp, Status

STAMP = Stamp(
    id="0199c8d1-0000-7000-8000-000000000001",
    stamp_id="0b5cdd3c-5bd7-4a26-a56c-5b0a5f9c62d6",
    action=Action.CLOCK_IN,
    at=1_760_000_000.0006,
    tier="kiosk",
    device_id="0199c8d1-0000-7000-8000-000000000002",
)
IN = Status(State.IN, 1_760_000_000.0, 61.9, (Action.BREAK_START, Action.CLOCK_OUT), clock_out_missing=False)


@pytest.mark.parametrize(
    ("stamp", "status"),
    [
        (STAMP, IN),
        (STAMP._replace(tier="phone", device_id=None), IN._replace(clock_out_missing=True)),
        (STAMP._replace(action=Action.CLOCK_OUT), Status(State.OUT, 0.0, 0.0, (Action.CLOCK_IN,), False)),
        (STAMP._replace(action=Action.BREAK_START), IN._replace(state=State.BREAK, actions=())),
    ],
)
def test_is_byte_for_byte_what_the_model_writes(stamp: Stamp, status: Status) -> None:
    recorded = Recorded(stamp, status, repeated=False)
    assert recorded_json(recorded) == recorded_answer(recorded).model_dump_json(exclude_none=True).encode()
