"""The gateway that is in service from a data directory: only one with `memory://`, and where it is reached.

Two processes with `memory://` on one database would each take a nonce once and count wrong PINs alone. So whoever
serves holds a lock of the system (flock) on the directory itself: it needs no file that could be deleted or belong to
somebody else, and it ends with the process however that ended. A file in it tells commands where the gateway is
reached; whoever wrote it holds a lock on it as long as that is true.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import TYPE_CHECKING, Final

from gateway.http.field_faults import FieldFault
from gateway.settings import read_public_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from gateway.settings import Settings

FILE_NAME: Final = "in-service"
"""Holds the public address of the gateway that has the lock on it."""

PATIENCE_SECONDS: Final = 0.5
"""How long a start waits for commands that look whether somebody serves: each has a lock for a moment."""

LONGEST_ADDRESS: Final = 1024

SAFE: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""What lies there under that name might be a link to another file, or a pipe at which one waits for ever."""


class DataDirectoryInUse(Exception):
    """Another gateway serves from this data directory; one line for people."""


@contextlib.contextmanager
def in_service(settings: Settings, address: str) -> Iterator[None]:
    """Be a gateway of the data directory for the length of the block, reached at `address`.

    With a Redis there may be several, which count together, and commands learn the address of the first; with
    `memory://` one alone. A file system without such locks is served all the same, with a warning in the log.
    Raises `DataDirectoryInUse`.
    """
    alone = settings.redis_url.startswith("memory:")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as closing:
        try:
            directory = os.open(settings.data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            closing.callback(os.close, directory)
            is_free = _try_lock(directory, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        except OSError as error:
            _warn("data directory cannot be locked", error)
            is_free = True
        if not is_free:
            raise _in_use(settings.data_dir, address_in_service(settings.data_dir) or "another port")
        closing.enter_context(_told(settings.data_dir, address))
        yield


def address_in_service(data_dir: Path) -> str | None:
    """Return where the gateway that now serves from this directory is reached; None when none does.

    Whoever can write to the directory can write what they like, so it is an address by the rules of the settings, or
    none.
    """
    try:
        with _opened(data_dir, os.O_RDONLY) as handle:
            if _try_lock(handle, fcntl.LOCK_SH):  # shared: two commands at once are no gateway
                return None
            return read_public_url(os.pread(handle, LONGEST_ADDRESS, 0).decode())
    except (OSError, UnicodeDecodeError, FieldFault):
        return None


def require_free(data_dir: Path) -> None:
    """Raises `DataDirectoryInUse` when a gateway serves from this directory."""
    address = address_in_service(data_dir)
    if address is not None:
        raise _in_use(data_dir, address)


def _in_use(data_dir: Path, address: str) -> DataDirectoryInUse:
    return DataDirectoryInUse(
        f"{data_dir} is served already, at {address}: end that gateway first, or choose another --data-dir"
    )


@contextlib.contextmanager
def _told(data_dir: Path, address: str) -> Iterator[None]:
    """Have commands know the address, unless another gateway of this directory has told its own."""
    with contextlib.ExitStack() as closing:
        try:
            handle = closing.enter_context(_opened(data_dir, os.O_RDWR | os.O_CREAT))
            if _only_looked_at(handle):
                # Never empty in between: a command may be reading.
                os.ftruncate(handle, os.pwrite(handle, address.encode(), 0))
                closing.callback(os.ftruncate, handle, 0)
        except OSError as error:
            _warn("commands cannot be told the address", error)
        yield


@contextlib.contextmanager
def _opened(data_dir: Path, flags: int) -> Iterator[int]:
    """Open the file, and nothing else that lies there under its name. Raises `OSError`."""
    handle = os.open(data_dir / FILE_NAME, flags | SAFE, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, f"{FILE_NAME} is no file")
        yield handle
    finally:
        os.close(handle)


def _only_looked_at(handle: int) -> bool:
    """Lock the file for good, unless a gateway has. Raises `OSError` where nothing can be locked."""
    if not _try_lock(handle, fcntl.LOCK_SH):
        return False
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _try_lock(handle, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            fcntl.flock(handle, fcntl.LOCK_UN)  # or this gateway would look like a command for as long as it serves
            return False
        time.sleep(0.02)
    return True


def _try_lock(handle: int, kind: int) -> bool:
    """Lock, or return False when somebody else has the lock. Raises `OSError` where nothing can be locked."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _warn(event: str, error: OSError) -> None:
    import structlog  # only now: commands, which ask for the address alone, have no log

    structlog.get_logger(__name__).warning(event, cause=error.strerror)
