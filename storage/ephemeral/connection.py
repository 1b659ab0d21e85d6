"""The one connection to the ephemeral store: opened by address, calls of one moment coalesced, failures of one kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError

from storage.batching import Batcher
from storage.ephemeral.commands import Argument, Command, Reply, Script, pack
from storage.ephemeral.servers import EXCHANGE_SECONDS, FAILURES, Cluster, Outcome, Server, SingleNode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

CLUSTER_SCHEME = "redis+cluster"
SCHEMES = ("memory", "redis", "rediss", "unix", CLUSTER_SCHEME)

MAX_CONNECTIONS = 16
"""Per node. Each batcher has one pipeline under way, so a handful is in use; the rest is room for tools."""

MAX_BATCH = 256
"""Commands in one pipeline: enough for any moment, small enough that the server answers others in between."""

_ERROR_CODE = re.compile(
    r"\b(READONLY|OOM|MISCONF|BUSY|NOREPLICAS|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|CROSSSLOT|WRONGTYPE|NOAUTH|NOPERM)\b"
)
"""What an error reply may be known by. Anything else in it could be part of a key."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class EphemeralUnavailable(Exception):
    """The ephemeral store cannot answer: away, too slow, loading, read-only or out of memory.

    Its text names the kind of failure only, never an address, a key or an argument.
    """

    @classmethod
    def because(cls, error: Exception) -> EphemeralUnavailable:
        """Of any failure of the client or the server; what an error reply quotes is left out but for its code."""
        kind = type(error).__name__
        if isinstance(error, ResponseError) and (code := _ERROR_CODE.search(str(error))):
            kind = f"{kind} {code[0]}"
        return cls(f"the ephemeral store did not answer ({kind})")


class Ephemeral:
    """The ephemeral store. Opening it connects to nothing: a gateway starts, and comes back, without it."""

    def __init__(self, server: Server, *, is_memory: bool = False, is_cluster: bool = False) -> None:
        self.is_memory = is_memory
        self.is_cluster = is_cluster
        self._server = server
        self._batchers: list[Batcher[Any, Any]] = []
        self._calls: Batcher[Command, Reply] = self.batcher(self.run, name="ephemeral")

    @classmethod
    def open(cls, url: str) -> Ephemeral:
        """The store at ``url``: ``memory://``, ``redis://``, ``rediss://``, ``unix://`` or ``redis+cluster://``.

        Options go into the query as redis-py reads them. Raises ``ValueError`` for any other address.

        Retries are off everywhere: after a broken connection redis-py 8 silently sends a pipeline again, up to ten
        times, and our scripts count. A try that was counted and whose answer was lost must not be counted again.
        """
        scheme = url.partition("://")[0]
        if scheme not in SCHEMES or "://" not in url:
            raise ValueError(f"not an address of an ephemeral store: its scheme must be one of {', '.join(SCHEMES)}")
        options: dict[str, Any] = {
            "protocol": 2,  # RESP2: no handshake beyond AUTH and SELECT, and no notifications between our answers
            "driver_info": None,  # would cost two more commands at each connect
            "socket_timeout": None,  # one deadline around each exchange instead of two timers per reply
            "socket_connect_timeout": EXCHANGE_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        }
        if scheme == CLUSTER_SCHEME:
            parts = urlsplit(url)
            secure = "rediss" if "ssl=true" in parts.query.lower().split("&") else "redis"
            query = "&".join(part for part in parts.query.split("&") if part.lower() != "ssl=true")
            cluster = RedisCluster.from_url(parts._replace(scheme=secure, query=query).geturl(), **options)
            return cls(Cluster(cluster), is_cluster=True)
        pooling: dict[str, Any] = {"max_connections": MAX_CONNECTIONS, "timeout": EXCHANGE_SECONDS}
        if scheme == "memory":
            return cls(SingleNode(_memory_pool(**options, **pooling)), is_memory=True)
        return cls(SingleNode(BlockingConnectionPool.from_url(url, **options, **pooling)))

    @property
    def round_trips(self) -> int:
        """Exchanges with Redis so far; on a cluster, one per node."""
        return self._server.round_trips

    def batcher(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result | Exception]]],
        *,
        name: str,
        observe: Callable[[int], None] | None = None,
    ) -> Batcher[Item, Result]:
        """A batcher that ``close`` finishes before the connections go."""
        batcher: Batcher[Item, Result] = Batcher(flush, max_batch=MAX_BATCH, name=name, observe=observe)
        self._batchers.append(batcher)
        return batcher

    async def call(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Reply:
        """The answer of one script, sharing a pipeline with the calls of the same moment.

        ``keys`` are at least one and of one hash tag. Raises ``EphemeralUnavailable``.
        """
        return await self._calls.submit(Command.run(script, list(keys), list(arguments)))

    async def command(self, name: str, key: str, *arguments: Argument) -> Reply:
        """The answer of one command of Redis itself about ``key``, sharing a pipeline likewise."""
        return await self._calls.submit(Command.plain(name, key, *arguments))

    async def run(self, commands: Sequence[Command]) -> list[Reply | Exception]:
        """Commands in one pipeline now; a command's own failure is its outcome. Raises ``EphemeralUnavailable``."""
        try:
            outcomes = await self._server.round_trip(commands)
        except FAILURES as error:
            raise EphemeralUnavailable.because(error) from None
        return [_told(outcome) for outcome in outcomes]

    async def ping(self) -> None:
        """Returns when every primary node answers. Raises ``EphemeralUnavailable``."""
        await self._ask_all(Command(pack("PING"), ""))

    async def eviction_policies(self) -> set[str]:
        """``maxmemory-policy`` of every primary node: anything but ``noeviction`` may drop a lockout under pressure.

        Empty for ``memory://``. Raises ``EphemeralUnavailable``.
        """
        if self.is_memory:
            return set()
        answers = await self._ask_all(Command(pack("INFO", "memory"), ""))
        texts = [answer.decode() if isinstance(answer, bytes) else str(answer) for answer in answers]
        return {found[1] for text in texts if (found := re.search(r"maxmemory_policy:([a-z-]+)", text))}

    async def close(self) -> None:
        """Finishes what was accepted, then ends all connections."""
        for batcher in self._batchers:
            await batcher.drain()
        await self._server.close()

    async def _ask_all(self, command: Command) -> list[Reply]:
        try:
            outcomes = await self._server.every_node(command)
        except FAILURES as error:
            raise EphemeralUnavailable.because(error) from None
        replies: list[Reply] = []
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise EphemeralUnavailable.because(outcome) from None
            replies.append(outcome)
        return replies


def _told(outcome: Outcome) -> Reply | Exception:
    return EphemeralUnavailable.because(outcome) if isinstance(outcome, Exception) else outcome


def _memory_pool(**options: Any) -> BlockingConnectionPool:
    """Connections to a server of this store alone, inside this process, that runs the same Lua scripts."""
    # fakeredis takes 0.3 s to import, which a gateway with a real Redis need not spend.
    from fakeredis import FakeServer
    from fakeredis.aioredis import FakeAsyncRedisConnection

    return BlockingConnectionPool(
        connection_class=FakeAsyncRedisConnection, server=FakeServer(version=(6, 2)), **options
    )
