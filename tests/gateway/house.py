"""A whole gateway for tests: really listening on loopback, with a clock that can be moved, and people to try it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web, web_app

from gateway.app import open_gateway
from gateway.listening import bind
from gateway.server import make_runner
from gateway.settings import Settings
from storage import audit, stamps, trust_changes
from tests.gateway.cheap_hash import CHEAP_HASH
from tests.gateway.kept import Kept, is_new
from tests.gateway.phone import Phone
from tests.gateway.terminal import Terminal
from tests.servers.databases import put_sqlite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.app import Gateway
    from storage.stamps import Stamp


class MovableClock:
    """Starts at the present and moves when told."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved

    def move(self, seconds: float) -> None:
        self.moved += seconds


@dataclass
class Person:
    id: str
    number: str
    pin: str


@dataclass
class House:
    """A running gateway, one company, and what tests do with them."""

    gateway: Gateway
    url: str
    http: aiohttp.ClientSession
    clock: MovableClock
    company_id: str
    link: str
    people: dict[str, Person] = field(default_factory=dict)
    others: list[Gateway] = field(default_factory=list)
    """Further gateways of the same company, which must hear of changes too."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def person(self, number: str, pin: str = "907311", name: str = "Ada Winter") -> Person:
        people = self.gateway.administration.people
        user = await people.add(self.company_id, full_name=name, personnel_number=number, actor="cli")
        await people.set_pin(user.id, pin, actor="cli")
        await self.told()  # a session of before this change would end by it
        person = self.people[number] = Person(user.id, number, pin)
        return person

    async def code(self, label: str = "Door", **options: Any) -> str:
        devices = self.gateway.administration.devices
        return (await devices.register(self.company_id, label, actor="cli", **options)).enrolment_code

    async def pending_terminal(self, **options: Any) -> Terminal:
        terminal = Terminal(self.http, self.url, self.clock)
        reply = await terminal.enrol(await self.code(**options))
        assert reply.status == 201, reply
        return terminal

    async def terminal(self, **options: Any) -> Terminal:
        """A terminal that may stamp."""
        terminal = await self.pending_terminal(**options)
        await self.approve(terminal)
        return terminal

    async def approve(self, terminal: Terminal) -> None:
        devices = self.gateway.administration.devices
        await devices.approve(terminal.device_id, thumbprint=terminal.key.keyid, actor="cli")
        await self.told()

    def phone(self, address: str | None = None) -> Phone:
        return Phone(self.http, self.url, self.link, address)

    async def stamps(self) -> list[Stamp]:
        """All stamps, oldest first."""
        async with self.gateway.administration.database.read() as connection:
            return (await stamps.list_(connection, self.company_id, limit=100_000))[::-1]

    async def audit_names(self) -> list[str]:
        """The names of all audit events, oldest first."""
        async with self.gateway.administration.database.read() as connection:
            return [event.name for event in await audit.list_(connection, None, limit=100_000)][::-1]

    async def told(self) -> None:
        """Return when every gateway has read all changes of trust committed by now."""
        async with self.gateway.administration.database.read() as connection:
            latest = await trust_changes.latest(connection)
        async with asyncio.timeout(10):
            for gateway in (self.gateway, *self.others):
                while gateway.feed.seen < latest:
                    gateway.feed.wake()
                    await asyncio.sleep(0.002)


@asynccontextmanager
async def serving(
    directory: Path, *, clock: MovableClock | None = None, port: int = 0, **options: Any
) -> AsyncIterator[tuple[Gateway, str]]:
    """Run a gateway in this process on a loopback port; give it and its address."""
    values = {"data_dir": directory, "metrics_port": 0, **CHEAP_HASH, **options}
    if "database_url" not in options and not (file := directory / "stampgate.db").exists():
        await put_sqlite(file)
    listening = bind("127.0.0.1", port)
    bound = listening.getsockname()[1]
    async with open_gateway(Settings.load(**values), bound_port=bound, clock=clock or MovableClock()) as gateway:
        runner = make_runner(gateway)
        await runner.setup()
        try:
            await web.SockSite(runner, listening).start()
            yield gateway, f"http://127.0.0.1:{bound}"
        finally:
            await runner.cleanup()
            # aiohttp remembers the handlers of a thousand applications, and a test process has thousands of them.
            web_app._cached_build_middleware.cache_clear()


@asynccontextmanager
async def _founded(directory: Path, **options: Any) -> AsyncIterator[tuple[str, str]]:
    """Found a company whose phone link is on; give its id and the token of its link."""
    async with serving(directory, **options) as (gateway, _):
        yield await _found(gateway)


async def _found(gateway: Gateway) -> tuple[str, str]:
    companies = gateway.administration.companies
    company = await companies.add("Rosenthal", timezone="Europe/Berlin", locale="de", actor="cli")
    await companies.update(company.id, {"public_stamp_enabled": True}, actor="cli")
    return company.id, (await companies.rotate_link(company.id, actor="cli")).token


_founded_once = Kept(_founded)


@asynccontextmanager
async def open_house(directory: Path, **options: Any) -> AsyncIterator[House]:
    """Run a gateway with a company whose phone link is on; `founded`: its id and token, if it is there already."""
    founded = options.pop("founded", None)
    connector = aiohttp.TCPConnector(limit=0)
    if (
        founded is None and "clock" not in options and is_new(directory, options)
    ):  # the kept one was made at the present
        founded = await _founded_once.put(directory)
    clock = options.pop("clock", None) or MovableClock()
    async with (
        serving(directory, clock=clock, **options) as (gateway, url),
        aiohttp.ClientSession(connector=connector) as http,
    ):
        if founded is None:
            founded = await _found(gateway)
            await gateway.feed.refresh()  # what was there before has been read at the start
        company_id, link = founded
        yield House(gateway, url, http, clock, company_id, link)
