"""Free loopback ports for servers that have to be told theirs: no two test processes are given the same one."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import stat
from pathlib import Path
from typing import IO, Final

LOWEST: Final = 10_000
HIGHEST: Final = 32_767
"""Above it the kernel chooses ports of its own (Linux: 32768 and up), for whoever connects or asks for any."""

CLUSTER_BUS: Final = 10_000
"""What Redis Cluster adds to a server's port for its bus."""

TRIES: Final = 500

LOCKS: Final = Path("/tmp")
"""The same for all, wherever their temporary files are."""

_held: list[IO[bytes]] = []


class NoFreePort(Exception):
    """All that were tried are taken."""


def free_port(*, cluster_bus: bool = False) -> int:
    """Return a port on which nobody listens, and that no other test process is given while this one runs.

    A server takes its port later than it is chosen, so "nobody listens" is not enough: a lock per port, which ends with
    the process, keeps the others away. With `cluster_bus`, the same holds of the bus port above it.

    Raises:
        NoFreePort: of many, none was free.
    """
    for _ in range(TRIES):
        port = random.randint(LOWEST, HIGHEST - CLUSTER_BUS * cluster_bus)
        if _take([port, port + CLUSTER_BUS] if cluster_bus else [port]):
            return port
    raise NoFreePort


def _own_directory(directory: Path) -> Path:
    """Make it, unless it is there. Raises `PermissionError` where somebody else could put links into it."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{directory} is not this user's alone: remove it")
    return directory


def _take(ports: list[int]) -> bool:
    directory = _own_directory(LOCKS / f"stampgate-test-ports-{os.getuid()}")
    locks: list[IO[bytes]] = []
    try:
        for port in ports:
            opened = os.open(directory / str(port), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            locks.append(os.fdopen(opened, "wb"))
            fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        for lock in locks:
            lock.close()
        return False
    _held.extend(locks)
    return True
