"""The two ways to reach Redis: one node (also the in-process one) and a Redis Cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeAlias

from redis.exceptions import (
    AskError,
    ClusterDownError,
    ClusterError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from storage.ephemeral.commands import Command, Reply, Script, pack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import BlockingConnectionPool, RedisCluster
    from redis.asyncio.cluster import ClusterNode
    from redis.asyncio.connection import AbstractConnection

EXCHANGE_SECONDS = 1.0
"""For one round trip, connecting included. A Redis that needs longer is away: a 503 beats a queue of terminals."""

TOPOLOGY_SECONDS = 2.0
"""For asking a cluster who serves which slot: several nodes may be asked in turn."""

REDIRECTIONS = 3
"""How often one command follows a slot that moves before its store counts as unavailable."""

FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError)
"""All that reaching Redis can raise; redis-py has two families."""

ASKING = Command(pack("ASKING"), "")

Outcome: TypeAlias = "Reply | Exception"


class Server(Protocol):
    """Sends commands in one go and gives each its own outcome; never sends a command twice that may have been run."""

    round_trips: int

    async def round_trip(self, commands: Sequence[Command]) -> list[Outcome]:
        """One outcome per command, in order. Raises one of ``FAILURES``."""

    async def every_node(self, command: Command) -> list[Outcome]:
        """The outcome of ``command`` on each primary node."""

    async def close(self) -> None:
        """Ends all connections."""


async def _send(connection: AbstractConnection, commands: Sequence[Command]) -> list[Outcome]:
    await connection.send_packed_command([command.wire for command in commands])
    outcomes: list[Outcome] = []
    for _ in commands:
        try:
            outcomes.append(await connection.read_response())
        except ResponseError as error:
            outcomes.append(error)
    return outcomes


async def exchange(connection: AbstractConnection, commands: Sequence[Command]) -> tuple[list[Outcome], int]:
    """Outcomes of ``commands`` on one connection and the round trips taken.

    Scripts the server does not know are loaded and their commands sent again, once: ``NOSCRIPT`` is the one error that
    says for certain that nothing was run. A connection left in the middle of an exchange is closed, so that no answer
    can ever reach the wrong question.
    """
    complete = False
    try:
        outcomes = await _send(connection, commands)
        unknown = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, NoScriptError)]
        if unknown:
            scripts = {script.sha: script for at in unknown if (script := commands[at].script) is not None}
            loads = [_loading(script) for script in scripts.values()]
            again = await _send(connection, [*loads, *(commands[at] for at in unknown)])
            for at, outcome in zip(unknown, again[len(loads) :], strict=True):
                outcomes[at] = outcome
        # The next use connects anew, and so finds the primary after a failover.
        complete = not any(map(says_read_only, outcomes))
        return outcomes, 2 if unknown else 1
    finally:
        if not complete:
            await connection.disconnect(nowait=True)


def says_read_only(outcome: Outcome) -> bool:
    """Whether a replica answered; within a script its refusal is quoted in an error of the script."""
    return isinstance(outcome, ResponseError) and (isinstance(outcome, ReadOnlyError) or "READONLY" in str(outcome))


def _loading(script: Script) -> Command:
    return Command(script.loading, "")


class SingleNode:
    """One Redis behind a pool of connections.

    One that the server has closed in good order is replaced before it is used. Whoever is alone keeps the connection
    for the next: what the pool books for each use costs as much as a whole exchange on the connection does.
    """

    def __init__(self, pool: BlockingConnectionPool) -> None:
        self._pool = pool
        self._kept: AbstractConnection | None = None
        self._under_way = 0
        self.round_trips = 0

    async def round_trip(self, commands: Sequence[Command]) -> list[Outcome]:
        """All commands in one pipeline."""
        self._under_way += 1
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                connection = await self._connection()
                try:
                    outcomes, trips = await exchange(connection, commands)
                finally:
                    # Not while another one is under way: it may be waiting for the pool to get one back.
                    if self._under_way == 1 and connection.is_connected:
                        self._kept = connection
                    else:
                        await self._pool.release(connection)
        finally:
            self._under_way -= 1
        self.round_trips += trips
        return outcomes

    async def _connection(self) -> AbstractConnection:
        kept, self._kept = self._kept, None
        if kept is not None:
            is_usable = False
            try:
                is_usable = kept.is_connected and not await _has_unread(kept)
            finally:  # also when this is cancelled: what is not used goes back
                if not is_usable:
                    await self._pool.release(kept)
            if is_usable:
                return kept
        connection: AbstractConnection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        return connection

    async def every_node(self, command: Command) -> list[Outcome]:
        """The outcome on the only node."""
        return await self.round_trip([command])

    async def close(self) -> None:
        """Ends all connections."""
        self._kept = None
        await self._pool.disconnect()


async def _has_unread(connection: AbstractConnection) -> bool:
    """Whether the server has closed an idle connection or said something nobody asked for: it is of no use then."""
    try:
        return await connection.can_read()
    except (RedisError, OSError):
        return True


class Cluster:
    """A Redis Cluster, one pipeline per node.

    redis-py's own cluster pipeline runs a whole pipeline again after an error; here only commands that a node refused
    with ``MOVED`` or ``ASK``, and so did not run, are sent again.
    """

    def __init__(self, client: RedisCluster) -> None:
        self._client = client
        self._stale = True
        self.round_trips = 0

    async def round_trip(self, commands: Sequence[Command]) -> list[Outcome]:
        """Each node's commands in one pipeline, all nodes at once; a node that is away fails only its own commands."""
        await self._learn_topology()
        outcomes: list[Outcome] = [ClusterError("too many redirections")] * len(commands)
        waiting = list(range(len(commands)))
        for _ in range(1 + REDIRECTIONS):
            by_node: dict[ClusterNode, list[int]] = {}
            for at in waiting:
                by_node.setdefault(self._node_of(commands[at]), []).append(at)
            answers = await asyncio.gather(
                *(self._on_node(node, [commands[at] for at in ats]) for node, ats in by_node.items())
            )
            waiting = []
            for ats, answer in zip(by_node.values(), answers, strict=True):
                for at, outcome in zip(ats, answer, strict=True):
                    outcomes[at] = outcome
                    if isinstance(outcome, AskError):
                        outcomes[at] = await self._ask(outcome, commands[at])
                    elif isinstance(outcome, MovedError):
                        await self._client.nodes_manager.move_slot(outcome)
                        waiting.append(at)
            if not waiting:
                break
        return outcomes

    async def every_node(self, command: Command) -> list[Outcome]:
        """The outcome on each primary node."""
        await self._learn_topology()
        answers = await asyncio.gather(*(self._on_node(node, [command]) for node in self._client.get_primaries()))
        return [outcome for answer in answers for outcome in answer]

    async def close(self) -> None:
        """Ends all connections."""
        await self._client.aclose()

    async def _learn_topology(self) -> None:
        """Who serves which slot: at first use and after any error that may come from a failover."""
        if not self._stale:
            return
        self._stale = False  # before asking, so that a node lost meanwhile is not overlooked
        try:
            async with asyncio.timeout(TOPOLOGY_SECONDS):
                if self._client.get_default_node() is None:
                    await self._client.initialize()
                else:
                    await self._client.nodes_manager.initialize()
        except BaseException:
            self._stale = True
            raise

    def _node_of(self, command: Command) -> ClusterNode:
        return self._client.nodes_manager.get_node_from_slot(self._client.keyslot(command.key))

    async def _on_node(self, node: ClusterNode, commands: Sequence[Command]) -> list[Outcome]:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                connection = node.acquire_connection()
                try:
                    await node.disconnect_if_needed(connection)
                    if connection.is_connected and await connection.can_read():
                        await connection.disconnect()  # closed by the server meanwhile: writing to it would be lost
                    outcomes, trips = await exchange(connection, commands)
                finally:
                    node.release(connection)
        except FAILURES as error:
            self._stale = True
            return [error] * len(commands)
        self.round_trips += trips
        if any(isinstance(outcome, ClusterDownError) or says_read_only(outcome) for outcome in outcomes):
            self._stale = True
        return outcomes

    async def _ask(self, redirection: AskError, command: Command) -> Outcome:
        """Runs ``command`` once on the node its slot is moving to; the topology stays until the move is over."""
        node = self._client.get_node(host=redirection.host, port=redirection.port)
        if node is None:
            self._stale = True
            return redirection
        # Loaded first: a second try after NOSCRIPT would come without ASKING and be sent back.
        loads = [] if command.script is None else [_loading(command.script)]
        return (await self._on_node(node, [*loads, ASKING, command]))[-1]
