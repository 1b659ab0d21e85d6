"""A terminal changes its key, and no lost answer or power cut at any moment locks it out or makes it look copied."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from crypto.device_keys import DeviceKey
from kiosk_client import KeyStore, KioskClient, StoredKey
from kiosk_client.errors import GatewayRefused, GatewayUnreachable, KeyStoreFault, KioskError
from kiosk_client.key_change import AGAIN_AFTER, DAY, JITTER, KeyChange, jitter
from kiosk_client.next_key import NextKey, sole_user
from kiosk_client.signed_http import SignedHttp
from tests.gateway.house import open_house
from tests.kiosk_client.fake_gateway import FakeGateway, Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.gateway.house import House
    from tests.kiosk_client.conftest import Cli, MovedClock


class PowerCut(BaseException):
    """The process ends here: nothing catches this, and nothing that was in memory is left."""


@dataclass
class Place:
    """A terminal that is enrolled at some gateway, and how to look at it from there."""

    store: KeyStore
    state: Callable[[], Awaitable[str]]
    current_keyid: Callable[[], Awaitable[str | None]]
    move: Callable[[float], None]
    clock: Callable[[], float]

    def client(self) -> KioskClient:
        stored = self.store.load()
        assert stored is not None
        return KioskClient.of(stored, clock=self.clock, sleep=_no_sleep)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def change_of(store: KeyStore, client: KioskClient) -> KeyChange:
    return KeyChange(store, client, randomness=os.urandom)


async def _at_the_fake(stack: AsyncExitStack, directory: Path) -> Place:
    gateway = await stack.enter_async_context(FakeGateway())
    gateway.codes["WDJB-MJHT"] = None
    key = DeviceKey.generate(os.urandom)
    async with KioskClient.of(StoredKey(gateway.url, key, time.time())) as client:
        enrolled = await client.enrol("WDJB-MJHT")
    gateway.approve()
    store = KeyStore(directory)
    store.create(_stored(gateway.url, key, enrolled))
    device = gateway.only_device()

    async def state() -> str:
        return device.state

    async def current_keyid() -> str | None:
        return next((keyid for keyid, one in gateway.devices.items() if one is device), None)

    def move(seconds: float) -> None:
        gateway.clock_ahead += seconds

    return Place(store, state, current_keyid, move, gateway.now)


async def _at_the_real_one(stack: AsyncExitStack, directory: Path) -> Place:
    house: House = await stack.enter_async_context(open_house(directory / "data"))
    key, code = DeviceKey.generate(os.urandom), await house.code()
    async with KioskClient.of(StoredKey(house.url, key, house.clock()), clock=house.clock) as client:
        enrolled = await client.enrol(code)
    devices = house.gateway.administration.devices
    await devices.approve(enrolled.device_id, thumbprint=key.keyid, actor="cli")
    await house.told()
    store = KeyStore(directory / "state")
    store.create(_stored(house.url, key, enrolled))

    async def state() -> str:
        return (await devices.get(enrolled.device_id)).state

    async def current_keyid() -> str | None:
        return (await devices.get(enrolled.device_id)).keyid

    return Place(store, state, current_keyid, house.clock.move, house.clock)


def _stored(url: str, key: DeviceKey, enrolled: Any) -> StoredKey:
    return StoredKey(
        url=url,
        key=key,
        created_at=time.time(),
        state="active",
        device_id=enrolled.device_id,
        enrolment_id=enrolled.enrolment_id,
        gateway_keyid=enrolled.gateway_keyid,
    )


@pytest.fixture(params=[_at_the_fake, _at_the_real_one], ids=["fake", "real"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        yield await request.param(stack, tmp_path)


async def test_the_key_changes_in_the_store_the_client_and_the_gateway(place: Place) -> None:
    before = place.store.load()
    assert before is not None
    async with place.client() as client:
        await client.device()
        changed = await change_of(place.store, client).change()
        assert changed.key.keyid != before.key.keyid
        assert client.key.keyid == changed.key.keyid == await place.current_keyid()
        await client.heartbeat()
    after = place.store.load()
    assert after is not None
    assert after == replace(before, key=after.key, created_at=after.created_at)
    assert after.key.keyid == changed.key.keyid
    assert NextKey(place.store).load() is None
    place.move(60)
    async with place.client() as client:
        assert (await client.device()).state == "active"


CUTS = ("stored", "offered", "answered", "used", "before the rename", "renamed")


def cut(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """End the process at one moment of a change."""
    create, offer, device, take_over, send = (
        NextKey.create,
        KioskClient.offer_key,
        KioskClient.device,
        NextKey.take_over,
        SignedHttp.send,
    )

    def created(self: NextKey, stored: StoredKey) -> StoredKey:
        create(self, stored)
        raise PowerCut

    async def sent(self: SignedHttp, method: str, target: str, **options: Any) -> Any:
        reply = await send(self, method, target, **options)
        if target.endswith("/device/key" if moment == "offered" else "/device"):
            raise PowerCut
        return reply

    async def offered(self: KioskClient, key: DeviceKey) -> Any:
        await offer(self, key)
        raise PowerCut

    async def used(self: KioskClient, **options: Any) -> Any:
        answer = await device(self, **options)
        if moment == "used":
            raise PowerCut
        return answer

    def before(self: NextKey) -> None:
        raise PowerCut

    def renamed(self: NextKey) -> None:
        take_over(self)
        raise PowerCut

    match moment:
        case "stored":
            monkeypatch.setattr(NextKey, "create", created)
        case "offered":
            monkeypatch.setattr(SignedHttp, "send", sent)
        case "answered":
            monkeypatch.setattr(KioskClient, "offer_key", offered)
        case "used":
            monkeypatch.setattr(KioskClient, "device", used)
        case "before the rename":
            monkeypatch.setattr(NextKey, "take_over", before)
        case "renamed":
            monkeypatch.setattr(NextKey, "take_over", renamed)


LATER = (0.0, 60.0, 86_400.0)
"""Seconds until the power is back."""


async def test_a_power_cut_at_any_moment_leaves_a_terminal_that_works(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment, later in itertools.product(CUTS, LATER):
        with monkeypatch.context() as patched:
            cut(patched, moment)
            async with place.client() as client:
                with pytest.raises(PowerCut):
                    await change_of(place.store, client).change()
        place.move(later)
        try:
            await _works(place, changes=later == LATER[-1])
        except Exception as fault:
            fault.add_note(f"cut off when {moment}, and the power came back after {later} s")
            raise
        place.move(3600)  # a terminal may not change its key any number of times in an hour


async def _works(place: Place, *, changes: bool) -> None:
    """It knows its key, is known by it, and `changes` it another time (the next power cut needs that anyway)."""
    async with place.client() as client:
        await change_of(place.store, client).settle()
        assert (await client.device()).state == "active"
        assert client.key.keyid == await place.current_keyid()
        stored = place.store.load()
        assert stored is not None
        assert stored.key.keyid == client.key.keyid
        assert NextKey(place.store).load() is None
        if changes:
            place.move(60)
            await change_of(place.store, client).change()
    place.move(60)
    async with place.client() as client:
        await client.heartbeat()
    assert await place.state() == "active"


async def test_two_power_cuts_one_after_the_other_lock_nobody_out(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in ("offered", "used"):
        with monkeypatch.context() as patched:
            cut(patched, moment)
            async with place.client() as client:
                with pytest.raises(PowerCut):
                    await change_of(place.store, client).change()
    place.move(60)
    async with place.client() as client:
        await change_of(place.store, client).settle()
        await client.heartbeat()
    assert await place.state() == "active"


@pytest.mark.parametrize("path", ["/device/key", "/device"])
@pytest.mark.parametrize("when", ["drop_before", "drop_after"])
async def test_an_answer_lost_for_good_is_cleared_up_as_soon_as_the_gateway_answers_again(
    gateway: FakeGateway, client: KioskClient, store: KeyStore, path: str, when: str
) -> None:
    change = change_of(store, client)
    getattr(gateway.faults, when)[path] = 3
    with pytest.raises(GatewayUnreachable):
        await change.change()
    gateway.faults.drop_before.clear()
    gateway.faults.drop_after.clear()
    gateway.clock_ahead += 30
    await change.settle()
    await client.heartbeat()
    assert gateway.only_device().state == "active"
    await change.change()
    gateway.clock_ahead += 30
    await client.heartbeat()
    assert gateway.only_device().state == "active"


async def test_while_the_gateway_says_nothing_neither_key_is_given_up(
    gateway: FakeGateway, client: KioskClient, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        cut(patched, "used")
        with pytest.raises(PowerCut):
            await change_of(store, client).change()
    gateway.clock_ahead += 60
    change = change_of(store, client)
    for trouble in (Refused("state-unavailable", 503), Refused("internal-error", 500)):
        gateway.faults.refuse["/device"] = trouble
        for _ in range(3):
            with pytest.raises(KioskError):
                await change.settle()
        del gateway.faults.refuse["/device"]
        assert NextKey(store).load() is not None
    # A gateway that knows neither key is not this terminal's: both are kept.
    gateway.faults.refuse["/device"] = Refused("device-unknown", 401)
    with pytest.raises(GatewayRefused):
        await change.settle()
    del gateway.faults.refuse["/device"]
    await change.settle()
    assert gateway.only_device().state == "active"
    assert client.key.keyid in gateway.devices


async def test_a_next_key_of_an_earlier_enrolment_is_thrown_away(
    gateway: FakeGateway, client: KioskClient, store: KeyStore, enrolled: StoredKey
) -> None:
    NextKey(store).create(replace(enrolled, key=DeviceKey.generate(os.urandom), enrolment_id="another"))
    await change_of(store, client).settle()
    assert NextKey(store).load() is None
    assert gateway.requests == []


async def test_a_key_is_changed_by_itself_between_its_thirtieth_and_its_thirty_third_day(
    gateway: FakeGateway, client: KioskClient, store: KeyStore
) -> None:
    device, first = gateway.only_device(), client.key.keyid
    device.key_expires_in = 60 * DAY + 60
    assert not await change_of(store, client).change_if_due(await client.device())
    device.key_expires_in = 60 * DAY - JITTER
    change = change_of(store, client)
    assert await change.change_if_due(await client.device())
    assert client.key.keyid != first
    assert not await change.change_if_due(await client.device())


async def test_terminals_put_up_on_one_day_change_their_keys_at_different_hours() -> None:
    waits = [jitter(DeviceKey.generate(os.urandom)) for _ in range(200)]
    assert 0 <= min(waits) < JITTER * 0.1
    assert JITTER * 0.9 < max(waits) < JITTER
    assert len({round(wait / 3600) for wait in waits}) > 30


async def test_an_older_gateway_that_knows_no_key_change_is_asked_again_after_an_hour_and_stamps_meanwhile(
    gateway: FakeGateway, client: KioskClient, store: KeyStore
) -> None:
    change, device = change_of(store, client), gateway.only_device()
    device.key_expires_in = 40 * DAY
    gateway.faults.refuse["/device/key"] = Refused("not-found", 404)
    for _ in range(3):
        assert not await change.change_if_due(await client.device())
        await client.heartbeat()
    assert gateway.seen("/device/key") == 1
    del gateway.faults.refuse["/device/key"]
    gateway.clock_ahead += AGAIN_AFTER + 1
    client.server_clock.learn_exact(gateway.now(), time.time(), time.time())
    assert await change.change_if_due(await client.device())


async def test_a_key_the_gateway_has_seen_is_not_offered_again(
    gateway: FakeGateway, client: KioskClient, store: KeyStore
) -> None:
    gateway.faults.refuse["/device/key"] = Refused("key-reused", 400)
    change = change_of(store, client)
    with pytest.raises(GatewayRefused):
        await change.change()
    del gateway.faults.refuse["/device/key"]
    assert NextKey(store).load() is None
    await change.change()


async def test_the_next_key_is_as_private_as_the_present_one(
    client: KioskClient, store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(monkeypatch, "stored")
    with pytest.raises(PowerCut):
        await change_of(store, client).change()
    assert (store.directory / "key.next.json").stat().st_mode & 0o777 == 0o600


async def test_one_process_at_a_time_changes_the_key(store: KeyStore, enrolled: StoredKey, cli: Cli) -> None:
    with sole_user(store.directory):
        with pytest.raises(KeyStoreFault, match="Another stampgate-kiosk"), sole_user(store.directory):
            pass
        assert await cli("status") == 0
        NextKey(store).create(replace(enrolled, key=DeviceKey.generate(os.urandom)))
        assert await cli("status") == 1
    assert await cli("status") == 0


async def test_the_command_changes_the_key_and_says_until_when_it_is_good(
    gateway: FakeGateway, store: KeyStore, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("change-key") == 0
    said = capsys.readouterr().out
    stored = store.load()
    assert stored is not None
    assert stored.key.keyid != enrolled.key.keyid
    assert list(gateway.devices) == [stored.key.keyid]
    assert "The key is changed." in said
    assert f"Thumbprint: {stored.key.keyid}" in said
    assert await cli("status") == 0


async def test_every_command_finds_the_key_after_a_change_that_was_cut_off(
    gateway: FakeGateway,
    client: KioskClient,
    store: KeyStore,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: MovedClock,
) -> None:
    pin = tmp_path / "pin"
    pin.write_text("271828\n")
    pin.chmod(0o600)
    for command in (["status"], ["stamp", "clock_in", "-n", "0042", "--pin-file", str(pin)], ["change-key"]):
        with monkeypatch.context() as patched:
            cut(patched, "used")
            async with KioskClient.of(store.load() or pytest.fail(), clock=clock, sleep=clock.sleep) as client:
                with pytest.raises(PowerCut):
                    await change_of(store, client).change()
        gateway.clock_ahead += 30
        assert await cli(*command) == 0
        assert NextKey(store).load() is None
    assert gateway.only_device().state == "active"
