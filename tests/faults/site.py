"""A gateway in a process of its own, administered from the test through SQL alone, and terminals that keep stamping."""

from __future__ import annotations

import contextlib
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from gateway.administration import Administration, open_administration
from gateway.settings import Settings
from storage import stamps
from tests.gateway.crowd import hire, put_up
from tests.gateway.serving_process import ServingProcess, serving_process
from tests.gateway.stamping.replay import replay
from tests.gateway.terminal import Terminal
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from storage.stamps import Stamp

PIN = "907311"


@dataclass
class Site:
    """One gateway process, its database, and a company in it."""

    process: ServingProcess
    administration: Administration
    http: aiohttp.ClientSession
    company_id: str
    settings: dict[str, str]

    async def terminal(self, label: str = "Door") -> Terminal:
        """An approved terminal that this process knows."""
        terminal = await self.pending_terminal(label)
        await self.administration.devices.approve(terminal.device_id, thumbprint=terminal.key.keyid, actor="cli")
        await self.seen(terminal, "active")
        return terminal

    async def pending_terminal(self, label: str = "Door") -> Terminal:
        registered = await self.administration.devices.register(self.company_id, label, actor="cli")
        terminal = Terminal(self.http, self.process.url, time.time)
        reply = await terminal.enrol(registered.enrolment_code)
        assert reply.status == 201, reply
        return terminal

    async def approved_terminals(self, count: int) -> list[Terminal]:
        """Put up past HTTP, whose quota many of them would meet; the process has yet to hear of them."""
        terminals = [Terminal(self.http, self.process.url, time.time) for _ in range(count)]
        await put_up(self.administration, self.company_id, terminals)
        return terminals

    async def seen(self, terminal: Terminal, state: str) -> None:
        """Wait until the process says `state` (or the problem of that name) to the terminal."""

        async def told() -> bool:
            reply = await terminal.device()
            return state in (reply.problem, reply.body.get("state"))

        await until(told)

    async def person(self, number: str) -> str:
        people = self.administration.people
        user = await people.add(self.company_id, full_name=f"Person {number}", personnel_number=number, actor="cli")
        await people.set_pin(user.id, PIN, actor="cli")
        return user.id

    async def stamps_of(self, user_id: str) -> list[Stamp]:
        """One person's stamps in their order."""
        async with self.administration.database.read() as connection:
            rows = await stamps.list_(connection, self.company_id, user_id=user_id, limit=100_000)
        return sorted(rows, key=lambda row: row.sequence)


@asynccontextmanager
async def open_site(directory: Path, *options: str, ready: int = 1, **settings: str) -> AsyncIterator[Site]:
    """Start a process; `settings` are `STAMPGATE_*` without the prefix, in lower case, for it and for the test."""
    variables = {f"STAMPGATE_{name.upper()}": value for name, value in settings.items()}
    values: dict[str, Any] = {"pin_hash_memory_kib": 8, "pin_hash_time": 1, **settings}
    loaded = Settings.load(data_dir=directory, **values)
    with serving_process(directory, *options, settings=variables) as process:
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
            open_administration(loaded) as administration,
        ):
            company = await administration.companies.add("Rosenthal", timezone="Europe/Berlin", actor="cli")
            await process.start(ready)
            yield Site(process, administration, http, company.id, variables)


@dataclass
class Worker:
    """One person at one terminal who clocks in and out as fast as answers come."""

    terminal: Terminal
    number: str
    user_id: str
    acknowledged: list[str] = field(default_factory=list)
    answers: set[tuple[int, str]] = field(default_factory=set)
    unanswered: tuple[str, str] | None = None

    async def sign_in(self) -> None:
        async def signed_in() -> bool:
            return (await self.terminal.sign_in(self.number, PIN)).status == 200

        await until(signed_in)

    async def stamp(self, action: str, stamp_id: str) -> int:
        """Stamp and note what came back; nothing came back when this raises."""
        self.unanswered = (action, stamp_id)
        reply = await self.terminal.act(action, stamp_id)
        self.unanswered = None
        self.answers.add((reply.status, reply.problem))
        if reply.status in (200, 201):
            self.acknowledged.append(stamp_id)
        return reply.status

    async def stamp_until_cut_off(self) -> None:
        action = "clock_in"
        with contextlib.suppress(aiohttp.ClientError, ConnectionError, KeyError):
            while True:
                status = await self.stamp(action, str(uuid.uuid4()))
                assert status == 201, self.answers
                action = "clock_out" if action == "clock_in" else "clock_in"


async def workers(site: Site, count: int) -> list[Worker]:
    """So many people, each signed in at a terminal of their own."""
    numbers = [f"{at:04}" for at in range(count)]
    people = await hire(site.administration, site.company_id, numbers, PIN)
    found = list(map(Worker, await site.approved_terminals(count), numbers, people))
    # The process that knows the last terminal has read what came before it: the others, and that these PINs are new.
    await site.seen(found[-1].terminal, "active")
    for worker in found:
        await worker.sign_in()
    return found


async def acknowledged(found: Iterable[Worker], at_least: int) -> None:
    """Wait until so many stamps were acknowledged."""
    found = list(found)
    await until(lambda: sum(len(worker.acknowledged) for worker in found) >= at_least)


def assert_each_once(rows: list[Stamp], worker: Worker) -> None:
    """Every acknowledged stamp is there exactly once, and the history has no gap and no impossible step."""
    recorded = [row.stamp_id for row in rows]
    assert len(recorded) == len(set(recorded))
    assert set(worker.acknowledged) <= set(recorded)
    replay(rows)
