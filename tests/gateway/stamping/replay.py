"""What a history of stamps makes true, told a second time and naively: the oracle of the stamping tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.stamps import Stamp

NEXT = {
    ("out", "clock_in"): "in",
    ("in", "break_start"): "break",
    ("in", "clock_out"): "out",
    ("break", "break_end"): "in",
    ("break", "clock_out"): "out",
}


def replay(stamps: Sequence[Stamp]) -> str:
    """Return the state after `stamps`, which must be one person's in order, without a gap and all of them valid."""
    state = "out"
    for sequence, stamp in enumerate(stamps, 1):
        assert stamp.sequence == sequence, [stamp.sequence for stamp in stamps]
        state = NEXT[state, stamp.action]
    return state
