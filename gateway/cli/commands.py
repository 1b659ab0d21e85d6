"""The one shape of every command: settings read, services opened, work done, everything closed.

A command is an async function whose first parameter is what it works with (`Administration`, or `Settings` for those
that run before there is a database); the rest are its arguments and options. `--data-dir` is added to each, because
people write it where they think of it.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Final, ParamSpec, get_type_hints

import typer

from gateway.cli.refusals import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from types import FrameType

    from gateway.administration import Administration
    from gateway.settings import Settings

P = ParamSpec("P")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where secrets and the SQLite database are.", show_default=False),
]
Company = Annotated[
    str | None,
    typer.Option("--company", metavar="COMPANY", help="Name or id; needed when there are several.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]

ACTOR: Final = "cli"
"""Who the audit trail says has done it."""

chosen_data_dir: ContextVar[Path | None] = ContextVar("chosen_data_dir", default=None)


def group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """A group of commands, `stampgate <name> …`."""
    commands = typer.Typer(name=name, help=text, rich_markup_mode="rich")
    app.add_typer(commands)
    return commands


def administration_command(
    commands: typer.Typer, name: str, *, example: str
) -> Callable[
    [Callable[Concatenate[Administration, P], Awaitable[None]]],
    Callable[Concatenate[Administration, P], Awaitable[None]],
]:
    """Register a command that works with the services of an initialised gateway, running or not."""

    def register(
        work: Callable[Concatenate[Administration, P], Awaitable[None]],
    ) -> Callable[Concatenate[Administration, P], Awaitable[None]]:
        async def run(settings: Settings, *arguments: P.args, **options: P.kwargs) -> None:
            from gateway.administration import open_administration

            async with open_administration(settings, prepare=False) as administration:
                await work(administration, *arguments, **options)

        _register(commands, name, example, work, run)
        return work

    return register


def settings_command(
    commands: typer.Typer, name: str, *, example: str
) -> Callable[
    [Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]]],
    Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]],
]:
    """Register a command that needs nothing but the settings."""

    def register(
        work: Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]],
    ) -> Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]]:
        _register(commands, name, example, work, work)
        return work

    return register


def settings_default(
    commands: typer.Typer, *, example: str
) -> Callable[
    [Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]]],
    Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]],
]:
    """Register what a group does when none of its commands is named."""

    def register(
        work: Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]],
    ) -> Callable[Concatenate[Settings, P], Coroutine[Any, Any, None]]:
        plain = _plain(work, work)

        def unless_named(context: typer.Context, **arguments: Any) -> None:
            if context.invoked_subcommand is None:
                plain(**arguments)
            elif arguments["data_dir"] is not None:
                chosen_data_dir.set(arguments["data_dir"])

        own = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
        shown = inspect.signature(plain).parameters.values()
        unless_named.__signature__ = inspect.Signature([own, *shown])  # type: ignore[attr-defined]
        unless_named.__annotations__ = {"context": typer.Context, **plain.__annotations__}
        commands.callback(invoke_without_command=True, help=inspect.getdoc(work), epilog=f"Example:  {example}")(
            unless_named
        )
        return work

    return register


def load_settings() -> Settings:
    """The settings of this call: the environment, the file, and `--data-dir` over both. Raises SettingsError."""
    from gateway.settings import Settings

    data_dir = chosen_data_dir.get()
    return Settings.load() if data_dir is None else Settings.load(data_dir=data_dir)


INTERRUPT_SECONDS: Final = 5.0
"""How long a command may take to clean up after Ctrl-C."""


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let the first Ctrl-C count: asyncio's own handler leaves a prompt waiting until there is a second one."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's matter
        return
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End the command; what does not come to its end within a moment (a connection that hangs) is left alone."""
    last_resort = threading.Timer(INTERRUPT_SECONDS, os._exit, (INTERRUPTED,))
    last_resort.daemon = True
    last_resort.start()
    raise KeyboardInterrupt


def _register(
    commands: typer.Typer,
    name: str,
    example: str,
    work: Callable[..., object],
    run: Callable[..., Coroutine[Any, Any, None]],
) -> None:
    """Hand typer the command."""
    commands.command(name, help=inspect.getdoc(work), epilog=f"Example:  {example}")(_plain(work, run))


def _plain(work: Callable[..., object], run: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Return what typer reads: a function with the parameters of `work` but the first, and `--data-dir`."""

    def command(data_dir: Path | None, **arguments: object) -> None:
        if data_dir is not None:
            chosen_data_dir.set(data_dir)
        with _interrupted_at_once():
            asyncio.run(run(load_settings(), **arguments))

    _, *parameters = inspect.signature(work).parameters.values()
    # The first parameter's type is imported by type checkers only; typer never sees it.
    hints = get_type_hints(work, localns={"Administration": object, "Settings": object}, include_extras=True)
    hints["data_dir"] = DataDir
    data_dir = inspect.Parameter("data_dir", inspect.Parameter.KEYWORD_ONLY, default=None)
    shown = [
        parameter.replace(annotation=hints[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in (*parameters, data_dir)
    ]
    command.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: hints[parameter.name] for parameter in shown}
    return command
