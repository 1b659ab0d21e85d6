"""What one Argon2id computation costs (RFC 9106), as values with their source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Argon2Cost:
    """Memory in KiB, passes over it, and lanes."""

    memory_kib: int
    time: int
    lanes: int


# OWASP Password Storage Cheat Sheet, the floor for Argon2id. Cost cannot save a 20-bit secret: the pepper and the
# lockout do; what is left must fit a shift change on a small machine.
PIN_COST: Final = Argon2Cost(19456, 2, 1)

# RFC 9106 §4, second recommended option; argon2-cffi's default profile.
PASSWORD_COST: Final = Argon2Cost(65536, 3, 4)
