"""Redis goes and comes back while people stamp and sign in: refused for the moment, never lost and never let in."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from typing import TYPE_CHECKING

from tests.gateway.house import House, open_house
from tests.gateway.stamping.replay import replay
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import Person
    from tests.gateway.terminal import Terminal
    from tests.servers.redis import RedisServer

TERMINALS = 4


class Load:
    """People who clock in and out at a terminal each, whatever they are answered, until told to stop."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[int, str]] = Counter()
        self.acknowledged: dict[str, list[str]] = {}
        self.stopping = False

    async def stamp(self, terminal: Terminal, person: Person) -> None:
        mine = self.acknowledged.setdefault(person.id, [])
        nonce = await terminal.nonce()
        state, pending = "out", ""
        while not self.stopping:
            pending = pending or str(uuid.uuid4())
            action = "clock_in" if state == "out" else "clock_out"
            body = {"stamp_id": pending, "action": action}
            reply = await terminal.signed("POST", "/api/time/kiosk/action", body, token=terminal.token, nonce=nonce)
            self.answers[reply.status, reply.problem] += 1
            nonce = reply.headers["Replay-Nonce"]
            if reply.status in (200, 201):
                mine.append(pending)
                state, pending = reply.body["status"]["state"], ""
            elif reply.problem == "session-expired":
                signed_in = await terminal.sign_in(person.number, person.pin)
                self.answers[signed_in.status, signed_in.problem] += 1
                nonce = await terminal.nonce()
            elif reply.status == 503:
                assert "Retry-After" in reply.headers
                await asyncio.sleep(0.05)


async def answered(load: Load, answer: tuple[int, str], more: int) -> None:
    """Wait until that answer was given `more` times."""
    wanted = load.answers[answer] + more
    await until(lambda: load.answers[answer] >= wanted)


async def test_redis_stopped_and_started_under_load_loses_no_stamp_and_gives_no_500(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        load = Load()
        pairs = [(await house.terminal(), await house.person(f"{at:04}")) for at in range(TERMINALS)]
        for terminal, person in pairs:
            await terminal.sign_in(person.number, person.pin)
        stamping = [asyncio.create_task(load.stamp(terminal, person)) for terminal, person in pairs]
        await answered(load, (201, ""), 5 * TERMINALS)
        own_redis_server.stop()
        await answered(load, (503, "state-unavailable"), 3 * TERMINALS)
        await asyncio.to_thread(own_redis_server.start)
        await answered(load, (201, ""), 5 * TERMINALS)
        load.stopping = True
        await asyncio.gather(*stamping)
        rows = await house.stamps()
    # After its return Redis knows no nonce and no session: each terminal signs once more and its person signs in anew.
    assert set(load.answers) <= {
        (201, ""),
        (200, ""),
        (401, "bad-nonce"),
        (401, "session-expired"),
        (503, "state-unavailable"),
    }, load.answers
    for _, person in pairs:
        own = sorted((row for row in rows if row.user_id == person.id), key=lambda row: row.sequence)
        assert [row.stamp_id for row in own] == load.acknowledged[person.id]
        replay(own)


async def test_without_redis_nobody_signs_in_and_everybody_can_when_it_returns(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
        await phone.sign_in("0101", person.pin)
        own_redis_server.stop()
        for reply in (
            await terminal.sign_in("0101", person.pin),
            await phone.sign_in("0101", person.pin),
            await phone.status(),
            await phone.act("clock_in"),
            await terminal.device(),
        ):
            assert (reply.status, reply.problem) == (503, "state-unavailable")
            assert "Retry-After" in reply.headers
        assert (await phone.company()).status == 200
        assert await ready(house) == (503, ["redis"])
        await asyncio.to_thread(own_redis_server.start)
        assert await ready(house) == (200, [])
        assert (await phone.sign_in("0101", person.pin)).status == 200
        first = await terminal.device()
        assert (first.status, first.problem) in ((200, ""), (401, "bad-nonce"))
        assert (await terminal.sign_in("0101", person.pin)).status == 200
        assert (await terminal.act("clock_in")).status == 201


async def test_a_gateway_starts_without_redis_and_works_when_it_comes(
    tmp_path: Path, own_redis_server: RedisServer
) -> None:
    own_redis_server.stop()
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        person = await house.person("0101")
        assert (await house.phone().sign_in("0101", person.pin)).status == 503
        await asyncio.to_thread(own_redis_server.start)
        phone = house.phone()
        assert (await phone.sign_in("0101", person.pin)).status == 200
        assert (await phone.act("clock_in")).status == 201


async def test_a_redis_that_hangs_is_away(tmp_path: Path, own_redis_server: RedisServer) -> None:
    async with open_house(tmp_path / "data", redis_url=own_redis_server.url) as house:
        person, phone = await house.person("0101"), house.phone()
        own_redis_server.pause()
        try:
            assert (await phone.sign_in("0101", person.pin)).problem == "state-unavailable"
        finally:
            own_redis_server.resume()
        assert (await phone.sign_in("0101", person.pin)).status == 200


async def ready(house: House) -> tuple[int, list[str]]:
    async with house.http.get(f"{house.url}/health/ready") as answer:
        document = await answer.json(content_type=None)
    return answer.status, document.get("down", [])
