"""What each of several processes does at once; apart, so that they import nothing but what is tested."""

from __future__ import annotations

from os import urandom
from typing import TYPE_CHECKING

from crypto.secrets_file import Secrets

if TYPE_CHECKING:
    from pathlib import Path


def first_start(path: Path) -> bytes:
    """Make or read the secrets, and tell which gateway they make."""
    return Secrets.load_or_create(path, urandom).gateway_key.seed
