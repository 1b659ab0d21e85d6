from __future__ import annotations

import fcntl
import itertools
import os
import re
import signal
import termios
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from textual import events

from kiosk_client import KeyStore, KioskClient
from kiosk_client.clock_app import ClockApp
from kiosk_client.clock_command import TERMINAL_GONE
from kiosk_client.clock_face import ASCII, CONSOLE, UNICODE, Glyphs, glyphs_for
from kiosk_client.door import Door, Parts
from kiosk_client.enrolment import Enrolment
from kiosk_client.key_change import KeyChange
from kiosk_client.next_key import LOCK_NAME
from tests.kiosk_client.conftest import CODE
from tests.kiosk_client.fake_gateway import FakeGateway, Refused
from tests.kiosk_client.test_clock import Terminal

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from kiosk_client import StoredKey
    from tests.kiosk_client.conftest import Cli, MovedClock

NUMBER, PIN = "0042", "271828"
SMALL, USUAL = (40, 15), (80, 24)


class Steady:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Screen:
    """The clock on a screen, and somebody before it."""

    def __init__(self, app: ClockApp, pilot: Pilot[None], door: Door, steady: Steady) -> None:
        self.app, self.pilot, self.door, self._steady = app, pilot, door, steady

    @property
    def text(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    async def shows(self, *texts: str) -> None:
        def shown() -> bool:
            page = " ".join(self.text.split())
            return all(text in page for text in texts)

        await self.becomes(shown)

    async def becomes(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 8
        for turn in itertools.count():
            if holds():
                return
            if time.monotonic() > deadline:
                raise AssertionError(self.text)
            if turn % 4 == 0:  # what comes from the gateway is drawn without it
                self.app.tick()
            await self.pilot.pause(0.01)

    async def passes(self, seconds: float) -> None:
        self._steady.now += seconds
        self.app.tick()
        await self.pilot.pause()

    async def type(self, digits: str) -> None:
        """Faster than the screen is drawn: a pilot's keys wait for it each."""
        for digit in digits:
            self.app.post_message(events.Key(digit, digit))
        self.app.post_message(events.Key("enter", "\r"))

    async def sign_in(self, pin: str = PIN) -> None:
        await self.type(NUMBER)
        await self.type(pin)

    async def settled(self) -> None:
        """Until nothing is under way with the gateway."""
        await self.becomes(lambda: not (self.door._line.locked() or self.door._signing_out))

    async def heartbeats(self, gateway: FakeGateway, number: int) -> None:
        await self.becomes(lambda: len(gateway.heartbeats) == number)


OpenScreen = Callable[..., Any]


@pytest.fixture
def open_screen(store: KeyStore, clock: MovedClock) -> OpenScreen:
    def made(stored: StoredKey) -> KioskClient:
        return KioskClient.of(stored, clock=clock, sleep=clock.sleep, platform="Linux test")

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = USUAL, language: str | None = None, glyphs: Glyphs = UNICODE
    ) -> AsyncIterator[Screen]:
        steady = Steady()
        enrolment = Enrolment(store, made, clock=clock, sleep=clock.sleep, randomness=os.urandom)
        parts = Parts(store, enrolment, made, lambda client: KeyChange(store, client, randomness=os.urandom))
        door = Door(parts, clock=steady, fraction=lambda: 0.5, language=language)
        app = ClockApp(door, glyphs)
        try:
            async with app.run_test(size=size) as pilot:
                yield Screen(app, pilot, door, steady)
                await app.action_leave()
        finally:
            await door.close()

    return opened


@pytest.mark.parametrize("size", [SMALL, USUAL])
async def test_a_person_clocks_in_with_the_keypad_alone(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen, size: tuple[int, int]
) -> None:
    gateway.people[NUMBER].failed, gateway.people[NUMBER].worked = 2, 27_180
    async with open_screen(size) as screen:
        await screen.shows("Brot & Co", "Door 1 · Hall", "Personnel number: _", "███")
        assert re.search(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d", screen.text)
        await screen.pilot.press("1", "minus", *NUMBER)
        await screen.shows("Personnel number: 0042_")
        await screen.pilot.press("enter", *PIN)
        await screen.shows("PIN: ******_", "Back to the clock in 20 s")
        await screen.pilot.press("enter")
        await screen.shows(
            "Ada Example",
            "Out since",
            "Worked today: 7 h 33 min",
            "Failed attempts since your last sign-in: 2",
            "1 Clock in",
            "0 Done",
            "Back to the clock in 20 s",
        )
        assert "Clock out" not in screen.text
        await screen.pilot.press("1")
        await screen.shows("✔ Clocked in at", "In since", "Signing out in 5 s")
        assert gateway.sessions
        await screen.passes(5)
        await screen.shows("Personnel number: _")
        await screen.settled()
        assert gateway.sessions == {}
        assert [stamp["action"] for stamp in gateway.people[NUMBER].stamps.values()] == ["clock_in"]
        assert gateway.heartbeats == [
            {"client": {"name": "stampgate-kiosk", "version": gateway.heartbeats[0]["client"]["version"],
                        "platform": "Linux test"}, "clock_offset_ms": gateway.heartbeats[0]["clock_offset_ms"]}
        ]  # fmt: skip


async def test_failed_attempts_are_told_only_when_there_were_some(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    gateway.people[NUMBER].failed = 1
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("Failed attempts since your last sign-in: 1")
        await screen.pilot.press("0")
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("1 Clock in")
        assert "Failed attempts" not in screen.text


async def test_nothing_of_a_person_stays_and_no_widget_knows_a_pin(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.type(NUMBER)
        await screen.pilot.press(*PIN)
        await screen.shows("PIN: ******")
        seen = [screen.text, repr(screen.app), repr(screen.door.person)]
        seen += [repr(widget) + repr(vars(widget)) for widget in screen.app.screen.walk_children()]
        assert not any(PIN in text for text in seen)
        await screen.pilot.press("enter")
        await screen.shows("Ada Example")
        assert PIN not in repr(screen.door.person.pin)
        await screen.pilot.press("0")
        await screen.shows("Personnel number: _")
        await screen.settled()
        assert gateway.sessions == {}
        assert "Ada" not in screen.text
        assert NUMBER not in screen.text


async def test_whoever_walks_away_is_signed_out_after_20_seconds(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.pilot.press("4", "2")
        await screen.passes(20)
        await screen.shows("Personnel number: _")
        await screen.type(NUMBER)
        await screen.pilot.press("2")
        await screen.passes(20)
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("Ada Example")
        await screen.passes(19)
        await screen.shows("Back to the clock in 1 s")
        await screen.passes(1)
        await screen.shows("Personnel number: _")
        await screen.settled()
        assert gateway.sessions == {}


@pytest.mark.parametrize("locale", ["de-AT", "en"])
async def test_german_by_the_company_or_by_choice(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen, locale: str
) -> None:
    gateway.locale = locale
    gateway.people[NUMBER].state = "in"
    async with open_screen(SMALL, language=None if locale == "de-AT" else "de") as screen:
        await screen.shows("Personalnummer: _")
        await screen.sign_in("111111")
        await screen.shows("Nummer oder PIN ist falsch")
        await screen.pilot.press("9")
        await screen.shows("Personalnummer: _")
        await screen.sign_in()
        await screen.shows("Anwesend seit", "1 Pause beginnen", "2 Gehen", "0 Fertig", "Anmeldung: 1")


FAULTS = {
    "device-suspended": "IT can resume it",
    "device-revoked": "use another one and tell IT",
    "key-expired": "IT has to replace it",
    "network-not-allowed": "may not be used from this network",
    "clock-skew": "Set its time, or tell IT",
    "busy": "Please try again in a moment",
}


async def test_a_fault_says_what_to_do_and_leaves_by_itself(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen(SMALL) as screen:
        await screen.shows("Personnel number: _")
        for problem, advice in FAULTS.items():
            status = {"clock-skew": 401, "busy": 503}.get(problem, 403)
            headers = {"Retry-After": "5"} if status == 503 else {}
            gateway.faults.refuse["/device"] = Refused(problem, status, headers=headers)
            await screen.pilot.press("4")
            await screen.passes(61)
            await screen.shows("Out of service", advice, "Trying again in 5 s")
            gateway.faults.refuse.clear()
            await screen.passes(5)
            await screen.shows("Personnel number: _")
            await screen.settled()


async def test_offline_and_back(gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen) -> None:
    async with open_screen(SMALL) as screen:
        await screen.shows("Personnel number: _")
        await gateway.stop()
        await screen.sign_in()
        await screen.shows("Out of service", "Nothing can be stamped now. Check the network")
        for _ in range(4):  # whoever tries the keys does not make it wait longer
            asked = screen.door.fault
            await screen.pilot.press("1")
            await screen.becomes(lambda asked=asked: screen.door.fault is not asked)
        await screen.shows("Trying again in 5 s")
        await gateway.start()
        await screen.pilot.press("enter")
        await screen.shows("Personnel number: _")


async def test_before_enrolment_it_says_how_and_then_becomes_the_clock(
    gateway: FakeGateway, store: KeyStore, cli: Cli, open_screen: OpenScreen
) -> None:
    store.prepare()
    async with open_screen(SMALL) as screen:
        await screen.shows("This terminal is not enrolled", "stampgate-kiosk enrol URL --code CODE")
        assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
        await screen.passes(5)
        await screen.shows("Tell IT the words asked for:", "Waiting for approval by IT")
        assert len(re.findall(r"^\s+[1-5]  (?:[A-Z] ){2,7}[A-Z]$", screen.text, re.MULTILINE)) == 5
        gateway.approve()
        await screen.passes(2)
        await screen.shows("Personnel number: _")
        kept = store.load()
        assert kept is not None
        assert kept.state == "active"


async def test_a_denied_enrolment_is_told(
    gateway: FakeGateway, store: KeyStore, cli: Cli, open_screen: OpenScreen
) -> None:
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
    async with open_screen(SMALL) as screen:
        await screen.shows("Waiting for approval by IT")
        gateway.devices.clear()
        await screen.passes(2)
        await screen.shows("Ask IT for a new code")


async def test_it_says_every_minute_that_it_is_alive(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        for beats in (2, 3):
            await screen.passes(59)
            await screen.settled()
            assert len(gateway.heartbeats) == beats - 1
            await screen.passes(1)
            await screen.heartbeats(gateway, beats)
            await screen.settled()


async def test_a_key_of_thirty_days_is_changed_while_nobody_is_signed_in(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        gateway.only_device().key_expires_in = 50 * 86_400.0
        await screen.sign_in()
        await screen.shows("Ada Example")
        for _ in range(4):  # a look is due, but somebody stands there
            await screen.passes(19)
            await screen.pilot.press("9")
        assert gateway.seen("/device/key") == 0
        await screen.pilot.press("0")
        await screen.heartbeats(gateway, 2)
        await screen.shows("Personnel number: _")
        assert gateway.seen("/device/key") == 1
        changed = store.load()
        assert changed is not None
        assert changed.key.keyid != enrolled.key.keyid
        await screen.sign_in()
        await screen.shows("Ada Example")


async def test_suspended_while_somebody_is_signed_in(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("1 Clock in")
        gateway.only_device().state = "suspended"
        await screen.pilot.press("1")
        await screen.shows("This terminal is suspended")
        assert "Ada" not in screen.text
        await screen.passes(8)
        await screen.shows("Out of service", "IT can resume it")
        gateway.only_device().state = "active"
        await screen.passes(5)
        await screen.shows("Personnel number: _")


async def test_a_lost_answer_and_another_terminal_meanwhile(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("1 Clock in")
        gateway.people[NUMBER].state = "in"
        await screen.pilot.press("1")
        await screen.shows("does not fit the present state", "1 Start break", "2 Clock out")
        gateway.faults.drop_after["/action"] = 3
        await screen.pilot.press("2")
        await screen.shows("not certain whether the stamp was recorded", "Back to the clock in 8 s")
        await screen.passes(8)
        await screen.settled()
        assert gateway.sessions == {}


@pytest.mark.parametrize("key", ["ctrl+c", "ctrl+d"])
async def test_leaving_signs_out(gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen, key: str) -> None:
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("Ada Example")
        assert gateway.sessions
        await screen.pilot.press(key)
    assert gateway.sessions == {}
    assert screen.app.interrupted == (key == "ctrl+c")


async def test_a_name_cannot_steer_the_screen(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    gateway.people[NUMBER].name = "[red]Eve[/] \x1b]0;owned\x07"
    async with open_screen() as screen:
        await screen.shows("Personnel number: _")
        await screen.sign_in()
        await screen.shows("[red]Eve[/] ]0;owned")


async def test_a_fault_of_the_program_shows_nothing_that_was_typed(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def broken(_: KioskClient, number: str, pin: str) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(KioskClient, "login", broken)
    with pytest.raises(RuntimeError, match="broken"):
        async with open_screen() as screen:
            await screen.shows("Personnel number: _")
            await screen.sign_in()
            await screen.shows("never")
    printed = capsys.readouterr()
    assert PIN not in printed.out + printed.err


async def test_a_terminal_without_unicode_gets_ascii(
    gateway: FakeGateway, enrolled: StoredKey, open_screen: OpenScreen
) -> None:
    gateway.locale = "de"
    async with open_screen(glyphs=ASCII) as screen:
        await screen.shows("Personalnummer: _", "Door 1 - Hall", "###", "loeschen")
        assert screen.text.isascii()


def test_which_characters_a_terminal_is_given() -> None:
    assert glyphs_for("ISO-8859-1", "xterm") is ASCII
    assert glyphs_for("utf-8", "linux") is CONSOLE
    assert glyphs_for("UTF-8", "xterm-256color") is UNICODE
    assert CONSOLE.said("✔ …") == "* ..."


@pytest.mark.parametrize(("end", "code"), [("\x03", 130), (signal.SIGINT, 130), (signal.SIGTERM, 0)])
async def test_the_command_on_a_real_console_gives_the_terminal_back(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, monkeypatch: pytest.MonkeyPatch,
    end: str | signal.Signals, code: int,
) -> None:  # fmt: skip
    monkeypatch.setenv("TERM", "linux")
    terminal = Terminal("clock")
    before = termios.tcgetattr(terminal.master)
    termios.tcsetwinsize(terminal.master, (24, 80))
    await terminal.shows("\x1b[?1049h")
    await terminal.shows("Personnel number: _")
    terminal.press(f"{NUMBER}\r")
    await terminal.shows("PIN: _")
    terminal.press(f"{PIN}\r")
    await terminal.shows("Ada Example")
    assert gateway.sessions
    if isinstance(end, signal.Signals):
        os.kill(terminal.pid, end)
    else:
        terminal.press(end)
    await terminal.shows("\x1b[?1049l")
    assert await terminal.exit_code() == code
    assert terminal.left_with[3] == before[3]
    assert "Clock ended." in terminal.seen
    assert "Traceback" not in terminal.seen
    assert PIN not in terminal.seen
    assert gateway.sessions == {}


@pytest.mark.parametrize("told", [True, False])
async def test_without_its_terminal_the_clock_ends_and_does_not_keep_the_key(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    monkeypatch.setenv("TERM", "linux")
    terminal = Terminal("clock", controlled=told)
    await terminal.shows("Personnel number: _")
    code = await terminal.exit_code_without_it()
    assert code == TERMINAL_GONE or (told and code == 0)  # whichever comes first, the news or what it draws
    with (store.directory / LOCK_NAME).open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("told", [True, False])
async def test_nor_does_it_line_by_line(gateway: FakeGateway, enrolled: StoredKey, told: bool) -> None:
    terminal = Terminal("clock", "--plain", controlled=told)
    await terminal.shows("Personnel number")
    assert await terminal.exit_code_without_it() == TERMINAL_GONE
