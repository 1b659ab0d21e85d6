"""``stampgate-kiosk clock``: the clock on the whole screen, or line by line where there is none."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

import typer

from kiosk_client.clock_prompt import ClockPrompt
from kiosk_client.parts import ceremony_of, client_of, key_change_of
from kiosk_client.terminal_keys import CLEAR_SCREEN, Interrupted, Leave, TerminalKeys

if TYPE_CHECKING:
    from pathlib import Path

    from kiosk_client.client import KioskClient
    from kiosk_client.key_store import KeyStore
    from kiosk_client.wording import CommandLine

TERMINAL_GONE: Final = 128 + signal.SIGHUP
"""The exit code when the terminal went away, as a shell tells it of what the news ended."""

SCREEN_WRITER: Final = "textual-output"
"""The name of the thread in which Textual writes to the terminal."""


async def on_the_screen(
    store: KeyStore, ca_file: Path | None, language: str | None, command_line: CommandLine, *, ascii_only: bool
) -> bool:
    """Run it on the whole screen; returns whether Ctrl-C ended it."""
    for name in [name for name in os.environ if name.startswith("TEXTUAL")]:
        del os.environ[name]  # its logs and development tools would record keys
    from kiosk_client.clock_app import ClockApp  # half a second that no other command needs
    from kiosk_client.clock_face import ASCII, glyphs_for
    from kiosk_client.door import Door, Parts

    parts = Parts(
        store=store,
        enrolment=ceremony_of(store),
        make_client=lambda stored: client_of(stored, ca_file),
        make_key_change=lambda client: key_change_of(store, client),
    )
    fraction = random.SystemRandom().random
    door = Door(parts, clock=time.monotonic, fraction=fraction, language=language, command_line=command_line)
    glyphs = ASCII if ascii_only else glyphs_for(sys.stdout.encoding, os.environ.get("TERM"))
    screen = ClockApp(door, glyphs)
    usual, threading.excepthook = threading.excepthook, _end_with_the_terminal
    try:
        await screen.run_async(mouse=False)
    finally:
        threading.excepthook = usual
        await door.close()
    if os.environ.get("TERM") == "linux":
        typer.echo(CLEAR_SCREEN, nl=False)  # older consoles have no alternate screen: a name would stay
    if screen.broken is not None:
        raise screen.broken
    typer.echo(door.wording.goodbye)
    return screen.interrupted


def _end_with_the_terminal(failed: threading.ExceptHookArgs) -> None:
    """End at once when the screen can no longer be written to, which a thread of its own does.

    Everybody who draws would wait for that thread for ever, deaf to signals and with the key's lock in hand. Nothing is
    lost that a power cut would not lose.
    """
    if failed.thread is not None and failed.thread.name == SCREEN_WRITER:
        os._exit(TERMINAL_GONE)
    threading.__excepthook__(failed)


async def line_by_line(store: KeyStore, client: KioskClient, language: str | None, command_line: CommandLine) -> bool:
    """Run it line by line; returns whether Ctrl-C ended it."""
    received = set[signal.Signals]()
    async with client:
        with TerminalKeys(sys.stdin.fileno(), sys.stdout, clock=time.monotonic) as keys:
            key_change = key_change_of(store, client)
            prompt = ClockPrompt(client, keys, language=language, command_line=command_line, key_change=key_change)
            running = asyncio.create_task(prompt.run())

            def end(number: signal.Signals) -> None:
                received.add(number)
                running.cancel()

            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, end, number)
            try:
                await running
            except (Leave, asyncio.CancelledError) as left:
                prompt.say_goodbye()
                return isinstance(left, Interrupted) or signal.SIGINT in received
