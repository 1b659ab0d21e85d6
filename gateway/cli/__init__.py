"""The command line: `stampgate <group> <command>`.

It only writes SQL, so it works beside a running gateway: whatever concerns trust is committed together with a row that
every gateway process reads within a moment. Exit codes: 0 done, 1 failed, 2 wrongly used, 130 interrupted; whatever
goes wrong is one line on stderr.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.commands import DataDir, chosen_data_dir
from gateway.cli.refusals import FAILURE, INTERRUPTED, WRONG_USE, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS: Final = (
    "demo",
    "init",
    "serve",
    "company",
    "user",
    "device",
    "public_link",
    "stamp",
    "lockout",
    "audit",
    "db",
    "backup",
    "tls",
    "doctor",
)
"""Modules beside this one, in the order of `--help`; each has `register(app)`."""


def build() -> typer.Typer:
    """The whole command line. Its modules import what they work with only when a command runs."""
    app = typer.Typer(
        name="stampgate",
        help="A time-stamping gateway: wall terminals that sign, private phones with a PIN.",
        epilog="Example:  stampgate init && stampgate serve",
        rich_markup_mode="rich",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def choose(
        data_dir: DataDir = None,
        version: Annotated[
            bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
        ] = False,
    ) -> None:
        chosen_data_dir.set(data_dir)

    for name in GROUPS:
        import_module(f"gateway.cli.{name}").register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stampgate {version('stampgate')}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. `arguments` of None means those of the process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding cannot show is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`). Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    return code


_command = functools.cache(lambda: typer.main.get_command(build()))
"""Built once in a process, for those who run many commands in one."""


def _run(arguments: Sequence[str] | None) -> int:
    command = _command()
    try:
        outcome = command.main(args=arguments, prog_name="stampgate", standalone_mode=False)
    except typer.Abort:
        # Ctrl-C or the end of input, where something was asked.
        return INTERRUPTED
    except typer.Exit as ended:
        return ended.exit_code
    except Exception as error:  # noqa: BLE001 the one place where every error becomes a line
        text, code = explain(error)
        # Without arguments the help has been printed already, and there is nothing to add.
        if text:
            typer.echo(f"stampgate: {text}{_where_to_look(error) if code == WRONG_USE else ''}", err=True)
        return code
    return outcome if isinstance(outcome, int) else 0


def _where_to_look(error: Exception) -> str:
    """What to type to learn how it is meant, where the parser knows which command it was."""
    context = getattr(error, "ctx", None)
    return "" if context is None else f" (see `{context.command_path} --help`)"
