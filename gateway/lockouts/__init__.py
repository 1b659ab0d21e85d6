"""Who is locked out of PIN login, and unlocking."""

from __future__ import annotations
