"""Public Ed25519 test data that lies beside the checkout, in `../shared/vectors`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DIRECTORY = Path(__file__).parents[3] / "shared" / "vectors"


def load(name: str) -> Any:
    """Return the content of a vector file, or skip the test and say where it was looked for."""
    path = DIRECTORY / name
    if not path.exists():
        pytest.skip(f"public test vectors are absent: {path} does not exist, so this edge case data was not run")
    return json.loads(path.read_bytes())
