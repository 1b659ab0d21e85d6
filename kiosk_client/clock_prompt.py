"""The clock at the door: number and PIN in, valid actions out, and back to the clock.

Written for a terminal with a keypad in a corridor. Nobody's name stays on the screen, a half-typed PIN vanishes, every
fault says what is wrong and leads back to the clock by itself. The gateway is asked every minute also when nobody
comes, so that a suspended terminal says so before somebody has typed a PIN.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kiosk_client.answers import ACTIONS, DeviceAnswer, SignIn, Stamped, Status
from kiosk_client.errors import ActionNotValid, DeviceRefused, KioskError
from kiosk_client.terminal_keys import CLEAR_SCREEN, Idle, TerminalKeys
from kiosk_client.wording import CommandLine, Wording, duration, moment, plain, wording_for

if TYPE_CHECKING:
    from kiosk_client.client import KioskClient
    from kiosk_client.key_change import KeyChange

OF_ONE_PERSON = frozenset(
    {"login-failed", "login-throttled", "session-expired", "action-not-valid", "stamp-id-reused", "bad-request", "busy"}
)
"""Faults that say nothing about the terminal."""

DONE = "0"
"""Always the same key, however many actions are offered: whoever stamps every day does not look."""

BOLD, RED, GREEN, PLAIN = "\x1b[1m", "\x1b[31;1m", "\x1b[32;1m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things stay, in seconds. The session's limits at the gateway are longer: the screen gives up first."""

    idle: float = 20.0
    confirmation: float = 5.0
    probe: float = 60.0
    retry: float = 5.0
    longest_retry: float = 30.0
    clock_tolerance: float = 60.0


class ClockPrompt:
    """The loop of one terminal. ``run`` ends only by ``Leave``."""

    def __init__(
        self,
        client: KioskClient,
        keys: TerminalKeys,
        *,
        language: str | None = None,
        command_line: CommandLine | None = None,
        timing: Timing | None = None,
        key_change: KeyChange | None = None,
    ) -> None:
        self._client = client
        self._key_change = key_change
        self._keys = keys
        self._language = language
        self._command_line = command_line
        self._timing = timing or Timing()
        self._wording: Wording = wording_for(language, command_line, stamping=True)
        self._zone: tzinfo = UTC
        self._probe_at = 0.0
        self._notice = ""

    async def run(self) -> NoReturn:
        """Serve people until somebody ends the program (``Leave``)."""
        await self._probe()
        self._show_idle_screen()
        while True:
            if self._client.server_clock.local() >= self._probe_at and await self._probe():
                self._show_idle_screen()
            number = await self._ask_number()
            if not number:
                continue
            pin = await self._ask_pin()
            if pin:
                await self._serve(number, pin)
            else:
                self._show_idle_screen()

    def say_goodbye(self) -> None:
        """Leave a clean screen behind."""
        self._keys.write(CLEAR_SCREEN)
        self._say(self._wording.goodbye)

    async def _probe(self) -> bool:
        """Ask how the terminal stands; while it may not serve, say so and keep asking. True if the screen was used."""
        pause = self._timing.retry
        troubled = False
        while True:
            try:
                if self._key_change is not None:
                    await self._key_change.settle()
                device = await self._client.device(attempts=1)
                if device.state != "active":
                    raise DeviceRefused(f"device-{device.state}", status=403)
                if self._key_change is not None:
                    await self._key_change.change_if_due(device)
                changed = self._take_over(device)
                await self._client.heartbeat()
            except KioskError as fault:
                troubled = True
                self._show_out_of_service(fault)
                await self._keys.pause(
                    max(pause, fault.retry_after or 0), lambda left: self._wording.trying_again.format(round(left))
                )
                pause = min(pause * 2, self._timing.longest_retry)
            else:
                self._probe_at = self._client.server_clock.local() + self._timing.probe
                return troubled or changed

    def _take_over(self, device: DeviceAnswer) -> bool:
        """Company, place, language and zone as the gateway tells them; True if what is shown changes."""
        before = self._notice, self._wording, self._zone
        company = device.company
        locale = self._language or (company.locale if company else None)
        self._wording = wording_for(locale, self._command_line, stamping=True)
        self._zone = zone_of(company.timezone if company else None)
        place = " · ".join(plain(text) for text in (device.label, device.location) if text)
        self._notice = f"{BOLD}{plain(company.name) if company else ''}{PLAIN}\r\n{place}\r\n"
        offset = self._client.server_clock.offset
        if abs(offset) > self._timing.clock_tolerance:
            self._notice += self._wording.clock_off.format(round(abs(offset))) + "\r\n"
        return before != (self._notice, self._wording, self._zone)

    def _now(self) -> datetime:
        return moment(self._client.server_clock.now(), self._zone)

    def _say(self, text: str, style: str = "") -> None:
        self._keys.write(f"{style}{text}{PLAIN if style else ''}\r\n")

    def _show_idle_screen(self) -> None:
        self._keys.write(CLEAR_SCREEN)
        self._keys.write(self._notice)
        self._say(self._wording.date(self._now()))
        self._say(self._wording.leave_hint)
        self._say("")

    def _show_out_of_service(self, fault: KioskError) -> None:
        self._keys.write(CLEAR_SCREEN)
        self._keys.write(self._notice)
        self._say(self._wording.out_of_service, RED)
        self._say_fault(fault)

    def _say_fault(self, fault: KioskError) -> None:
        self._say(fault.told(self._wording, self._zone), RED)

    async def _ask_number(self) -> str:
        """The number; empty when nobody came until the gateway has to be asked again."""
        until_probe = max(self._probe_at - self._client.server_clock.local(), 0.1)
        try:
            return await self._keys.line(
                lambda _: f"{self._now():%H:%M:%S}  {self._wording.personnel_number}: ",
                idle_seconds=min(self._timing.idle, until_probe),
            )
        except Idle:
            return ""

    async def _ask_pin(self) -> str:
        try:
            return await self._keys.line(
                lambda left: f"{self._wording.pin} ({round(left)} s): ", idle_seconds=self._timing.idle, hidden=True
            )
        except Idle:
            return ""

    async def _serve(self, number: str, pin: str) -> None:
        """One person from sign-in to sign-out. Faults are told; those of the terminal itself are looked into next."""
        self._keys.write(self._wording.signing_in + "\r\n")
        try:
            session = await self._client.login(number, pin)
        except KioskError as fault:
            if fault.problem == "bad-request":  # no number or PIN has this form, so they are wrong
                fault.problem = "login-failed"
            self._tell(fault)  # stays on the screen, above the next question
            return
        try:
            self._show_person(session)
            await self._choose_and_stamp(session)
        except KioskError as fault:
            self._tell(fault)
            await self._hold_screen()
        finally:
            self._keys.forget()
            await self._client.logout(session)
        self._show_idle_screen()

    def _tell(self, fault: KioskError) -> None:
        """Say the fault; unless it concerns this person only, the terminal is looked into before the next one."""
        self._say_fault(fault)
        if fault.problem not in OF_ONE_PERSON:
            self._probe_at = 0.0

    async def _hold_screen(self) -> None:
        """Leave the screen as it is for a moment, or until any key."""
        self._keys.forget()
        await self._keys.pause(self._timing.confirmation, lambda left: self._wording.signing_out_in.format(round(left)))

    def _show_person(self, session: SignIn) -> None:
        self._keys.write(CLEAR_SCREEN)
        self._say(plain(session.employee.display_name), BOLD)
        self._show_status(session.status)
        if session.failed_attempts:
            self._say(self._wording.failed_attempts.format(session.failed_attempts), RED)

    def _show_status(self, status: Status) -> None:
        self._say(self._wording.state(status, self._zone, self._now()))
        self._say(self._wording.worked_today.format(duration(status.worked_today_seconds)))
        if status.clock_out_missing:
            self._say(self._wording.clock_out_missing, RED)

    async def _choose_and_stamp(self, session: SignIn) -> None:
        """Offer what is valid until something is stamped, or the person is done or gone."""
        status = session.status
        while (action := await self._choose(status)) is not None:
            try:
                stamped = await self._client.stamp(session, action)
            except ActionNotValid as refused:  # stamped at another terminal meanwhile
                self._say_fault(refused)
                status = refused.current or await self._client.status(session)
                self._show_status(status)
                continue
            await self._confirm(stamped)
            return

    async def _choose(self, status: Status) -> str | None:
        """A valid action, or None for Done and for nobody there."""
        offered = [action for action in status.actions if action in ACTIONS]
        self._say("")
        for place, action in enumerate(offered, 1):
            self._say(f"  {BOLD}{place}{PLAIN}  {self._wording.action(action)}")
        self._say(f"  {BOLD}{DONE}{PLAIN}  {self._wording.done}")
        while True:
            try:
                typed = await self._keys.line(
                    lambda left: f"{self._wording.choice} ({round(left)} s): ",
                    idle_seconds=self._timing.idle,
                    longest=1,
                )
            except Idle:
                return None
            if typed == DONE:
                return None
            if typed and 1 <= int(typed) <= len(offered):
                return offered[int(typed) - 1]
            self._say(self._wording.no_such_choice)

    async def _confirm(self, stamped: Stamped) -> None:
        at = f"{stamped.stamp.at.astimezone(self._zone):%H:%M:%S}"
        self._say("✔ " + self._wording.stamped.get(stamped.stamp.action, "{}").format(at), GREEN)
        self._show_status(stamped.status)
        await self._hold_screen()
        self._say(self._wording.signed_out)


def zone_of(name: str | None) -> tzinfo:
    """The company's time zone; UTC where this machine does not know it (the time zone data may be older)."""
    try:
        return ZoneInfo(name or "UTC")
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return UTC
