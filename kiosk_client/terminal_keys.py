"""Keys from a terminal, one by one, with time limits: what ``input`` and ``getpass`` cannot do.

At a door a half-typed PIN must vanish after a while, and the clock on the screen must run on while somebody types. So
the terminal's own line editing and echo are off while this is open, and put back at the end.
"""

from __future__ import annotations

import asyncio
import os
import re
import termios
import tty
from typing import TYPE_CHECKING, Any, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from kiosk_client.server_clock import Clock

CTRL_C, CTRL_D, CTRL_U, BACKSPACES, ENTERS = "\x03", "\x04", "\x15", ("\x7f", "\x08"), ("\r", "\n")

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.|.)?")
"""Arrow and function keys arrive as one burst; none of them means anything here (ECMA-48 §5.4)."""

CLEAR_LINE = "\r\x1b[K"
CLEAR_SCREEN = "\x1b[2J\x1b[3J\x1b[H"
"""The screen and what had scrolled off it: the next person must not see the one before."""


class Leave(Exception):
    """The person at the keyboard ends the program (Ctrl-C, Ctrl-D), or the terminal is gone."""


class Interrupted(Leave):
    """It was Ctrl-C."""


class Idle(Exception):
    """No key for too long."""


class TerminalKeys:
    """Keys of the terminal behind a file descriptor; use as a context manager inside a running event loop."""

    def __init__(self, descriptor: int, screen: TextIO, *, clock: Clock, tick_seconds: float = 1.0) -> None:
        self._descriptor = descriptor
        self._screen = screen
        self._clock = clock
        self._tick_seconds = tick_seconds
        self._keys: list[str] = []
        self._arrived = asyncio.Event()
        self._gone = False
        self._saved: list[Any] | None = None

    def __enter__(self) -> Self:
        self._saved = termios.tcgetattr(self._descriptor)
        tty.setcbreak(self._descriptor, termios.TCSANOW)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)
        if self._saved is not None:
            try:
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved)
            except termios.error:
                return  # the terminal is gone: nothing to put back

    def _read(self) -> None:
        try:
            burst = os.read(self._descriptor, 1024)
        except BlockingIOError:
            return
        except OSError:
            burst = b""
        if not burst:
            self._gone = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._keys.extend(_ESCAPE_SEQUENCE.sub("", burst.decode("utf-8", "ignore")))
        self._arrived.set()

    def forget(self) -> None:
        """Drop what was typed ahead: a key pressed for the last question must not answer the next."""
        self._keys.clear()

    async def key(self, timeout: float) -> str | None:
        """The next key, or None after ``timeout`` seconds. Raises ``Leave``."""
        if not self._keys and not self._gone:
            self._arrived.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._arrived.wait()
            except TimeoutError:
                return None
        if self._keys:
            key = self._keys.pop(0)
            if key == CTRL_C:
                raise Interrupted
            return key
        if self._gone:
            raise Leave
        return None

    async def line(
        self, prompt: Callable[[float], str], *, idle_seconds: float, hidden: bool = False, longest: int = 12
    ) -> str:
        """Digits typed up to Enter; ``hidden`` shows ``*`` for each.

        ``prompt`` is drawn again every second; it is given the seconds left until idle. Every key begins the idle time
        anew. Raises ``Idle`` after ``idle_seconds`` without a key (what was typed is gone), ``Leave``.
        """
        typed = ""
        last_key_at = self._clock()
        while True:
            left = idle_seconds - (self._clock() - last_key_at)
            if left <= 0:
                self.write(CLEAR_LINE)
                raise Idle
            self.write(f"{CLEAR_LINE}{prompt(left)}{'*' * len(typed) if hidden else typed}")
            key = await self.key(min(self._tick_seconds, left))
            if key is None:
                continue
            last_key_at = self._clock()
            if key in ENTERS:
                self.write("\r\n")
                return typed
            if key == CTRL_D and not typed:
                raise Leave
            typed = _edited(typed, key)[:longest]

    async def pause(self, seconds: float, prompt: Callable[[float], str]) -> bool:
        """Wait ``seconds`` or for any key, whichever is first; True when a key ended it. Raises ``Leave``."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            self.write(f"{CLEAR_LINE}{prompt(left)}")
            key = await self.key(min(self._tick_seconds, left))
            if key == CTRL_D:
                raise Leave
            if key is not None:
                self.write(CLEAR_LINE)
                return True
        self.write(CLEAR_LINE)
        return False

    def write(self, text: str) -> None:
        """Put ``text`` on the screen at once."""
        self._screen.write(text)
        self._screen.flush()


def _edited(typed: str, key: str) -> str:
    """``typed`` after one more key; what is no digit has no effect."""
    if key in BACKSPACES:
        return typed[:-1]
    if key == CTRL_U:
        return ""
    return typed + key if key.isascii() and key.isdigit() else typed
