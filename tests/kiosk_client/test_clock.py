from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import signal
import termios
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest

from kiosk_client.clock_prompt import ClockPrompt, Timing, zone_of
from kiosk_client.terminal_keys import Interrupted, Leave, TerminalKeys
from tests.gateway.forked import Forked
from tests.kiosk_client.fake_gateway import FakeGateway, Refused

if TYPE_CHECKING:
    from kiosk_client import KeyStore, KioskClient, StoredKey

NUMBER, PIN = "0042", "271828"
QUICK = Timing(idle=5.0, confirmation=5.0, probe=60.0, retry=0.02, longest_retry=0.05)


class Door:
    """A clock on a real pseudo-terminal, and somebody standing before it."""

    def __init__(self, client: KioskClient, timing: Timing, language: str | None) -> None:
        self._client, self._timing, self._language = client, timing, language
        self.master, self._slave = pty.openpty()
        self.screen = io.StringIO()
        self._read_to = 0
        self.running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        with TerminalKeys(self._slave, self.screen, clock=time.monotonic, tick_seconds=0.05) as keys:
            await ClockPrompt(self._client, keys, language=self._language, timing=self._timing).run()

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def shows(self, text: str) -> str:
        """Wait until ``text`` appears after what was waited for before; returns what stood in between."""
        async with asyncio.timeout(8):
            while (found := self.screen.getvalue().find(text, self._read_to)) < 0:
                if self.running.done():
                    self.running.result()
                await asyncio.sleep(0.005)
        between = self.screen.getvalue()[self._read_to : found]
        self._read_to = found + len(text)
        return between

    async def sign_in(self, number: str = NUMBER, pin: str = PIN) -> None:
        await self.shows("Personnel number: ")
        self.press(f"{number}\r")
        await self.shows("PIN")
        self.press(f"{pin}\r")

    async def leave(self) -> None:
        self.press("\x04")
        with pytest.raises(Leave):
            await self.running

    async def close(self) -> None:
        if not self.running.done():
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)
        os.close(self.master)
        os.close(self._slave)


OpenDoor = Callable[..., Door]


@pytest.fixture
async def open_door(client: KioskClient) -> AsyncIterator[OpenDoor]:
    doors: list[Door] = []

    def opened(timing: Timing = QUICK, language: str | None = None) -> Door:
        doors.append(Door(client, timing, language))
        return doors[-1]

    yield opened
    for door in doors:
        await door.close()


async def test_a_person_clocks_in_takes_a_break_and_goes(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.people[NUMBER].failed = 2
    gateway.people[NUMBER].worked = 27_180
    gateway.people[NUMBER].clock_out_missing = True
    door = open_door()
    await door.shows("Brot & Co")
    await door.shows("Door 1 · Hall")
    for choice, stamped in [("Clock in", "Clocked in"), ("Start break", "Break started"), ("End break", "Break ended")]:
        await door.sign_in()
        await door.shows("Ada Example")
        await door.shows(choice)
        door.press("1\r")
        await door.shows(f"✔ {stamped} at ")
        await door.shows("Signing out in 5 s")
        door.press(" ")
    await door.sign_in()
    between = await door.shows("2\x1b[0m  Clock out")
    assert "In since" in between
    assert "Worked today: 7 h 33 min" in between
    assert "Your last clock-out is missing" in between
    assert "Failed attempts" not in between  # there were none
    await door.shows("0\x1b[0m  Done")
    door.press("2\r")
    await door.shows("Clocked out at")
    door.press(" ")
    await door.shows("Personnel number")
    assert "Failed attempts since your last sign-in: 2" in door.screen.getvalue()
    assert [stamp["action"] for stamp in gateway.people[NUMBER].stamps.values()] == [
        "clock_in",
        "break_start",
        "break_end",
        "clock_out",
    ]
    assert gateway.sessions == {}
    assert len(gateway.heartbeats) == 1
    await door.leave()


async def test_the_pin_is_never_on_the_screen(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.sign_in()
    await door.shows("Ada Example")
    assert PIN not in door.screen.getvalue()
    assert "******" in door.screen.getvalue()


@pytest.mark.parametrize(("locale", "option"), [("de-AT", None), ("en", "de")])
async def test_german_by_the_company_or_by_choice(
    gateway: FakeGateway, open_door: OpenDoor, locale: str, option: str | None
) -> None:
    gateway.locale = locale
    gateway.people[NUMBER].state = "in"
    door = open_door(language=option)
    await door.shows("Personalnummer: ")
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press("111111\r")
    await door.shows("Nummer oder PIN ist falsch")
    await door.shows("Personalnummer: ")
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press(f"{PIN}\r")
    await door.shows("Anwesend seit")
    await door.shows("Fehlversuche seit der letzten Anmeldung: 1")
    await door.shows("Pause beginnen")
    await door.shows("Gehen")
    await door.shows("Fertig")
    door.press("2\r")
    await door.shows("Gehen um")


async def test_english_may_be_chosen_in_a_german_company(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.locale = "de"
    await open_door(language="en").shows("Personnel number")


async def test_done_and_wrong_choices(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    for wrong in ("9\r", "2\r", "\r"):
        door.press(wrong)
        await door.shows("Please type one of the numbers shown.")
    door.press("0\r")
    await door.shows("Personnel number")
    assert gateway.sessions == {}
    assert gateway.people[NUMBER].stamps == {}


async def test_keys_that_mean_nothing_do_nothing(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.shows("Personnel number: ")
    door.press("99\x15\x1b[A\x1bOP00x4ä5\x7f2\r")
    await door.shows("PIN")
    door.press(f"{PIN}\r")
    await door.shows("Ada Example")


async def test_an_empty_pin_leads_back(open_door: OpenDoor) -> None:
    door = open_door()
    await door.sign_in(pin="")
    await door.shows("Personnel number: ")


async def test_idle_signs_out_and_half_typed_input_vanishes(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door(Timing(idle=0.3, confirmation=0.2, retry=0.02))
    await door.shows("Personnel number: ")
    door.press("12")
    await door.shows("Personnel number: 12")
    await door.shows("\r\x1b[K\r")  # gone
    await asyncio.sleep(0.05)
    assert not door.screen.getvalue().endswith("12")
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press("27")
    await door.shows("Personnel number: ")
    await door.sign_in()
    await door.shows("Your choice")
    await door.shows("Personnel number: ")
    assert gateway.sessions == {}
    await door.sign_in()
    await door.shows("Your choice")
    door.press("1\r")
    await door.shows("Clocked in")
    await door.shows("Signed out.")
    await door.shows("\x1b[2J")  # nothing of a person stays
    assert gateway.sessions == {}


async def test_a_lost_answer_is_repeated_without_a_word(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.faults.drop_after["/action"] = 1
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    door.press("1\r")
    await door.shows("Clocked in at")
    assert len(gateway.people[NUMBER].stamps) == 1


async def test_a_stamp_nobody_can_be_sure_of_is_told(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.faults.drop_after["/action"] = 3
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    door.press("1\r")
    await door.shows("not certain whether the stamp was recorded")
    door.press(" ")
    await door.sign_in()
    await door.shows("In since")


@pytest.mark.parametrize("hidden", [True, False])
async def test_stamped_at_another_terminal_meanwhile(gateway: FakeGateway, open_door: OpenDoor, hidden: bool) -> None:
    gateway.faults.hide_status = hidden
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    gateway.people[NUMBER].state = "in"
    door.press("1\r")
    await door.shows("That does not fit the present state.")
    await door.shows("Start break")


async def test_a_session_that_ended_is_told(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    gateway.sessions.clear()
    door.press("1\r")
    await door.shows("The session has ended. Please sign in again.")
    door.press(" ")
    await door.shows("Personnel number")


@pytest.mark.parametrize("pin", ["111111", "12"])
async def test_a_wrong_login_leads_back(gateway: FakeGateway, open_door: OpenDoor, pin: str) -> None:
    door = open_door()
    await door.sign_in(pin=pin)
    await door.shows("Number or PIN is wrong.")
    await door.sign_in()
    await door.shows("Ada Example")


async def test_a_lock_says_until_when(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.faults.refuse["/auth"] = Refused("login-throttled", 429, headers={"Retry-After": "300"})
    door = open_door()
    await door.sign_in()
    ends = time.time() + 300
    await door.shows("Too many wrong tries. Try again at ")
    shown = await door.shows(".")
    minutes = {time.strftime("%M", time.gmtime(ends + 59 + late)) for late in (0, 5)}  # Berlin: whole hours from UTC
    assert shown[2:] in {f":{minute}" for minute in minutes}
    await door.shows("Personnel number")


async def test_a_busy_gateway_is_told(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.shows("Personnel number: ")
    gateway.faults.busy, gateway.faults.busy_retry_after = 1, "20"
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press(f"{PIN}\r")
    await door.shows("The gateway is busy.")
    await door.shows("Personnel number")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ("suspended", "is suspended"),
        ("revoked", "was revoked"),
        ("expired", "key has expired"),
        ("pending", "waits for"),
    ],
)
async def test_a_terminal_that_may_not_serve_says_so_and_comes_back(
    gateway: FakeGateway, open_door: OpenDoor, state: str, text: str
) -> None:
    door = open_door()
    await door.shows("Personnel number: ")
    gateway.only_device().state = state
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press(f"{PIN}\r")
    await door.shows(text)
    await door.shows("Out of service")
    gateway.only_device().state = "active"
    await door.sign_in()
    await door.shows("Ada Example")


async def test_a_suspension_is_noticed_while_nobody_comes(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door(Timing(probe=0.2, retry=0.02))
    await door.shows("Personnel number: ")
    gateway.only_device().state = "suspended"
    await door.shows("Out of service")
    await door.leave()


async def test_a_gateway_that_goes_away_and_comes_back(gateway: FakeGateway, open_door: OpenDoor) -> None:
    door = open_door()
    await door.shows("Personnel number: ")
    await gateway.stop()
    door.press(f"{NUMBER}\r")
    await door.shows("PIN")
    door.press(f"{PIN}\r")
    await door.shows("cannot be reached")
    await door.shows("Out of service")
    door.press(" ")
    await gateway.start()
    await door.sign_in()
    await door.shows("Ada Example")


async def test_a_wrong_clock_is_told_and_the_right_time_shown(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.clock_ahead = 7200.0
    door = open_door()
    await door.shows("own clock is 7")
    gateway.faults.clock_skew = 1000
    await door.sign_in()
    await door.shows("clock cannot be brought into line")
    gateway.faults.clock_skew = 0
    await door.shows("Personnel number")


async def test_another_gateway_is_not_given_a_pin(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.other_keyid = "x" * 43
    door = open_door()
    await door.shows("Do not type a PIN")
    assert gateway.seen("/auth") == 0


@pytest.mark.parametrize("key", ["\x04", "\x03"])
async def test_leaving_in_the_middle_signs_out(gateway: FakeGateway, open_door: OpenDoor, key: str) -> None:
    door = open_door()
    await door.sign_in()
    await door.shows("Your choice")
    await asyncio.sleep(0.05)
    if key == "\x03":  # no controlling terminal here, so the key arrives as a key
        attributes = termios.tcgetattr(door.master)
        attributes[3] &= ~termios.ISIG
        termios.tcsetattr(door.master, termios.TCSANOW, attributes)
    door.press(key)
    with pytest.raises(Leave) as left:
        await door.running
    assert isinstance(left.value, Interrupted) == (key == "\x03")
    assert gateway.sessions == {}


async def test_a_name_cannot_steer_the_terminal(gateway: FakeGateway, open_door: OpenDoor) -> None:
    gateway.people[NUMBER].name = "Eve\x1b]0;owned\x07"
    door = open_door()
    await door.sign_in()
    await door.shows("Eve]0;owned")


def test_an_unknown_time_zone_is_utc() -> None:
    assert zone_of("Mars/Olympus").utcoffset(None) is not None
    assert zone_of("../etc/passwd").utcoffset(None) is not None


class Terminal:
    """The real command on a pseudo-terminal of its own."""

    def __init__(self, *arguments: str, controlled: bool = True) -> None:
        self.master, slave = pty.openpty()
        self._process = Forked(
            arguments, environment=os.environ, terminal=slave, controlled=controlled, program="stampgate-kiosk"
        )
        os.close(slave)
        self.pid = self._process.pid
        self.seen = ""
        fcntl.fcntl(self.master, fcntl.F_SETFL, os.O_NONBLOCK)

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(15):
            while text not in self.seen:
                try:
                    self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
                except BlockingIOError:
                    pass
                except OSError:
                    raise AssertionError(f"it ended without showing {text!r}: {self.seen!r}") from None
                await asyncio.sleep(0.01)
        self.seen = self.seen.partition(text)[2]

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    async def exit_code_without_it(self) -> int:
        """Take the terminal away and wait for the end."""
        os.close(self.master)
        return await asyncio.to_thread(self._process.wait, 15)

    async def exit_code(self) -> int:
        async with asyncio.timeout(15):
            while True:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self.master, 65_536).decode("utf-8", "replace")
                code = self._process.poll()
                if code is not None:
                    self.left_with = termios.tcgetattr(self.master)
                    os.close(self.master)
                    return code
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("language", "number", "action", "stamped", "end", "ended", "code"),
    [
        ("en", "Personnel number", "Clock in", "Clocked in at", "\x03", "Clock ended.", 130),
        ("de", "Personalnummer", "Kommen", "Kommen um", "\x04", "Uhr beendet.", 0),
    ],
)
async def test_the_command_serves_a_person_and_ctrl_d_is_its_ordinary_end_and_ctrl_c_an_interruption(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, language: str, number: str, action: str, stamped: str,
    end: str, ended: str, code: int,
) -> None:  # fmt: skip
    terminal = Terminal("clock", "--plain", "--lang", language)
    before = termios.tcgetattr(terminal.master)
    await terminal.shows(f"{number}: ")
    terminal.press(f"{NUMBER}\r")
    await terminal.shows("PIN")
    terminal.press(f"{PIN}\r")
    await terminal.shows(action)
    terminal.press("1\r")
    await terminal.shows(stamped)
    terminal.press(" ")
    await terminal.shows(f"{number}: ")
    terminal.press(f"{NUMBER}\r")
    await terminal.shows("PIN")
    terminal.press(f"{PIN}\r")
    await terminal.shows("Ada Example")
    assert gateway.sessions
    terminal.press(end)
    await terminal.shows(ended)
    assert await terminal.exit_code() == code
    assert terminal.left_with[3] == before[3]
    assert before[3] & termios.ECHO
    assert "Traceback" not in terminal.seen
    assert gateway.sessions == {}
    assert len(gateway.people[NUMBER].stamps) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_the_command_ends_cleanly_when_told_to(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, number: signal.Signals
) -> None:
    terminal = Terminal("clock", "--plain")
    await terminal.shows("Personnel number: ")
    os.kill(terminal.pid, number)
    assert await terminal.exit_code() == 0
    assert "Traceback" not in terminal.seen
