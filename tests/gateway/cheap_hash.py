"""Argon2 at next to no cost: only tests of timing need the real one."""

from __future__ import annotations

from typing import Final

CHEAP_HASH: Final = {
    "pin_hash_memory_kib": 8,
    "pin_hash_time": 1,
    "password_hash_memory_kib": 64,
    "password_hash_time": 1,
}
"""As settings of a gateway in this process."""

CHEAP_HASH_ENVIRONMENT: Final = {f"STAMPGATE_{name.upper()}": str(value) for name, value in CHEAP_HASH.items()}
"""The same for commands and other processes."""
