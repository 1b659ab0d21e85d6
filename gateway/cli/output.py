"""What commands print: sentences and tables for people, JSON for scripts.

Colours only on a terminal (and not with NO_COLOR), and nothing that people typed is read as markup. Into a pipe a table
is as wide as its content, so that `grep` and `cut` find whole values.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer

from gateway.cli.refusals import Refusal, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from rich.console import Console

PIPE_WIDTH: Final = 10_000
"""Columns of a table nobody looks at directly."""


def say(text: str = "") -> None:
    """One line for people on stdout."""
    typer.echo(text)


def hint(text: str) -> None:
    """One line for people on stderr, so that it never mixes with what a script reads."""
    typer.echo(text, err=True)


def emit_json(value: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def emit_items(items: Sequence[dict[str, Any]], next_cursor: str | None = None) -> None:
    """A list the way the HTTP interface answers one."""
    emit_json({"items": items} | ({} if next_cursor is None else {"next_cursor": next_cursor}))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, empty: str, companies: Sequence[str] = ()) -> None:
    """A table, or the sentence `empty` when there are no rows. `companies`: whose each row is, if need be."""
    from rich.table import Table
    from rich.text import Text

    if companies:
        headings = ("Company", *headings)
        rows = [(company, *row) for company, row in zip(companies, rows, strict=True)]
    lines = [[Text(cell) for cell in row] for row in rows]
    if not lines:
        say(empty)
        return
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        # Nothing is cut off: what somebody may have to type again least of all.
        drawn.add_column(heading, overflow="fold", no_wrap=heading == "Id")
    for line in lines:
        drawn.add_row(*line)
    console().print(drawn, soft_wrap=False)


def console(*, stderr: bool = False) -> Console:
    """A rich console for what stdout (or stderr) is at this moment."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def local_time(at: float | None, missing: str = "", zone: ZoneInfo | None = None) -> str:
    """An instant (Unix seconds) in `zone`, or this machine's time zone, to the minute."""
    return missing if at is None else datetime.fromtimestamp(at, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def rfc3339(at: float | None) -> str | None:
    """An instant (Unix seconds) for scripts."""
    from gateway.http.models import rfc3339 as written

    return None if at is None else written(at)


def ask(question: str, *, hide: bool = False, twice: bool = False, option: str = "an option (see --help)") -> str:
    """Ask a person, `twice` for what cannot be seen; refused as wrong use, naming `option`, when nobody is there."""
    if not sys.stdin.isatty():
        raise WrongUse(f"{question}: nobody is there to answer; give it as {option}")
    return str(typer.prompt(question, hide_input=hide, confirmation_prompt=twice, err=True))


def confirm(question: str, *, yes: bool) -> None:
    """Let a person at a terminal think again; scripts and `--yes` mean what they say. Raises Refusal on "no"."""
    if not yes and sys.stdin.isatty() and not typer.confirm(question, err=True):
        raise Refusal("nothing was done")
