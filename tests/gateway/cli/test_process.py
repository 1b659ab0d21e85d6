"""The real program in a process of its own: what a shell and a person at a terminal see."""

from __future__ import annotations

import os
import pty
import signal
import termios
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.gateway.serving_process import from_nothing, stampgate

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from tests.gateway.cli.command_line import Shell


class Terminal:
    """A terminal with a person in front of it, who reads before typing."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = shell.fork(*arguments, terminal=theirs)
        os.close(theirs)
        self.seen = ""
        self._read_to = 0

    def wait_for(self, text: str) -> None:
        """Read on until `text` comes: what was waited for earlier is not found again."""
        while (at := self.seen.find(text, self._read_to)) < 0:
            data = self._read()
            assert data, f"ended without {text!r}: {self.seen}"
        self._read_to = at + len(text)

    def wait_until_hidden(self) -> None:
        """Wait until what is typed is not shown: whatever is typed earlier is thrown away."""
        deadline = time.monotonic() + 30
        while termios.tcgetattr(self._ours)[3] & termios.ECHO:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def type_hidden(self, question: str, line: str) -> None:
        self.wait_for(question)
        self.wait_until_hidden()
        self.type(line)

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        os.close(self._ours)

    def _read(self) -> str:
        try:
            text = os.read(self._ours, 4096).decode(errors="replace")
        except OSError:  # Linux says EIO when the other side is gone
            return ""
        self.seen += text
        return text


@pytest.fixture
def with_anna(ready: Shell) -> Shell:
    ready.ok("user", "add", "Anna", "--number", "1042")
    return ready


@pytest.fixture
def at_a_terminal(with_anna: Shell) -> Iterator[Callable[..., Terminal]]:
    with ExitStack() as opened:

        def start(*arguments: str) -> Terminal:
            terminal = Terminal(with_anna, *arguments)
            opened.callback(terminal.close)
            return terminal

        yield start


def run(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    return stampgate(*arguments, settings=shell.environment)


def test_exit_codes_reach_the_shell(with_anna: Shell) -> None:
    assert run(with_anna, "user", "list").returncode == 0
    assert run(with_anna, "user", "set-pin", "7").returncode == 1
    wrong = run(with_anna, "user", "nonsense")
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)


def test_colours_are_for_terminals_only(with_anna: Shell, at_a_terminal: Callable[..., Terminal]) -> None:
    assert "\x1b[" not in run(with_anna, "user", "list").stdout
    terminal = at_a_terminal("user", "list")
    assert terminal.end() == 0
    assert "\x1b[" in terminal.seen


def test_a_chosen_pin_is_asked_for_and_not_shown(at_a_terminal: Callable[..., Terminal]) -> None:
    terminal = at_a_terminal("user", "set-pin", "1042", "--ask")
    terminal.type_hidden("New PIN", "739142")
    terminal.type_hidden("Repeat for confirmation", "739143")
    terminal.wait_for("do not match")
    terminal.type_hidden("New PIN", "739142")
    terminal.type_hidden("Repeat for confirmation", "739142")
    assert terminal.end() == 0
    assert "73914" not in terminal.seen
    assert "The PIN of Anna is set." in terminal.seen


def test_ctrl_c_at_a_question_ends_at_once(with_anna: Shell, at_a_terminal: Callable[..., Terminal]) -> None:
    terminal = at_a_terminal("user", "set-pin", "1042", "--ask")
    terminal.wait_for("New PIN")
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert "Traceback" not in terminal.seen
    assert not with_anna.ok("user", "list", "--json").items[0]["has_pin"]


def test_a_revocation_is_asked_for_at_a_terminal_and_no_means_no(
    with_anna: Shell, at_a_terminal: Callable[..., Terminal]
) -> None:
    with_anna.ok("device", "add", "Gate 1")
    terminal = at_a_terminal("device", "revoke", "Gate 1")
    terminal.wait_for("for good?")
    terminal.type("n")
    assert terminal.end() == 1
    assert "nothing was done" in terminal.seen
    assert with_anna.ok("device", "list", "--json").items[0]["state"] == "registered"


def test_a_reader_who_has_seen_enough_is_no_error(with_anna: Shell) -> None:
    """Python complains at its end, so it is one that starts and ends by itself."""
    reading, writing = os.pipe()
    os.close(reading)
    ran = from_nothing("user", "list", "--json", settings=with_anna.environment, stdout=writing)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_a_terminal_that_knows_only_ascii_gets_its_list(with_anna: Shell) -> None:
    with_anna.ok("user", "add", "Jörg Ünal", "--number", "7")
    with_anna.environment["PYTHONIOENCODING"] = "ascii"
    listed = run(with_anna, "user", "list")
    assert listed.returncode == 0
    assert "\\xf6rg" in listed.stdout
    added = run(with_anna, "device", "add", "Gate 1")
    assert added.returncode == 0
    assert "\\u2588" not in added.stdout
