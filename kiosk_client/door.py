"""What happens at the door, without a screen: which stage it is, what a key does, what the gateway said.

Stages follow one another by keys, by answers and by time; whoever shows them calls ``press`` for each key and ``tick``
some times a second. Everything a person typed or is lives in ``Person`` and goes with it. One conversation with the
gateway at a time: a look at the terminal (with its sign of life and its key change) never runs beside a session.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from kiosk_client.answers import ACTIONS
from kiosk_client.clock_prompt import DONE, OF_ONE_PERSON, Timing, zone_of
from kiosk_client.enrolment import POLL_SECONDS, words_of
from kiosk_client.errors import ActionNotValid, DeviceRefused, KioskError, NotEnrolled
from kiosk_client.wording import CommandLine, Wording, moment, plain, wording_for

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from kiosk_client.answers import DeviceAnswer, SignIn, Stamped, Status
    from kiosk_client.client import KioskClient
    from kiosk_client.enrolment import Enrolment
    from kiosk_client.key_change import KeyChange
    from kiosk_client.key_store import KeyStore, StoredKey
    from kiosk_client.server_clock import Clock

LONGEST_INPUT = 12
"""Digits of a number and of a PIN at most."""

NOTICE_SECONDS = 8.0
"""A fault has more to read than a confirmation."""

LEAVING_SECONDS = 5.0
"""How long an end waits for an answer under way and for the sign-out."""

JITTER = 0.1
"""Terminals started at one moment, after a power cut, do not ask at one moment for ever."""

ENTER, DELETE, CANCEL = "enter", "delete", "cancel"


class Stage(StrEnum):
    """Where the person, or the terminal, stands."""

    STARTING = "starting"
    NOT_ENROLLED = "not-enrolled"
    PENDING = "pending"
    FAULT = "fault"
    NUMBER = "number"
    PIN = "pin"
    SIGNING_IN = "signing-in"
    CHOICE = "choice"
    STAMPING = "stamping"
    STAMPED = "stamped"
    NOTICE = "notice"


OF_THE_TERMINAL = frozenset({Stage.STARTING, Stage.NOT_ENROLLED, Stage.PENDING, Stage.FAULT})
TYPING = frozenset({Stage.NUMBER, Stage.PIN})


@dataclass(slots=True)
class Person:
    """Who is at the door; everything is left out of ``repr``, and a PIN is only as many digits to whoever draws it."""

    number: str = field(default="", repr=False)
    pin: str = field(default="", repr=False)
    session: SignIn | None = field(default=None, repr=False)
    status: Status | None = field(default=None, repr=False)
    stamped: Stamped | None = field(default=None, repr=False)
    notice: KioskError | None = field(default=None, repr=False)

    @property
    def choices(self) -> tuple[str, ...]:
        """The valid actions, in the order of their numbers."""
        return () if self.status is None else tuple(action for action in self.status.actions if action in ACTIONS)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a door is built from; the two makers are called anew when the terminal was enrolled anew."""

    store: KeyStore
    enrolment: Enrolment
    make_client: Callable[[StoredKey], KioskClient]
    make_key_change: Callable[[KioskClient], KeyChange]


class Door:
    """One terminal at one door. ``clock`` gives seconds that never jump; ``fraction`` a random number in [0, 1).

    Commands are advised as ``command_line`` says.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        clock: Clock,
        fraction: Callable[[], float],
        language: str | None = None,
        command_line: CommandLine | None = None,
        timing: Timing | None = None,
    ) -> None:
        self._parts = parts
        self._clock = clock
        self._fraction = fraction
        self._language = language
        self._command_line = command_line
        self._timing = timing or Timing()
        self._client: KioskClient | None = None
        self._key_change: KeyChange | None = None
        self._stored: StoredKey | None = None
        self._line = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._serving: asyncio.Task[None] | None = None
        self._signing_out: set[asyncio.Task[None]] = set()
        self._look_at = clock()
        self._pause = self._timing.retry
        self._until: float | None = None
        self.stage = Stage.STARTING
        self.person = Person()
        self.fault: KioskError | None = None
        self.words: tuple[str, ...] = ()
        self.company = ""
        self.place = ""
        self.wording: Wording = wording_for(language, command_line, stamping=True)
        self.zone: tzinfo = UTC

    @property
    def now(self) -> datetime:
        """The gateway's time in the company's zone; this machine's until the gateway was heard."""
        return moment(self._client.server_clock.now() if self._client else datetime.now(UTC).timestamp(), self.zone)

    @property
    def clock_offset(self) -> float | None:
        """Seconds this machine's clock lacks, when that is worth telling."""
        offset = self._client.server_clock.offset if self._client else 0.0
        return offset if abs(offset) > self._timing.clock_tolerance else None

    @property
    def seconds_left(self) -> int | None:
        """Until this stage ends by itself, or until the gateway is asked again."""
        until = self._look_at if self.stage in OF_THE_TERMINAL else self._until
        return None if until is None else max(0, round(until - self._clock()))

    def tick(self) -> None:
        """Let time do its part: end what has lasted long enough, look at the terminal when that is due.

        Raises what this program itself did wrong meanwhile.
        """
        for task in (self._looking, self._serving):
            if task is not None and task.done() and not task.cancelled() and (broken := task.exception()) is not None:
                raise broken  # a fault of this program: better to end and be started anew than to hang
        if self._until is not None and self._clock() >= self._until:
            self._finish()
        idle = self.person.session is None and (self._serving is None or self._serving.done())
        if idle and self._clock() >= self._look_at and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look())

    def press(self, key: str) -> None:
        """One key: a digit, ``enter``, ``delete`` or ``cancel``; any other only ends what any key ends."""
        match self.stage:
            case Stage.NUMBER:
                self._type_number(key)
            case Stage.PIN:
                self._type_pin(key)
            case Stage.CHOICE:
                self._choose(key)
            case Stage.STAMPED | Stage.NOTICE:
                self._finish()
            case Stage.FAULT | Stage.NOT_ENROLLED:
                self._look_at = self._clock()
                self._pause = self._timing.retry  # whoever stands there has not made the gateway's trouble last longer
            case _:
                return  # an answer is under way: a key pressed for the last question must not answer the next

    async def close(self) -> None:
        """Sign out whoever is signed in, and hang up."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._serving is not None:
            await asyncio.wait([self._serving], timeout=LEAVING_SECONDS)
            self._serving.cancel()
        self._finish()
        if self._signing_out:
            await asyncio.wait(self._signing_out, timeout=LEAVING_SECONDS)
        await self._hang_up()

    def _type_number(self, key: str) -> None:
        person = self.person
        if key == ENTER and person.number:
            self._enter(Stage.PIN, self._timing.idle)
            return
        person.number = _typed(person.number, key)
        self._until = self._clock() + self._timing.idle if person.number else None

    def _type_pin(self, key: str) -> None:
        person = self.person
        if key == CANCEL:
            self._finish()
        elif key == ENTER and person.pin:
            self._enter(Stage.SIGNING_IN, None)
            self._serve(self._sign_in())
        else:
            person.pin = _typed(person.pin, key)
            self._until = self._clock() + self._timing.idle

    def _choose(self, key: str) -> None:
        choices = self.person.choices
        if key in (DONE, CANCEL):
            self._finish()
        elif key.isdigit() and 1 <= int(key) <= len(choices):
            self._enter(Stage.STAMPING, None)
            self._serve(self._stamp(choices[int(key) - 1]))
        else:
            self._until = self._clock() + self._idle_seconds

    @property
    def _idle_seconds(self) -> float:
        session = self.person.session
        return self._timing.idle if session is None else min(self._timing.idle, session.idle_timeout)

    def _enter(self, stage: Stage, seconds: float | None) -> None:
        self.stage = stage
        self._until = None if seconds is None else self._clock() + seconds

    def _finish(self) -> None:
        """Back to the clock: nothing of the person stays here, and nothing at the gateway."""
        session, self.person = self.person.session, Person()
        if session is not None:
            leaving = asyncio.create_task(self._sign_out(session))
            self._signing_out.add(leaving)
            leaving.add_done_callback(self._signing_out.discard)
        if self.stage not in OF_THE_TERMINAL:
            self._enter(Stage.NUMBER, None)

    def _serve(self, work: Coroutine[None, None, None]) -> None:
        self._serving = asyncio.create_task(work)

    async def _sign_out(self, session: SignIn) -> None:
        async with self._line:
            if self._client is not None:
                await self._client.logout(session)

    async def _sign_in(self) -> None:
        person = self.person
        number, pin, person.pin = person.number, person.pin, ""
        async with self._line:
            if self._client is None or person is not self.person:  # the terminal failed meanwhile
                return
            try:
                session = await self._client.login(number, pin)
            except KioskError as fault:
                if fault.problem == "bad-request":  # no number or PIN has this form, so they are wrong
                    fault.problem = "login-failed"
                self._tell(fault)
                return
        person.number = ""
        person.session, person.status = session, session.status
        self._enter(Stage.CHOICE, self._idle_seconds)

    async def _stamp(self, action: str) -> None:
        person, client = self.person, self._client
        if client is None or person.session is None:
            return
        async with self._line:
            try:
                person.stamped = await client.stamp(person.session, action)
            except ActionNotValid as refused:  # stamped at another terminal meanwhile
                person.notice = refused
                try:
                    person.status = refused.current or await client.status(person.session)
                except KioskError as fault:
                    self._tell(fault)
                else:
                    self._enter(Stage.CHOICE, self._idle_seconds)
                return
            except KioskError as fault:
                self._tell(fault)
                return
        person.status = person.stamped.status
        self._enter(Stage.STAMPED, self._timing.confirmation)

    def _tell(self, fault: KioskError) -> None:
        """Show the fault; unless it concerns this person only, the terminal is looked into before the next one."""
        self.person.number, self.person.notice = "", fault
        self._enter(Stage.NOTICE, NOTICE_SECONDS)
        if fault.problem not in OF_ONE_PERSON:
            self._look_at = self._clock()

    async def _look(self) -> None:
        """Ask how the terminal stands, change its key if that is due, and say that it is alive."""
        async with self._line:
            try:
                await self._look_into()
            except KioskError as fault:
                self._out_of_service(fault)
            else:
                self._pause = self._timing.retry

    async def _look_into(self) -> None:
        client = await self._client_of_stored()
        if self._stored is not None and self._stored.state == "pending":
            stored = await self._parts.enrolment.look(self._stored, client)
            if stored.state == "pending":
                self.words = words_of(stored)
                self._terminal_is(Stage.PENDING, POLL_SECONDS)
                return
            client = await self._client_of_stored()
        if self._key_change is not None:
            await self._key_change.settle()
        device = await client.device(attempts=1)
        if device.state != "active":
            raise DeviceRefused(problem=f"device-{device.state}", status=403)
        if self._key_change is not None:
            await self._key_change.change_if_due(device)
        self._take_over(device)
        await client.heartbeat()
        self._look_at = self._clock() + self._timing.probe * (1 - JITTER + 2 * JITTER * self._fraction())
        self.fault, self.words = None, ()
        if self.stage in OF_THE_TERMINAL:
            self._enter(Stage.NUMBER, None)

    async def _client_of_stored(self) -> KioskClient:
        """The client of what is stored now; another one when the terminal was enrolled anew meanwhile."""
        stored, known = self._parts.store.load(), self._stored
        if stored is None or stored.state == "new":
            await self._hang_up()
            raise NotEnrolled
        same = known is not None and (stored.enrolment_id, stored.state) == (known.enrolment_id, known.state)
        if self._client is None or not same:
            await self._hang_up()
            self._client = self._parts.make_client(stored)
            if stored.state == "active":
                self._key_change = self._parts.make_key_change(self._client)
        self._stored = stored
        return self._client

    async def _hang_up(self) -> None:
        client, self._client, self._key_change, self._stored = self._client, None, None, None
        if client is not None:
            await client.close()

    def _take_over(self, device: DeviceAnswer) -> None:
        """Company, place, language and zone as the gateway tells them."""
        company = device.company
        locale = self._language or (company.locale if company else None)
        self.wording = wording_for(locale, self._command_line, stamping=True)
        self.zone = zone_of(company.timezone if company else None)
        self.company = plain(company.name) if company else ""
        self.place = " · ".join(plain(text) for text in (device.label, device.location) if text)

    def _out_of_service(self, fault: KioskError) -> None:
        self.fault = fault
        missing = fault.problem == "not-enrolled"
        pause = self._timing.retry if missing else max(self._pause, fault.retry_after or 0)
        self._pause = min(self._pause * 2, self._timing.longest_retry)
        self.person = Person()
        self._terminal_is(Stage.NOT_ENROLLED if missing else Stage.FAULT, pause)

    def _terminal_is(self, stage: Stage, look_again_in: float) -> None:
        self._enter(stage, None)
        self._look_at = self._clock() + look_again_in


def _typed(digits: str, key: str) -> str:
    """``digits`` after one more key; what is no digit has no effect."""
    if key == DELETE:
        return digits[:-1]
    if key == CANCEL:
        return ""
    return (digits + key)[:LONGEST_INPUT] if key.isascii() and key.isdigit() else digits
