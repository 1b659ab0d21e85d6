"""What the figures were measured on, and which core does what."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("aiohttp", "pynacl", "sqlalchemy", "aiosqlite", "asyncpg", "redis", "hiredis", "pydantic")


def cores() -> tuple[int, int]:
    """Return the gateway's core and the core of everything else. On a machine with one core they are the same."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


_USABLE = frozenset(os.sched_getaffinity(0))


def unpin() -> None:
    """Let this process, and what it starts from now on, have every core again: a phone has more than one."""
    os.sched_setaffinity(0, _USABLE)


def pin(core: int) -> None:
    """Bind this process, and what it starts from now on, to one core."""
    os.sched_setaffinity(0, {core})


def describe() -> dict[str, object]:
    """Return the machine, the versions and the load on it right now (others may be working here too)."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: version(name) for name in LIBRARIES},
        "load_average": os.getloadavg()[0],
    }


def resident_mb(pid: int) -> tuple[float, float]:
    """Return a process's resident memory now and at its highest, in MB (10^6 bytes)."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines() if ":" in line
    )
    now, highest = (int(fields[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, highest


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used so far, all its threads together."""
    after_name = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
