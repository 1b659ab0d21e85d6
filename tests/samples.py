"""How much random input a test draws: enough to notice, every time; `make test SAMPLES=10` draws ten times as much."""

from __future__ import annotations

import os
from typing import Final

VARIABLE: Final = "STAMPGATE_TEST_SAMPLES"


def samples(usual: int) -> int:
    """Return how many samples to draw where usually it is `usual`."""
    return usual * max(1, int(os.environ.get(VARIABLE, "1")))
