"""The store's connection: coalescing, failures of every kind, and coming back from them by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import BlockingConnectionPool

from storage.ephemeral.attempt_quota import AttemptQuota
from storage.ephemeral.commands import Command, Script, pack
from storage.ephemeral.connection import MAX_CONNECTIONS, Ephemeral, EphemeralUnavailable
from storage.ephemeral.device_trust import DeviceTrust
from storage.ephemeral.pin_guard import Attempt, PinGuard
from tests.servers.redis import ClusterServer, RedisServer, binary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COUNT = Script("count", b"return redis.call('INCRBY', KEYS[1], ARGV[1])")
SECRET = "s3cret-key"


async def test_calls_of_one_moment_share_a_round_trip(ephemeral: Ephemeral) -> None:
    await ephemeral.call(COUNT, ["{one}"], [1])
    before = ephemeral.round_trips
    totals = await asyncio.gather(*(ephemeral.call(COUNT, ["{one}"], [1]) for _ in range(100)))
    assert totals == list(range(2, 102))
    assert ephemeral.round_trips - before == 1


async def test_each_call_has_its_own_outcome(ephemeral: Ephemeral) -> None:
    await ephemeral.command("SET", f"{{a}}{SECRET}", "no number")
    outcomes = await asyncio.gather(
        ephemeral.call(COUNT, ["{a}1"], [1]),
        ephemeral.call(COUNT, [f"{{a}}{SECRET}"], [1]),
        ephemeral.command("LPUSH", f"{{a}}{SECRET}", 1),
        ephemeral.command("NOSUCH", SECRET, SECRET),
        ephemeral.call(COUNT, ["{b}1"], [2]),
        return_exceptions=True,
    )
    assert (outcomes[0], outcomes[4]) == (1, 2)
    for outcome in outcomes[1:4]:
        assert isinstance(outcome, EphemeralUnavailable)
        assert SECRET not in repr(outcome)
        assert outcome.__cause__ is None


async def test_a_forgotten_script_is_loaded_again_and_run_once(ephemeral: Ephemeral) -> None:
    await ephemeral.call(COUNT, ["{one}"], [1])
    for _ in range(3):
        await flush_scripts(ephemeral)
        before = ephemeral.round_trips
        totals = await asyncio.gather(*(ephemeral.call(COUNT, ["{one}"], [0]) for _ in range(5)))
        assert totals == [1] * 5
        assert ephemeral.round_trips - before == 2


async def flush_scripts(ephemeral: Ephemeral) -> None:
    await ephemeral._server.every_node(Command(pack("SCRIPT", "FLUSH"), ""))


async def test_ping_answers(ephemeral: Ephemeral) -> None:
    await ephemeral.ping()


async def test_the_eviction_policy_is_told(ephemeral: Ephemeral) -> None:
    assert await ephemeral.eviction_policies() == (set() if ephemeral.is_memory else {"noeviction"})


async def test_two_memory_stores_share_nothing() -> None:
    one, other = Ephemeral.open("memory://"), Ephemeral.open("memory://")
    await one.command("SET", "a", 1)
    assert await other.command("GET", "a") is None
    await one.close()
    await other.close()


@pytest.mark.parametrize("url", ["", "memory", "http://localhost", "localhost:6379", "redis:localhost"])
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must be one of memory, redis"):
        Ephemeral.open(url)


def test_a_cluster_may_be_reached_over_tls() -> None:
    assert Ephemeral.open("redis+cluster://localhost:7000?ssl=true").is_cluster


async def test_closing_finishes_what_was_accepted(ephemeral: Ephemeral) -> None:
    calls = [asyncio.ensure_future(ephemeral.call(COUNT, ["{one}"], [1])) for _ in range(10)]
    await asyncio.sleep(0)
    await ephemeral.close()
    assert await asyncio.gather(*calls) == list(range(1, 11))


async def test_a_redis_stopped_and_started_again_works_without_a_restart(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    for _ in range(3):
        await asyncio.gather(*(store.call(COUNT, ["one"], [1]) for _ in range(5)))
        own_redis_server.stop()
        for _ in range(3):
            with pytest.raises(EphemeralUnavailable):
                await store.call(COUNT, ["one"], [1])
            with pytest.raises(EphemeralUnavailable):
                await store.ping()
        own_redis_server.start()
        assert await store.call(COUNT, ["one"], [1]) == 1  # at the first try
    await store.close()


async def test_whoever_is_alone_keeps_the_connection_for_the_next(
    own_redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, get_connection = list[object](), BlockingConnectionPool.get_connection

    async def counted(pool: BlockingConnectionPool, *arguments: Any) -> Any:
        asked.append(pool)
        return await get_connection(pool, *arguments)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(BlockingConnectionPool, "get_connection", counted)
    store = Ephemeral.open(own_redis_server.url)
    who = [Command(pack("CLIENT", "ID"), "")]
    ids = {(await store.run(who))[0] for _ in range(5)}
    assert len(ids) == 1
    assert len(asked) == 1
    two = await asyncio.gather(store.run(who), store.run(who))
    assert two[0] != two[1]
    assert len(asked) == 2
    await store.run(who)
    assert len(asked) == 2
    await store.close()


async def test_connections_closed_meanwhile_are_replaced_before_they_are_used(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    for _ in range(MAX_CONNECTIONS + 1):  # none of them is lost to the pool
        connection = await store.command("CLIENT", "ID")
        own_redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await asyncio.sleep(0.02)  # until the end has arrived
        assert await store.command("CLIENT", "ID") != connection
    await store.close()


async def test_a_call_given_up_loses_no_connection(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    slow = [Command.plain("BLPOP", "nothing", "5")]
    for _ in range(MAX_CONNECTIONS + 1):
        assert await store.command("INCR", "turns") is not None
        call = asyncio.ensure_future(store.run(slow))
        await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await store.command("INCR", "turns") == MAX_CONNECTIONS + 2
    await store.close()


async def test_more_calls_than_connections_wait_for_one_another(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    slow = [Command.plain("BLPOP", "nothing", "0.05")]
    for _ in range(2):
        assert await asyncio.gather(*(store.run(slow) for _ in range(40))) == [[None]] * 40
    clients: dict[str, int] = own_redis_server.command("INFO", "clients")
    assert clients["connected_clients"] == MAX_CONNECTIONS + 1  # the one that asks
    await store.close()


async def test_a_cluster_stopped_and_started_again_works_without_a_restart() -> None:
    cluster = ClusterServer()
    try:
        cluster.start()
        store = Ephemeral.open(cluster.url)
        assert await asyncio.gather(*(store.call(COUNT, [f"{{{n}}}"], [1]) for n in range(30))) == [1] * 30
        cluster.stop()
        for _ in range(2):
            with pytest.raises(EphemeralUnavailable):
                await store.call(COUNT, ["{one}"], [1])
            with pytest.raises(EphemeralUnavailable):
                await store.ping()
        await asyncio.to_thread(cluster.start)
        assert await asyncio.gather(*(store.call(COUNT, [f"{{{n}}}"], [1]) for n in range(30))) == [1] * 30
        await store.close()
    finally:
        cluster.discard()


async def test_a_node_of_a_cluster_that_is_away_fails_its_own_calls_only(redis_cluster: ClusterServer) -> None:
    store = Ephemeral.open(redis_cluster.url)
    keys = [f"{{{n}}}" for n in range(30)]
    await asyncio.gather(*(store.call(COUNT, [key], [1]) for key in keys))
    redis_cluster.nodes[1].pause()
    try:
        outcomes = await asyncio.gather(*(store.call(COUNT, [key], [1]) for key in keys), return_exceptions=True)
    finally:
        redis_cluster.nodes[1].resume()
    assert {type(outcome) for outcome in outcomes} == {int, EphemeralUnavailable}
    await asyncio.to_thread(redis_cluster._wait_until_whole)
    assert len(await asyncio.gather(*(store.call(COUNT, [key], [1]) for key in keys))) == 30
    await store.close()


async def test_a_slot_that_moves_is_followed(redis_cluster: ClusterServer) -> None:
    store = Ephemeral.open(redis_cluster.url)
    assert await store.call(COUNT, ["{b00}:one"], [1]) == 1
    assert await store.call(COUNT, ["{b00}:two"], [1]) == 1
    first = redis_cluster.nodes[0]
    slot = first.command("CLUSTER KEYSLOT", "{b00}")
    old = redis_cluster.nodes[slot // 5462]
    new = redis_cluster.nodes[(slot // 5462 + 1) % 3]
    new_id, old_id = (node.command("CLUSTER MYID") for node in (new, old))
    new.command("CLUSTER SETSLOT", slot, "IMPORTING", old_id)
    old.command("CLUSTER SETSLOT", slot, "MIGRATING", new_id)
    old.command("MIGRATE", "127.0.0.1", new.port, "{b00}:one", 0, 5000)
    new.command("SCRIPT FLUSH")
    # One key has moved, one not yet, one is new.
    assert await store.call(COUNT, ["{b00}:one"], [1]) == 2
    assert await store.call(COUNT, ["{b00}:two"], [1]) == 2
    assert await store.call(COUNT, ["{b00}:three"], [1]) == 1
    with pytest.raises(EphemeralUnavailable):  # its keys are apart at the moment: nobody may guess
        await store.call(COUNT, ["{b00}:two", "{b00}:one"], [1])
    old.command("MIGRATE", "127.0.0.1", new.port, "{b00}:two", 0, 5000)
    for node in (new, old, *redis_cluster.nodes):
        node.command("CLUSTER SETSLOT", slot, "NODE", new_id)
    totals = await asyncio.gather(*(store.call(COUNT, [f"{{b00}}:{name}"], [1]) for name in ("one", "two", "three")))
    assert totals == [3, 3, 2]
    await store.close()


async def test_a_redis_that_hangs_is_given_up_after_a_second_and_used_again_later(
    own_redis_server: RedisServer,
) -> None:
    store = Ephemeral.open(own_redis_server.url)
    await store.call(COUNT, ["one"], [1])
    own_redis_server.pause()
    try:
        started = time.monotonic()
        with pytest.raises(EphemeralUnavailable, match="TimeoutError"):
            await store.call(COUNT, ["one"], [100])
        assert time.monotonic() - started < 3
    finally:
        own_redis_server.resume()
    # What was sent may have been counted, but never twice, and its answer reaches nobody else.
    assert await store.call(COUNT, ["one"], [1]) in {2, 102}
    await store.close()


async def test_a_replica_and_a_full_store_are_unavailable_and_come_back(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    await store.call(COUNT, ["one"], [1])
    connection = await store.command("CLIENT", "ID")
    own_redis_server.command("REPLICAOF", "127.0.0.1", 1)
    with pytest.raises(EphemeralUnavailable, match="READONLY"):
        await store.call(COUNT, ["one"], [1])
    assert await store.command("CLIENT", "ID") != connection  # the address may lead to another server by now
    own_redis_server.command("REPLICAOF", "NO", "ONE")
    own_redis_server.command("CONFIG SET", "maxmemory", 1)
    with pytest.raises(EphemeralUnavailable, match="OOM"):
        await store.call(COUNT, ["one"], [1])
    own_redis_server.command("CONFIG SET", "maxmemory", 0)
    assert await store.call(COUNT, ["one"], [1]) == 2
    await store.close()


class Answering:
    """A server that gives one answer to whatever it is asked, and counts what it is asked."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while received := await reader.read(65536):
                self.asked += received.count(b"EVALSHA")
                if self.answer is None:
                    break
                writer.write(self.answer * received.count(b"*"))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[Answering]:
    fake = Answering(answer)
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"-MOVED 3999 127.0.0.1:6381\r\n",
        b"-NOSCRIPT No matching script. Please use EVAL.\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-NOPERM this user has no permissions\r\n",
        b"-BUSY Redis is busy running a script.\r\n",
        b"-ERR Error running script: user_script:1: s3cret-key\r\n",
        b"-ERR max number of clients reached\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$5\r\nhel",
    ],
)
async def test_every_error_answer_is_unavailable_and_quotes_nothing(answer: bytes) -> None:
    async with answering(answer) as fake:
        store = Ephemeral.open(f"redis://127.0.0.1:{fake.port}")
        with pytest.raises(EphemeralUnavailable) as caught:
            await store.call(COUNT, [SECRET], [SECRET])
        assert SECRET not in str(caught.value)
        assert str(fake.port) not in str(caught.value)
        assert fake.asked <= 2
        await store.close()


async def test_a_batch_whose_connection_breaks_is_never_sent_again() -> None:
    async with answering(None) as fake:
        store = Ephemeral.open(f"redis://127.0.0.1:{fake.port}")
        outcomes = await asyncio.gather(*(store.call(COUNT, ["a"], [1]) for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {EphemeralUnavailable}
        assert fake.asked == 20
        await store.close()


@pytest.mark.parametrize("answer", [b"-OOM command not allowed\r\n", b":7\r\n", b"*1\r\n$1\r\nx\r\n", b"$1\r\nx\r\n"])
async def test_no_rule_takes_an_error_or_a_strange_answer_for_a_yes(answer: bytes) -> None:
    async with answering(answer) as fake:
        store = Ephemeral.open(f"redis://127.0.0.1:{fake.port}")
        trust, guard, quota = DeviceTrust(store), PinGuard(store), AttemptQuota(store)
        attempt = Attempt("1", "c", "kiosk", "5e", "kiosk-1")
        with pytest.raises(EphemeralUnavailable):
            await trust.admit("k" * 43, "n", 1_700_000_000, 1_700_000_000.0)
        with pytest.raises(EphemeralUnavailable):
            await guard.reserve(attempt, 1_700_000_000.0)
        with pytest.raises(EphemeralUnavailable):
            await guard.right(attempt, 1_700_000_000.0)
        if answer != b":7\r\n":
            with pytest.raises(EphemeralUnavailable):
                await quota.reserve("192.0.2.1", "1", 1_700_000_000.0)
        if answer.startswith(b"-"):
            with pytest.raises(EphemeralUnavailable):
                await trust.announce(1_700_000_000.0)
        await store.close()


async def test_nobody_listening_is_unavailable() -> None:
    async with answering(None) as fake:
        port = fake.port
    for scheme in ("redis", "redis+cluster"):
        store = Ephemeral.open(f"{scheme}://127.0.0.1:{port}")
        with pytest.raises(EphemeralUnavailable):
            await store.call(COUNT, ["a"], [1])
        with pytest.raises(EphemeralUnavailable):
            await store.ping()
        await store.close()


async def test_a_unix_socket_works(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "r.sock"
    server = RedisServer("--unixsocket", str(path))
    try:
        server.start()
        store = Ephemeral.open(f"unix://{path}")
        assert await store.call(COUNT, ["a"], [1]) == 1
        await store.close()
    finally:
        server.discard()


def test_the_binary_is_found() -> None:
    assert binary().endswith(("redis-server", "valkey-server"))
