"""Where a PIN may come from: a hidden prompt, standard input, a file. Never the command line, which others can see."""

from __future__ import annotations

import stat
import sys
from typing import TYPE_CHECKING

import typer

from kiosk_client.errors import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_FILE = 1024
"""Bytes read of a PIN file; a PIN has 12 digits at most."""


def read_pin(*, from_stdin: bool, file: Path | None) -> str:
    """The PIN as digits. Raises ``WrongUse`` when there is none, or nobody to ask."""
    if from_stdin and file is not None:
        raise WrongUse("Give --pin-stdin or --pin-file, not both")
    if from_stdin:
        text = sys.stdin.readline(LONGEST_FILE)
    elif file is not None:
        text = _read_file(file)
    elif sys.stdin.isatty():
        text = str(typer.prompt("PIN", hide_input=True, err=True))
    else:
        raise WrongUse("There is no terminal to ask for the PIN: use --pin-stdin or --pin-file")
    pin = text.strip()
    if not (pin.isascii() and pin.isdigit() and len(pin) <= 12):
        raise WrongUse("A PIN has 6 to 12 digits")
    return pin


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST_FILE)
            mode = path.stat().st_mode
    except OSError as fault:
        raise WrongUse(f"{path}: {fault.strerror}") from None
    if stat.S_ISREG(mode) and mode & 0o077:
        typer.echo(f"Note: {path} may be read by others; chmod 600 {path}", err=True)
    return content.decode("ascii", "replace").partition("\n")[0]
