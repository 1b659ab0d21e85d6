from __future__ import annotations

import pytest

from crypto.pins import PinHasher


class Hashes:
    """Counts the PIN hashes that are really computed."""

    def __init__(self) -> None:
        self.computed = 0


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> Hashes:
    counted, verify = Hashes(), PinHasher.verify

    def counting(self: PinHasher, record: bytes, pin: str) -> bool:
        counted.computed += 1
        return verify(self, record, pin)

    monkeypatch.setattr(PinHasher, "verify", counting)
    return counted
