"""Any life of a terminal against a small model of protocol.md: whatever is done, in whatever order, at whatever time.

The services, the gate and the database are the real ones, asked over HTTP as terminals ask; only the clock is moved.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from crypto.device_keys import DeviceKey
from gateway.http.problems import Problem
from storage import known_keys
from tests.gateway.house import MovableClock, open_house
from tests.gateway.terminal import Terminal
from tests.samples import samples

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from tests.gateway.house import House
    from tests.gateway.terminal import Reply

ALLOWED = {
    "approve": {"pending": "active"},
    "deny": {"pending": "registered"},
    "suspend": {"active": "suspended"},
    "resume": {"suspended": "active"},
    "replace": dict.fromkeys(("active", "suspended", "expired"), "registered"),
    "revoke": dict.fromkeys(("registered", "pending", "active", "suspended", "expired", "revoked"), "revoked"),
}
DRAWN = {(source, target) for edges in ALLOWED.values() for source, target in edges.items()} | {
    ("registered", "pending"),
    ("active", "expired"),
    ("suspended", "expired"),
}
DAY = 86_400.0
CHANGES_OF_AN_HOUR = 10
EXAMPLES, STEPS = samples(8), 25
LATE = 18
"""Steps after which a terminal may be revoked."""


class StandingClock(MovableClock):
    """Moves only when told: what a rule does happens at one moment."""

    def __init__(self) -> None:
        super().__init__()
        self._start = float(int(time.time()))

    def __call__(self) -> float:
        return self._start + self.moved


@dataclass
class Key:
    key: DeviceKey
    made_at: float
    status: str = "current"
    superseded_at: float = 0.0


@dataclass
class Model:
    """The terminal as protocol.md describes it."""

    state: str = "registered"
    code_until: float = 0.0
    pending_since: float = 0.0
    tries: int = 0
    keys: list[Key] = field(default_factory=list)

    @property
    def current(self) -> Key | None:
        return next((key for key in self.keys if key.status == "current"), None)

    def pass_time(self, now: float) -> None:
        if self.state == "pending" and now >= self.pending_since + 1800:
            self.become("registered")
        elif self.state in ("active", "suspended") and (self.current is None or now >= self.current.made_at + 90 * DAY):
            self.state = "expired"

    def become(self, state: str) -> None:
        if state in ("registered", "revoked"):
            self.block("current", "offered", "superseded")
        self.block("offered")
        self.state, self.code_until = state, 0.0

    def block(self, *statuses: str) -> None:
        for key in self.keys:
            if key.status in statuses:
                key.status = "blocked"

    def use(self, key: Key, now: float) -> str:
        """What a signed request of this key gets, and what comes of it."""
        if self.state == "revoked":
            return "device-revoked"
        match key.status:
            case "offered" if self.state == "expired" and now < key.made_at + 660:
                return "key-expired"
            case "offered" if self.state == "active" and now < key.made_at + 600:
                old = self.current
                assert old is not None
                old.status, old.superseded_at, key.status = "superseded", now, "current"
                return "200"
            case "superseded" if self.state == "suspended":
                return "device-suspended"
            case "superseded" if self.state == "active" and int(now) > key.superseded_at + 10:
                self.become("suspended")
                return "device-suspended"
            case "current":
                problems = {"suspended": "device-suspended", "expired": "key-expired"}
                return problems.get(self.state, "200")
        return "device-unknown"


class AnyLife(RuleBasedStateMachine):
    """One terminal, its keys, and IT."""

    def __init__(self, loop: asyncio.Runner, house: House) -> None:
        super().__init__()
        self.loop, self.house, self.clock = loop, house, house.clock
        self.clock.move(3601)  # what the address of the life before did counts no more
        self.it = house.gateway.administration.devices
        registered = loop.run(self.it.register(house.company_id, "Door", actor="cli"))
        self.device_id, self.code = registered.device.id, registered.enrolment_code
        self.model = Model(code_until=self.clock() + 1800)
        self.seen = "registered"
        self.blocked: set[str] = set()
        self.offers: list[float] = []
        self.age = 0

    # What the rules share

    def do(self, act: Awaitable[Any]) -> str:
        """Do what IT does and return "done" or the problem's name."""

        async def done() -> str:
            try:
                await act
            except Problem as problem:
                return problem.name
            finally:
                await self.house.told()
            return "done"

        return self.loop.run(done())

    def terminal(self, key: DeviceKey) -> Terminal:
        terminal = Terminal(self.house.http, self.house.url, self.clock)
        terminal.key = key
        return terminal

    def ask(self, asking: Awaitable[Reply]) -> str:
        async def answered() -> Reply:
            return await asking

        reply = self.loop.run(answered())
        return reply.problem or str(reply.status)

    def draw_key(self, data: st.DataObject) -> Key:
        return self.model.keys[data.draw(st.integers(0, len(self.model.keys) - 1), label="key")]

    @initialize(hangs=st.booleans())
    def begin(self, hangs: bool) -> None:
        """Half of the lives begin with a terminal that is in use."""
        if hangs:
            self.enrol()
            self.walk("approve")
            self.seen = "active"

    # IT

    @precondition(lambda self: self.fitting_acts())
    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        self.walk(data.draw(st.sampled_from(self.fitting_acts()), label="act"))

    @precondition(lambda self: self.age % 4 == 0)
    @rule(data=st.data())
    def act_out_of_place(self, data: st.DataObject) -> None:
        self.walk(
            data.draw(st.sampled_from([act for act in ALLOWED if self.model.state not in ALLOWED[act]] or ["revoke"]))
        )

    def fitting_acts(self) -> list[str]:
        """What leads on from here; to the end only late, for nothing comes after it."""
        acts = [act for act, edges in ALLOWED.items() if self.model.state in edges]
        return acts if self.age > LATE else [act for act in acts if act != "revoke"]

    def walk(self, act: str) -> None:
        now, wanted = self.clock(), ALLOWED[act].get(self.model.state)
        options = {}
        if act == "approve":
            options["thumbprint"] = "x" * 43 if self.model.current is None else self.model.current.key.keyid

        async def done() -> None:
            given = await getattr(self.it, act)(self.device_id, actor="cli", **options)
            self.code = given.enrolment_code if act == "replace" else self.code

        assert self.do(done()) == ("device-state-not-valid" if wanted is None else "done")
        if wanted is not None and self.model.state != "revoked":
            self.model.become(wanted)
            self.model.code_until = now + 1800 if act == "replace" else 0.0

    @precondition(lambda self: self.model.state == "pending")
    @rule()
    def guess(self) -> None:
        assert self.do(self.it.approve(self.device_id, thumbprint="x" * 43, actor="cli")) == "words-mismatch"
        self.model.tries += 1
        if self.model.tries == 3:
            self.model.become("registered")

    @precondition(lambda self: self.model.state == "registered" or self.age % 4 == 0)
    @rule()
    def give_code(self) -> None:
        fits = self.model.state == "registered"

        async def given() -> None:
            self.code = (await self.it.new_code(self.device_id, actor="cli")).enrolment_code

        assert self.do(given()) == ("done" if fits else "device-state-not-valid")
        if fits:
            self.model.become("registered")
            self.model.code_until = self.clock() + 1800

    # The terminal

    @precondition(lambda self: self.model.state == "registered" or self.age % 4 == 0)
    @rule()
    def enrol(self) -> None:
        key, now = DeviceKey.generate(os.urandom), self.clock()
        got = self.ask(self.terminal(key).enrol(self.code))
        if self.model.state == "registered" and now < self.model.code_until:
            assert got == "201"
            self.model.become("pending")
            self.model.pending_since, self.model.tries = now, 0
            self.model.keys.append(Key(key, now))
        else:
            assert got in ("enrolment-code-invalid", "too-many-requests")

    @precondition(lambda self: self.model.keys and self.model.code_until > self.clock())
    @rule(data=st.data())
    def enrol_with_a_key_seen_before(self, data: st.DataObject) -> None:
        assert self.ask(self.terminal(self.draw_key(data).key).enrol(self.code)) in ("key-reused", "too-many-requests")

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data())
    def use_any_key(self, data: st.DataObject) -> None:
        self.use(self.draw_key(data))

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def use_a_living_key(self, data: st.DataObject) -> None:
        self.use(data.draw(st.sampled_from(self.living()), label="key"))

    @precondition(lambda self: self.model.state == "active" and self.offers_left() > 0)
    @rule(used=st.booleans(), copied=st.sampled_from([None, 9.0, 12.0]))
    def change(self, used: bool, copied: float | None) -> None:
        """As a client does, or as far as it got; with a copy of the terminal that is used so many seconds later."""
        current = self.model.current
        assert current is not None
        self.offer_by(current, None)
        if used:
            self.use(self.model.keys[-1])
        if copied is not None:
            self.wait(copied)
            self.model.pass_time(self.clock())
            self.use(current)

    @precondition(lambda self: any(key.status in ("superseded", "offered") for key in self.model.keys))
    @rule(data=st.data(), seconds=st.sampled_from([12.0, 595.0]))
    def use_a_key_of_a_change_later(self, data: st.DataObject, seconds: float) -> None:
        self.wait(seconds)
        self.model.pass_time(self.clock())
        keys = [key for key in self.model.keys if key.status in ("superseded", "offered")]
        self.use(data.draw(st.sampled_from(keys or self.model.keys), label="key"))

    def living(self) -> list[Key]:
        return [key for key in self.model.keys if key.status != "blocked"]

    def use(self, key: Key) -> None:
        expected = self.model.use(key, self.clock())
        assert self.ask(self.terminal(key.key).device()) == expected
        assert not (expected == "200" and key.key.keyid in self.blocked)

    @precondition(lambda self: self.model.keys and self.offers_left() > 0)
    @rule(data=st.data(), again=st.booleans())
    def offer(self, data: st.DataObject, again: bool) -> None:
        """By any key, of a new one or of any that was seen before."""
        self.offer_by(self.draw_key(data), self.draw_key(data) if again else None)

    def offer_by(self, by: Key, new: Key | None) -> None:
        now = self.clock()
        if new is by:  # two signatures by one key are no key change at all
            return
        key = DeviceKey.generate(os.urandom) if new is None else new.key
        waits = new is not None and new.status == "offered" and now < new.made_at + 600
        expected = self.model.use(by, now)
        if self.model.state == "pending" and expected == "200":
            expected = "device-pending"
        got = self.ask(self.terminal(by.key).offer_key(key))
        if expected != "200":
            assert got == expected
            return
        self.offers.append(now)
        waits = waits and new is not None and new.status == "offered"
        assert got == ("200" if waits or new is None else "key-reused")
        if new is None:
            self.model.block("offered")
            self.model.keys.append(Key(key, now, "offered"))

    def offers_left(self) -> int:
        return CHANGES_OF_AN_HOUR - sum(at > self.clock() - 3601 for at in self.offers)

    @rule(seconds=st.sampled_from([3.0, 12.0, 12.0, 13.0, 30.0, 60.0, 590.0, 1750.0, 61 * DAY]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    # What is always true

    @invariant()
    def is_what_the_model_says_by_a_drawn_edge(self) -> None:
        self.age += 1
        self.model.pass_time(self.clock())
        device = self.loop.run(self.it.get(self.device_id))
        assert device.state == self.model.state
        assert self.seen == device.state or (self.seen, device.state) in DRAWN
        self.seen = device.state

    @invariant()
    def has_one_current_key_at_most_and_blocks_for_ever(self) -> None:
        async def stored() -> dict[str, str]:
            async with self.house.gateway.administration.database.read() as connection:
                return {key.keyid: key.key_state for key in await known_keys.of_device(connection, self.device_id)}

        states = self.loop.run(stored())
        assert list(states.values()).count("current") <= 1
        assert set(states) == {key.key.keyid for key in self.model.keys}
        assert all(states[keyid] == "blocked" for keyid in self.blocked)
        self.blocked = {keyid for keyid, state in states.items() if state == "blocked"}


def test_no_sequence_of_calls_reaches_an_edge_that_is_not_drawn(tmp_path: Path) -> None:
    with asyncio.Runner() as loop:
        stack = AsyncExitStack()
        house = loop.run(stack.enter_async_context(open_house(tmp_path / "data", clock=StandingClock())))
        try:
            run_state_machine_as_test(
                lambda: AnyLife(loop, house),  # type: ignore[arg-type]  # a factory will do
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    derandomize=True,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            loop.run(stack.aclose())
