"""Temporary files of tests in memory: thousands of small databases are made and thrown away.

On a disk that is a tenth of all the time. Only where there is plenty of memory, and not where `TMPDIR` says otherwise.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

MEMORY: Final = Path("/dev/shm")
ROOM: Final = 4 * 2**30
"""Bytes that have to be free, of the file system and of the machine's memory; all tests together take a tenth of it."""

FILES: Final = 100_000
"""Files that the file system has to have room for, where it limits them."""

NAME: Final = "stampgate-tests-"

JUST_MADE_SECONDS: Final = 5.0
"""Who has made a directory that long ago, and is still there, has locked it."""

AT_LAST: Final = -200
"""After all else that this process has to clean up: `multiprocessing` removes a directory of its own at -100."""

_removals: list[Finalize] = []


def put_temporary_files() -> None:
    """Let this process and those it starts put them in a new directory there, which goes when this process ends.

    What a run that was killed left behind goes with the beginning of the next: a lock says whose run is still there.
    """
    if "TMPDIR" in os.environ or not _is_fit(MEMORY):
        return
    for left in MEMORY.glob(f"{NAME}*"):
        with contextlib.suppress(OSError):  # it goes while we look, or its lock is held
            os.close(_locked(left))
            shutil.rmtree(left)
    place = Path(tempfile.mkdtemp(prefix=NAME, dir=MEMORY))
    try:
        _locked(place, is_new=True)  # until the last process of this run ends
    except OSError:
        return  # another run that began at this moment has taken it for left behind
    place.chmod(0o711)  # PostgreSQL, as another user, has its data in it
    os.environ["TMPDIR"] = tempfile.tempdir = str(place)
    _removals.append(Finalize(None, shutil.rmtree, (place, True), exitpriority=AT_LAST))


def keep() -> None:
    """Leave them there when this process ends, until the next run begins: there may be something to look at."""
    for removal in _removals:
        removal.cancel()


def _is_fit(place: Path) -> bool:
    if not os.access(place, os.W_OK):
        return False
    system, memory = os.statvfs(place), psutil.virtual_memory()
    if system.f_flag & os.ST_NOEXEC:  # PostgreSQL may have to run from a copy
        return False
    room = system.f_bavail * system.f_frsize >= ROOM and bool(memory.available >= ROOM)
    return room and not 0 < system.f_files < FILES


def _locked(place: Path, *, is_new: bool = False) -> int:
    """Lock the directory itself: nobody else can have put something in the place of a file in it.

    Raises `OSError` where it is no directory of this user, or is locked, or, unless `is_new`, may be about to be.
    """
    lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(lock)
        if found.st_uid != os.getuid() or not (is_new or time.time() - found.st_mtime > JUST_MADE_SECONDS):
            raise PermissionError
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock
