"""A revoked terminal is out within a second at both of two gateway processes, on PostgreSQL and a real Redis.

Also when Redis is flushed, when one process is paused, and when the database is away from one of them.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from typing import TYPE_CHECKING

from gateway.trust_feed.feed import STALE_AFTER_SECONDS
from tests.faults.site import PIN
from tests.faults.two_gateways import TwoGateways, two_gateways
from tests.gateway.terminal import KIOSK, Reply, Terminal
from tests.gateway.waiting import DEADLINE_SECONDS, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.redis import RedisServer

PROMISED_SECONDS = 1.0
REVOCATIONS = 100
AT_ONCE = 10
AWAY_SECONDS = 5.0
SHUT_OUT = {"state-unavailable", "device-revoked"}


async def refused_after(terminal: Terminal, revoked_at: asyncio.Future[float]) -> float:
    """Ask again and again; return the seconds from the revocation to the first refusal, after which nothing is let in.

    On a starved machine a process may not know for a moment what is true; then it refuses everybody.
    """
    began = await revoked_at
    await asyncio.sleep(0.1)  # a question at once would mostly be too early, and so many of them delay the news
    reply = await terminal.device()
    while reply.status == 200:
        assert time.monotonic() - began < DEADLINE_SECONDS
        await asyncio.sleep(0.1)
        reply = await terminal.device_again(reply)
    seconds = time.monotonic() - began
    while reply.problem != "device-revoked":
        assert reply.problem == "state-unavailable"
        assert time.monotonic() - began < DEADLINE_SECONDS
        await asyncio.sleep(0.05)
        reply = await terminal.device()
    return seconds


async def revoke(gateways: TwoGateways, *terminals: Terminal) -> list[float]:
    """Revoke one terminal; return how many seconds later it is refused at each gateway it speaks to."""
    revoked_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    waiting = [asyncio.create_task(refused_after(one, revoked_at)) for one in terminals]
    await gateways.revoke(terminals[0])
    revoked_at.set_result(time.monotonic())
    return await asyncio.gather(*waiting)


async def test_of_100_revocations_each_is_true_at_both_gateways_within_a_second(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two_gateways(tmp_path, redis_server) as gateways:
        number = "0101"
        user_id = await gateways.site.person(number)
        pairs = await gateways.terminals(REVOCATIONS)
        await gateways.let_in(*pairs[-1])
        signed_in = pairs[:: REVOCATIONS // 5]
        for here, there in signed_in:
            assert (await here.sign_in(number, PIN)).status == 200
            there.token = here.token
            assert (await there.status()).status == 200
        seconds: list[float] = []
        for at in range(0, REVOCATIONS, AT_ONCE):
            group = await asyncio.gather(*(revoke(gateways, *pair) for pair in pairs[at : at + AT_ONCE]))
            seconds += itertools.chain(*group)
        assert len(seconds) == 2 * REVOCATIONS
        assert max(seconds) < PROMISED_SECONDS, sorted(seconds)[-5:]
        for terminal in itertools.chain(*signed_in):
            assert (await terminal.act("clock_in")).problem == "device-revoked"
        assert await gateways.site.stamps_of(user_id) == []


async def test_neither_a_flushed_redis_nor_a_pause_nor_a_database_away_brings_a_revoked_terminal_back(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    async with two_gateways(tmp_path, own_redis_server) as gateways:
        # Redis loses everything at the moment of the revocation.
        pair, paused_pair, cut_off, bystanders = await gateways.terminals(4)
        await gateways.let_in(*pair)
        await gateways.revoke(pair[0])
        revoked = time.monotonic()
        own_redis_server.flush()
        for terminal in pair:
            await until(lambda one=terminal: _says(one, "device-revoked"))  # type: ignore[misc]
        assert time.monotonic() - revoked < PROMISED_SECONDS

        # One process sleeps through it. What waits for it is there when it wakes.
        here, there = paused_pair
        await gateways.let_in(here, there)
        nonce = await there.nonce()
        gateways.other.signal(signal.SIGSTOP)
        try:
            paused = time.monotonic()
            await gateways.revoke(here)
            revoked = time.monotonic()
            waiting = asyncio.create_task(there.signed("GET", f"{KIOSK}/device", nonce=nonce))
            await until(lambda: _says(here, "device-revoked"))
            assert time.monotonic() - revoked < PROMISED_SECONDS
            await asyncio.sleep(max(0.0, paused + STALE_AFTER_SECONDS + 0.1 - time.monotonic()))
        finally:
            gateways.other.signal(signal.SIGCONT)
        assert (await waiting).problem in SHUT_OUT
        await until(lambda: _says(there, "device-revoked"))

        # The database is away from one process: after two seconds it lets nobody in, and knows all when it is back.
        here, there = cut_off
        bystander = bystanders[1]
        await gateways.let_in(here, there, bystander)
        await gateways.link.cut()
        cut = time.monotonic()
        assert max(await revoke(gateways, here)) < PROMISED_SECONDS
        await asyncio.sleep(max(0.0, cut + STALE_AFTER_SECONDS + 0.3 - time.monotonic()))
        while time.monotonic() < cut + AWAY_SECONDS:
            replies = await asyncio.gather(there.device(), bystander.device())
            assert [(reply.status, reply.problem) for reply in replies] == [(503, "state-unavailable")] * 2
            await asyncio.sleep(0.2)
        await gateways.link.mend()
        answers: list[Reply] = []

        async def revoked_is_told() -> bool:
            answers.append(await there.device())
            return answers[-1].problem == "device-revoked"

        await until(revoked_is_told)
        assert {reply.problem for reply in answers} <= SHUT_OUT
        await gateways.let_in(bystander)


async def _says(terminal: Terminal, problem: str) -> bool:
    return (await terminal.device()).problem == problem
