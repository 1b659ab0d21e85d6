"""The clock on the whole screen of a terminal, with Textual: keys in, lines out; what it means is in ``door``.

There is no input field, so no widget ever holds a number or a PIN, and no traceback is drawn: Textual's shows local
variables. Everything is drawn on the alternate screen, which has no scrollback.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding
from textual.widgets import Static

from kiosk_client.clock_face import page
from kiosk_client.door import CANCEL, DELETE, ENTER

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.events import Key, Resize

    from kiosk_client.clock_face import Glyphs
    from kiosk_client.door import Door

TICK_SECONDS = 0.25
"""Often enough for a second hand that does not stumble."""

KEYS = {
    "enter": ENTER,
    "backspace": DELETE,
    "delete": DELETE,
    "minus": DELETE,
    "full_stop": DELETE,
    "comma": DELETE,
    "escape": CANCEL,
    "asterisk": CANCEL,
    "slash": CANCEL,
}
"""What a keypad has besides its digits; the decimal key differs by layout."""


class ClockApp(App[None]):
    """One door on one screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { background: ansi_default; color: ansi_default; overflow: hidden; }
    #page { width: 100%; height: 100%; background: ansi_default; color: ansi_default; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", show=False, priority=True),
        Binding("ctrl+d", "leave", show=False, priority=True),
        Binding("ctrl+q", "leave", show=False, priority=True),
    ]

    def __init__(self, door: Door, glyphs: Glyphs) -> None:
        super().__init__(ansi_color=True)
        self._door = door
        self._glyphs = glyphs
        self._shown = ""
        self._leaving = False
        self.broken: Exception | None = None
        self.interrupted = False
        """Whether it was Ctrl-C that ended it."""

    def compose(self) -> ComposeResult:
        """One page; nothing on it can be focused."""
        yield Static(id="page", markup=False)

    def on_mount(self) -> None:
        """Begin to tick, and end cleanly when told to from outside."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, lambda: self.run_worker(self.action_interrupt(), exit_on_error=False))
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, lambda: self.run_worker(self.action_leave(), exit_on_error=False))
        self.set_interval(TICK_SECONDS, self.tick)
        self.tick()

    def tick(self) -> None:
        """Let time pass at the door and draw what changed."""
        if not self._leaving:
            self._door.tick()
            self.draw()

    def draw(self) -> None:
        """Draw the page anew where it differs from what is shown."""
        drawn = page(self._door, self.size.width, self.size.height, self._glyphs)
        if drawn.markup != self._shown:
            for static in self.query("#page").results(Static):
                self._shown = drawn.markup
                static.update(drawn)

    def on_key(self, event: Key) -> None:
        """Hand a key to the door."""
        event.stop()
        character = event.character or ""
        self._door.press(KEYS.get(event.key) or (character if character.isascii() and character.isdigit() else "other"))
        self.draw()

    def on_resize(self, _: Resize) -> None:
        """The page depends on the size."""
        self.draw()

    async def action_interrupt(self) -> None:
        """Leave by Ctrl-C."""
        self.interrupted = self.interrupted or not self._leaving
        await self.action_leave()

    async def action_leave(self) -> None:
        """Sign out, hang up, give the terminal back."""
        if not self._leaving:
            self._leaving = True
            await self._door.close()
            self.draw()  # without whoever stood there: some consoles keep the last page
            self.exit()

    def _handle_exception(self, error: Exception) -> None:
        """End without drawing a traceback: it would show local variables, and so what somebody typed."""
        self.broken = error
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()
