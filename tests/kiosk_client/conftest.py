from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from crypto.device_keys import DeviceKey
from kiosk_client import KeyStore, KioskClient, StoredKey
from kiosk_client.cli import run
from tests.kiosk_client.fake_gateway import Device, FakeGateway

if TYPE_CHECKING:
    from pathlib import Path

CODE = "WDJB-MJHT"
Cli = Callable[..., Coroutine[Any, Any, int]]


class MovedClock:
    """A clock that is moved, and a sleep that moves it."""

    def __init__(self) -> None:
        self.behind = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.time() - self.behind

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with FakeGateway() as gateway:
        gateway.codes[CODE] = None
        yield gateway


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyStore:
    monkeypatch.setenv("STAMPGATE_KIOSK_STATE_DIR", str(tmp_path / "state"))
    return KeyStore(tmp_path / "state")


@pytest.fixture
def enrolled(gateway: FakeGateway, store: KeyStore) -> StoredKey:
    """A key that is enrolled and approved, in the store and at the gateway."""
    key = DeviceKey.generate(os.urandom)
    device = Device(key.public_key, "0198c0de-0000-7000-8000-000000000001", "0198c0de-0000-7000-8000-000000000002")
    gateway.devices[key.keyid] = replace(device, state="active")
    stored = StoredKey(
        url=gateway.url,
        key=key,
        created_at=time.time() - 3 * 86_400,
        state="active",
        device_id=device.device_id,
        enrolment_id=device.enrolment_id,
        gateway_keyid=gateway.key.keyid,
    )
    return store.create(stored)


@pytest.fixture
async def client(enrolled: StoredKey, clock: MovedClock) -> AsyncIterator[KioskClient]:
    async with KioskClient.of(enrolled, clock=clock, sleep=clock.sleep) as client:
        yield client


@pytest.fixture
def cli(store: KeyStore) -> Cli:
    """The command line, run in a thread so that the gateway can answer from this one."""

    async def called(*arguments: str) -> int:
        return await asyncio.to_thread(run, arguments)

    return called
