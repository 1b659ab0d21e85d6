"""Where a terminal's state is kept, and how a command that is advised finds it again."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

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
