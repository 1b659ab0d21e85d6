from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def patience() -> None:
    """Here the real two seconds count."""
