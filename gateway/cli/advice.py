"""What to type next: a command that works as it is printed, here and for the gateway this call was about."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from gateway.cli.commands import chosen_data_dir


def program(name: str) -> str:
    """Return one of our programs: its name where it is on the PATH, else the way to it."""
    if shutil.which(name):
        return name
    beside = Path(sys.argv[0]).absolute().with_name(name)
    # A name without a slash a shell looks for on the PATH alone.
    return os.path.join(os.path.relpath(beside.parent), name) if beside.exists() else name  # noqa: PTH118 - keeps ./


def line(name: str, *words: str) -> str:
    """Return the line for one of our programs with these words, quoted as a shell needs it."""
    return shlex.join([program(name), *words])


def command(*words: str, company: str | None = None) -> str:
    """Return the line for `stampgate` with these words, quoted, and with what this call was told about the place."""
    place: list[str] = []
    data_dir = chosen_data_dir.get()
    if data_dir is not None:
        place += ["--data-dir", str(data_dir)]
    chosen = [] if company is None else ["--company", company]
    return line("stampgate", *place, *words, *chosen)
