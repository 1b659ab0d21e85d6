"""The three things no rule may read by itself: the time, randomness, and fresh ids. They are passed in.

A service takes them as arguments, so a test moves time instead of sleeping and draws the bytes it expects.
"""

from __future__ import annotations

from collections.abc import Callable

import uuid_utils

Clock = Callable[[], float]
"""Tells the time as Unix seconds."""

Randomness = Callable[[int], bytes]
"""Gives that many unpredictable bytes (``os.urandom``)."""

NewId = Callable[[], str]
"""Gives a fresh id as canonical lower-case text."""


def new_id() -> str:
    """Return a fresh UUIDv7 (RFC 9562): ordered by time, so that rows and log lines sort as they happened."""
    return str(uuid_utils.uuid7())
