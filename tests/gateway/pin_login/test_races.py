"""What changes between the check of a PIN and what follows from it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage import audit
from storage.errors import StorageUnavailable

if TYPE_CHECKING:
    from tests.gateway.house import House, Person
    from tests.gateway.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="module")


class HeldHashes:
    """Lets the next hash of a new PIN wait until it is told to go on."""

    def __init__(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        hashing = house.gateway.administration.hashing
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        run = hashing.run
        pins = house.gateway.administration.pins

        async def held(function: object, *arguments: object) -> object:
            if function == pins.hash and not self.reached.is_set():
                self.reached.set()
                await self.go_on.wait()
            return await run(function, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(house.gateway.own_pin._hashing, "run", held)


async def test_a_reset_by_hr_wins_over_an_own_change_under_way(
    house: House, person: Person, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    await terminal.sign_in(person.number, person.pin)
    held = HeldHashes(house, monkeypatch)
    change = asyncio.create_task(terminal.change_pin(person.pin, "730291"))
    await held.reached.wait()
    await house.gateway.administration.people.set_pin(person.id, "586213", actor="cli")
    held.go_on.set()
    assert (await change).problem == "session-expired"
    assert (await terminal.sign_in(person.number, "730291")).problem == "login-failed"
    assert (await terminal.sign_in(person.number, "586213")).status == 200


async def test_a_right_pin_whose_hash_came_too_late_is_answered_and_counted_as_a_wrong_one(
    house: House, person: Person, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashing = house.gateway.administration.hashing
    run = hashing.run

    async def slow(function: object, *arguments: object) -> object:
        house.clock.move(11)
        return await run(function, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(hashing, "run", slow)
        assert (await terminal.sign_in(person.number, person.pin)).problem == "login-failed"
    house.clock.move(1)
    signed_in = await terminal.sign_in(person.number, person.pin)
    assert signed_in.status == 200
    assert signed_in.body["failed_attempts"] == 1


async def test_a_replay_whose_audit_event_could_not_be_written_is_reported_by_the_next(
    house: House, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonce = await terminal.nonce()
    assert (await terminal.signed("GET", "/api/time/kiosk/device", nonce=nonce)).status == 200

    async def away(write: object) -> None:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(house.gateway.journal, "write", away)
        assert (await terminal.signed("GET", "/api/time/kiosk/device", nonce=nonce)).problem == "state-unavailable"
    for _ in range(3):
        assert (await terminal.signed("GET", "/api/time/kiosk/device", nonce=nonce)).problem == "nonce-replayed"
    async with house.gateway.administration.database.read() as connection:
        assert len(await audit.list_(connection, house.company_id, "nonce.replayed")) == 1
