"""Two terminals and one person, two gateways and one database: no stamp is lost and none counts twice."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from storage import stamps
from tests.gateway.administered_site import MovedClock
from tests.gateway.house import House, open_house, serving
from tests.gateway.stamping.replay import replay
from tests.gateway.terminal import KIOSK
from tests.servers.databases import fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.terminal import Reply, Terminal
    from tests.servers.redis import RedisServer

ROUNDS = 200
ACTIONS = ["clock_in", "clock_out", "break_start", "break_end"]


@asynccontextmanager
async def two_terminals(
    kind: str, directory: Path, redis_server: RedisServer
) -> AsyncIterator[tuple[House, Terminal, Terminal]]:
    """Two terminals: of one gateway on SQLite, or each of its own gateway on PostgreSQL and Redis.

    The clock stands still, so that no session ends meanwhile.
    """
    clock = MovedClock()
    if kind == "sqlite":
        async with open_house(directory / "data", clock=clock) as house:
            yield house, await house.terminal(), await house.terminal()
        return
    async with fresh_url("postgresql", directory) as url:
        shared = {"database_url": url, "redis_url": redis_server.url}
        async with (
            open_house(directory / "data", clock=clock, **shared) as house,
            serving(directory / "data", clock=clock, **shared) as (second, other_url),  # type: ignore[arg-type]
        ):
            house.others.append(second)
            one, other = await house.terminal(), await house.terminal()
            other.url, other.authority = other_url, other_url.partition("//")[2]
            yield house, one, other


async def act(terminal: Terminal, action: str, stamp_id: str, nonce: str | None = None) -> Reply:
    """Act, and sign once more if the terminal's gateway asks for it."""
    body = {"stamp_id": stamp_id, "action": action}
    reply = await terminal.signed("POST", f"{KIOSK}/action", body, token=terminal.token, nonce=nonce)
    return await terminal.act(action, stamp_id) if reply.problem == "bad-nonce" else reply


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_two_terminals_stamping_one_person_at_once_lose_no_transition_and_double_none(
    kind: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    chance = random.Random(2026)
    async with two_terminals(kind, tmp_path, redis_server) as (house, one, other):
        person = await house.person("0101")
        for terminal in (one, other):
            assert (await terminal.sign_in("0101", person.pin)).status == 200
        accepted: list[str] = []
        nonces: list[str | None] = [None, None]  # of the last answers, as clients do
        state = "out"
        for at in range(ROUNDS):
            # Every other round both want the same, which only one can have; else two things that may or may not agree.
            wish = {"out": "clock_in", "in": "clock_out", "break": "break_end"}[state]
            wishes = (wish, wish if at % 2 else chance.choice(ACTIONS))
            ids = [str(uuid.uuid4()) for _ in wishes]
            replies = await asyncio.gather(*map(act, (one, other), wishes, ids, nonces))
            nonces = [reply.headers["Replay-Nonce"] for reply in replies]
            assert {reply.status for reply in replies} <= {201, 409}
            if at % 2:
                assert sorted(reply.status for reply in replies) == [201, 409]
            accepted += [stamp_id for stamp_id, reply in zip(ids, replies, strict=True) if reply.status == 201]
            async with house.gateway.administration.database.read() as connection:
                presence = await stamps.read_presence(connection, person.id)
            assert presence is not None
            state = presence.state
        assert (await other.status()).body["state"] == state
        rows = sorted(await house.stamps(), key=lambda row: row.sequence)
    assert sorted(row.stamp_id for row in rows) == sorted(accepted)
    assert replay(rows) == state
    assert presence is not None
    assert (presence.state, presence.sequence) == (state, len(rows))
    assert {row.device_id for row in rows} == {one.device_id, other.device_id}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_one_stamp_sent_50_times_at_once_is_recorded_once_and_answered_alike(
    kind: str, tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two_terminals(kind, tmp_path, redis_server) as (house, one, other):
        person = await house.person("0101")
        for terminal in (one, other):
            await terminal.sign_in("0101", person.pin)
            await terminal.status()
        stamp_id = str(uuid.uuid4())
        replies = await asyncio.gather(*(act((one, other)[at % 2], "clock_in", stamp_id) for at in range(50)))
        assert Counter((reply.status, reply.problem) for reply in replies) == {(201, ""): 1, (200, ""): 49}
        assert all(reply.body["stamp"] == replies[0].body["stamp"] for reply in replies)
        assert len(await house.stamps()) == 1
