"""The gateway that is in service from a data directory: only one with `memory://`, and where it is reached.

Two processes with `memory://` on one database would each take a nonce once and count wrong PINs alone. What serves
holds a lock of the system on a file in the directory, which ends with the process however that ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.settings import Settings

FILE_NAME: Final = "in-service"
"""Holds the public address of the gateway that has the lock."""

PATIENCE_SECONDS: Final = 0.5
"""How long a start waits: a command that looks whether somebody serves has the lock for a moment."""

LONGEST_ADDRESS: Final = 1024


class DataDirectoryInUse(Exception):
    """Another gateway serves from this data directory; one line for people."""


@contextlib.contextmanager
def in_service(settings: Settings, address: str) -> Iterator[None]:
    """Be the gateway of the data directory for the length of the block, reached at `address`.

    With a Redis there may be several, which count together; with `memory://` one alone. A directory that cannot be
    written to is served without a lock: nothing of ours can be there that a second process would share.
    Raises `DataDirectoryInUse`.
    """
    alone = settings.redis_url.startswith("memory:")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(settings.data_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield
        return
    try:
        if not _locked(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, PATIENCE_SECONDS):
            raise DataDirectoryInUse(
                f"{settings.data_dir} is served already, at {_read(handle) or 'another port'}: end that gateway first, "
                "or choose another --data-dir"
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, address.encode(), 0)
        yield
    finally:
        os.close(handle)


def address_in_service(data_dir: Path) -> str | None:
    """Return where the gateway that now serves from this directory is reached; None when none does."""
    try:
        handle = os.open(data_dir / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _locked(handle, fcntl.LOCK_EX) else _read(handle)
    finally:
        os.close(handle)


def _locked(handle: int, kind: int, patience: float = 0.0) -> bool:
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def _read(handle: int) -> str | None:
    return os.pread(handle, LONGEST_ADDRESS, 0).decode("utf-8", "replace").strip() or None
