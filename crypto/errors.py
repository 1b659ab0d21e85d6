"""The root of every error this package raises on purpose."""

from __future__ import annotations


class CryptoError(Exception):
    """Something was refused. The text names what was wrong, never a secret or an expected value."""
