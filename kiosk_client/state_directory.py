"""Where a terminal's state is kept, and how a command that is advised finds it, and this program, again."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from kiosk_client.wording import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Mapping


def default_state_dir(environment: Mapping[str, str]) -> Path:
    """Where state belongs by the XDG Base Directory Specification."""
    base = environment.get("XDG_STATE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "stampgate-kiosk"


def state_dir_option(state_dir: Path | None, environment: Mapping[str, str]) -> str:
    """The option that leads a command to ``state_dir``, quoted for a shell, with a space before it.

    Empty for the default. The path is absolute: the command may be typed elsewhere.
    """
    if state_dir is None or state_dir.absolute() == default_state_dir(environment):
        return ""
    return f" --state-dir {shlex.quote(str(state_dir.absolute()))}"


def way_to(called: str) -> str:
    """How a shell finds this program: its name where it is on the PATH, else the way from here to what was ``called``.

    The name too when it was called in another way, by ``python -m``.
    """
    path = Path(called).absolute()
    if path.name != PROGRAM or not path.exists() or shutil.which(PROGRAM):
        return PROGRAM
    # A name without a slash a shell looks for on the PATH alone.
    return shlex.quote(os.path.join(os.path.relpath(path.parent), PROGRAM))  # noqa: PTH118 - keeps ./
