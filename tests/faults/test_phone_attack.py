"""The attack that a public link invites, against the real server: a few common PINs at every number, from everywhere.

The company's phones pause at the documented count, its terminals never notice, and no answer tells who works there.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.http.problem_types import PROBLEMS
from storage import audit
from tests.faults.site import PIN, open_site, workers
from tests.gateway.crowd import hire
from tests.gateway.phone import PUBLIC, Phone
from tests.gateway.raw_http import ANSWER_SECONDS, RawReply, read_reply
from tests.gateway.telling_apart import OWN_TO_EACH_ANSWER, chance_of_equal, seen
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.faults.site import Site, Worker
    from tests.servers.redis import RedisServer

NUMBERS = 1000
COMMON_PINS = ("123456", "111111", "121212")
ADDRESSES = 500
AT_ONCE = 8
GUESSES_PER_STAMP = 60
"""When the phones pause: often enough, and it leaves the gateway to the attack."""
COMPANY_LIMIT = 100
PAUSE_SECONDS = 15 * 60


def address(at: int) -> str:
    return f"198.18.{at // 250}.{at % 250 + 1}"


@dataclass
class Answered:
    """What one guess got, and after how many seconds."""

    known: bool
    reply: RawReply
    seconds: float


@dataclass
class Attack:
    """Guesses under way, each from the next address; `known` are the numbers that somebody has."""

    site: Site
    link: str
    known: frozenset[str]
    answers: list[Answered] = field(default_factory=list)

    def phone(self, at: int) -> Phone:
        """What the proxy in front forwards from one of many addresses."""
        return Phone(self.site.http, self.site.process.url, self.link, address(at))

    async def guess(self, tries: Iterator[tuple[int, str, str]]) -> None:
        """Guess on a connection of one's own, by hand: what a client library does would cost more than the gateway."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.site.process.port)
        with contextlib.closing(writer):
            for at, number, pin in tries:
                self.answers.append(await self._one(reader, writer, at, number, pin))

    async def _one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at: int, number: str, pin: str
    ) -> Answered:
        body = json.dumps({"token": self.link, "personnel_number": number, "pin": pin}).encode()
        head = (
            f"POST {PUBLIC}/auth HTTP/1.1\r\nHost: 127.0.0.1:{self.site.process.port}\r\n"
            f"X-Forwarded-For: {address(at % ADDRESSES)}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        started = time.perf_counter()
        writer.write(head.encode() + body)
        async with asyncio.timeout(ANSWER_SECONDS):
            reply = await read_reply(reader)
        return Answered(number in self.known, reply, time.perf_counter() - started)

    def of(self, problem: str, known: bool) -> list[Answered]:
        return [one for one in self.answers if one.known is known and one.reply.problem == problem]


def tries_at(numbers: Iterable[str]) -> list[tuple[int, str, str]]:
    """Every common PIN at every number, the numbers in an order of chance."""
    shuffled = random.sample(sorted(numbers), k=NUMBERS)
    return [(at, *one) for at, one in enumerate((number, pin) for pin in COMMON_PINS for number in shuffled)]


async def keep_stamping(worker: Worker, attack: Attack, under_way: asyncio.Task[None]) -> tuple[int, int]:
    """Sign in and stamp at the terminal again and again; return how often all of it went well, and how often of these
    while the phones' guesses were still hashed: without a break then, for that is when they might take its turn."""
    rounds = hashed = 0
    while not under_way.done():
        assert (await worker.terminal.sign_in(worker.number, PIN)).status == 200
        assert (await worker.terminal.act("clock_out" if rounds % 2 else "clock_in")).status == 201
        rounds += 1
        answered = len(attack.answers)
        if answered < COMPANY_LIMIT:
            hashed += 1
            continue
        await until(lambda: under_way.done() or len(attack.answers) >= answered + GUESSES_PER_STAMP)  # noqa: B023
    return rounds, hashed


async def test_a_thousand_numbers_and_three_common_pins_from_everywhere(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    data = tmp_path / "data"
    async with open_site(data, redis_url=redis_server.url, trusted_proxies="127.0.0.0/8") as site:
        administration, company_id = site.administration, site.company_id
        await administration.companies.update(company_id, {"public_stamp_enabled": True}, actor="cli")
        link = (await administration.companies.rotate_link(company_id, actor="cli")).token
        numbers = [f"{1000 + at}" for at in range(NUMBERS)]
        known = frozenset(numbers[::2])
        await hire(administration, company_id, known, PIN)
        (worker,) = await workers(site, 1)
        attack = Attack(site, link, known)
        tries = iter(tries_at(numbers))

        async def together() -> None:
            await asyncio.gather(*(attack.guess(tries) for _ in range(AT_ONCE)))

        under_way = asyncio.create_task(together())
        stamped, while_hashed = await keep_stamping(worker, attack, under_way)
        await under_way

        # The pause begins with the hundredth confirmed wrong one; what was in flight then was hashed already.
        counts = Counter(one.reply.problem for one in attack.answers)
        assert counts.keys() == {"login-failed", "login-throttled"}
        assert COMPANY_LIMIT <= counts["login-failed"] < COMPANY_LIMIT + AT_ONCE
        assert sum(counts.values()) == NUMBERS * len(COMMON_PINS)
        (lock,) = await administration.lockouts.list_(company_id)
        assert (lock.lockout.scope, lock.lockout.reason, lock.lockout.tier) == ("company", "pause", "phone")
        async with administration.database.read() as connection:
            names = Counter(event.name for event in await audit.list_(connection, company_id, limit=10_000))
        assert (names["login.failed"], names["pin.locked"]) == (counts["login-failed"], 1)

        # Terminals: every sign-in and every stamp went well, all the while.
        assert stamped > 10
        assert while_hashed > 2
        assert len(await site.stamps_of(worker.user_id)) == stamped

        # Nothing tells a number that somebody has: not what is said, nor how long it takes.
        for problem in counts:
            said = {known: {_said(one.reply) for one in attack.of(problem, known)} for known in (True, False)}
            assert said[True] == said[False]
            assert len(said[True]) == 1, problem
        throttled = [[one.seconds for one in attack.of("login-throttled", known)] for known in (True, False)]
        assert sum(map(len, throttled)) > 2000
        assert chance_of_equal(*throttled) > 1e-4
        waits = [int(one.reply.headers["retry-after"]) for one in attack.answers if one.reply.status == 429]
        assert PAUSE_SECONDS - 300 < min(waits) <= max(waits) <= PAUSE_SECONDS

        # Whoever is known waits too, also when Redis loses everything, and gets in as soon as IT ends the pause.
        redis_server.flush()
        phone = attack.phone(ADDRESSES)
        assert (await phone.sign_in(min(known), PIN)).problem == "login-throttled"
        await administration.lockouts.clear([lock.lockout.id], actor="cli")

        async def signed_in() -> bool:
            return (await phone.sign_in(min(known), PIN)).status == 200

        await until(signed_in)


def _said(reply: RawReply) -> str:
    """All of an answer, but what each has anew and the seconds that are left of the pause."""
    status, headers, body = seen(reply, OWN_TO_EACH_ANSWER | {"retry-after"})
    assert status == PROBLEMS[reply.problem].status
    return repr((status, sorted(headers.items()), sorted(body.items())))
