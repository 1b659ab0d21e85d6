"""The load generator: prepared requests over kept-alive connections, one thread, nothing parsed beyond what is needed.

It shares its core with Redis and PostgreSQL, so it must be cheap: about 15 µs per request, several times less than what
the process under test spends on one.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONNECTIONS = 64
ANSWER_SECONDS = 10.0
"""A server that says nothing for so long has failed."""

_LENGTH = b"Content-Length: "


class NoAnswer(Exception):
    """The server closed a connection or stopped answering."""


@dataclass(slots=True)
class Answers:
    """What came back: how long it all took (seconds), how many of each status, and the first unexpected answer."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    samples: dict[int, bytes] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.statuses.total() / self.seconds

    def other_than(self, *expected: int) -> int:
        """How many answers had another status."""
        return sum(count for status, count in self.statuses.items() if status not in expected)

    def take(self, answer: bytes) -> None:
        """Count one answer."""
        status = int(answer[9:12])
        self.statuses[status] += 1
        if status not in self.samples:
            self.samples[status] = answer


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that comes at `due` seconds after the start, whatever the server does; `kind` tells them apart."""

    due: float
    kind: str
    request: bytes


class _Connections:
    """Connections to one server and the parts of answers that have arrived on them."""

    def __init__(self, port: int, count: int) -> None:
        self.sockets: dict[int, socket.socket] = {}
        self.poll = select.epoll()
        self._parts: dict[int, bytes] = {}
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", port))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[one.fileno()] = one
            self.poll.register(one.fileno(), select.EPOLLIN)

    def answer(self, number: int) -> bytes | None:
        """Return the answer that is complete now on that connection."""
        data = self.sockets[number].recv(65536)
        if not data:
            raise NoAnswer("the server closed a connection")
        if self._parts and (before := self._parts.pop(number, None)) is not None:
            data = before + data
        end = data.find(b"\r\n\r\n")
        at = data.find(_LENGTH, 0, end)
        body = int(data[at + len(_LENGTH) : data.index(b"\r\n", at)]) if at >= 0 else 0
        if end < 0 or len(data) < end + 4 + body:
            self._parts[number] = data
            return None
        return data

    def close(self) -> None:
        self.poll.close()
        for one in self.sockets.values():
            one.close()


def as_fast_as_possible(port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Answers:
    """Send all requests in their order, the next on whichever connection has just been answered.

    Raises `NoAnswer`.
    """
    links = _Connections(port, min(connections, len(requests)))
    answers, coming = Answers(), iter(requests)
    take, read, sockets = answers.take, links.answer, links.sockets
    try:
        started = time.perf_counter()
        for one in sockets.values():
            one.sendall(next(coming))
        left = len(requests)
        while left:
            ready = links.poll.poll(ANSWER_SECONDS)
            if not ready:
                raise NoAnswer(f"no answer for {ANSWER_SECONDS:.0f} s")
            for number, _ in ready:
                answer = read(number)
                if answer is not None:
                    request = next(coming, None)
                    if request is not None:
                        sockets[number].sendall(request)
                    take(answer)
                    left -= 1
        answers.seconds = time.perf_counter() - started
    finally:
        links.close()
    return answers


def as_they_arrive(port: int, arrivals: Sequence[Arrival], connections: dict[str, int]) -> dict[str, Answers]:
    """Send each request when it is due; a latency begins when its request arrives, also when no connection is free.

    `connections`: how many for each kind. Raises `NoAnswer`.
    """
    pools = {kind: _Connections(port, count) for kind, count in connections.items()}
    free = {kind: deque(pool.sockets) for kind, pool in pools.items()}
    queued: dict[str, deque[tuple[float, bytes]]] = {kind: deque() for kind in pools}
    answers = {kind: Answers() for kind in pools}
    began: dict[int, float] = {}
    kind_of = {number: kind for kind, pool in pools.items() for number in pool.sockets}
    everything = select.epoll()
    for number in kind_of:
        everything.register(number, select.EPOLLIN)
    clock = time.perf_counter
    try:
        started = last = clock()
        at, left = 0, len(arrivals)
        while left:
            now = clock()
            while at < len(arrivals) and started + arrivals[at].due <= now:
                queued[arrivals[at].kind].append((now, arrivals[at].request))
                at += 1
            for kind, waiting in queued.items():
                while waiting and free[kind]:
                    arrived, request = waiting.popleft()
                    number = free[kind].popleft()
                    began[number] = arrived
                    pools[kind].sockets[number].sendall(request)
            # select, because the timeout of epoll is in whole milliseconds
            pause = max(0.0, started + arrivals[at].due - clock()) if at < len(arrivals) else ANSWER_SECONDS
            select.select([everything], [], [], pause)
            for number, _ in everything.poll(0):
                kind = kind_of[number]
                answer = pools[kind].answer(number)
                if answer is not None:
                    last = clock()
                    answers[kind].latencies.append(last - began.pop(number))
                    answers[kind].take(answer)
                    free[kind].append(number)
                    left -= 1
            if clock() - last > ANSWER_SECONDS and began:
                raise NoAnswer(f"no answer for {ANSWER_SECONDS:.0f} s")
        for one in answers.values():
            one.seconds = clock() - started
    finally:
        everything.close()
        for pool in pools.values():
            pool.close()
    return answers
