"""Connections with a short way for the requests that are most of a gateway's day: those of terminals.

aiohttp makes a task, a request, a route match, a writer and a response for each request, and passes it through an
application; that costs more than checking its signature. Here a request that is already there as a whole, for a route
whose handler wants nothing but plain values, goes straight to that handler, and its answer out in one write. aiohttp's
limits and timeouts stay in front of both ways, the rules of `middlewares` stay around both.

Whatever is not utterly ordinary goes aiohttp's way: other routes and methods, another spelling of the target, a query,
HTTP/1.0, `Connection: close`, `Expect`, a content coding, chunks, an upgrade, a body that is not there yet, requests
sent before the last one was answered, the doctor's probes, and everything the parser refuses. So there is one way more,
but no other rule.

As long as a connection has brought nothing else, its requests are read by `whole_requests`. From the first bytes on
that are not for it, aiohttp's parser reads them and all that follow: one that has seen a part of a connection must see
the rest, or both would disagree where a request begins.

This leans on how aiohttp's `RequestHandler` works inside: `start()` sleeps on `_waiter` until `data_received()` has put
messages into `_messages`. While a request is on the short way that sleep goes on, and what arrives meanwhile waits in
`_messages`. The versions are locked, and the tests compare both ways.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiohttp import hdrs, web
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11, RawRequestMessage

from gateway.http.answers import http_date
from gateway.http.bodies import BODY_LIMIT, CONTENT_ENCODING
from gateway.http.middlewares import API
from gateway.http.plain import PlainRequest
from gateway.http.plain_handler import PlainHandler
from gateway.http.whole_requests import read_whole
from gateway.proxy_probe.tokens import PROBE

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Mapping

    from gateway.http.middlewares import Outer
    from gateway.http.plain_handler import Rule
    from gateway.http.routes import Route
    from gateway.metrics import Metrics, RouteTally


class ShortWay(NamedTuple):
    """A route that can be reached the short way."""

    method: str
    path: str
    tally: RouteTally
    rule: Rule


class ShortWays:
    """All of them, by method and path, with the rules that are around every request."""

    def __init__(self, outer: Outer, metrics: Metrics, routes: Iterable[Route]) -> None:
        self.outer = outer
        self.by_route: Final[Mapping[tuple[str, str], ShortWay]] = {
            (route.method, route.path): ShortWay(
                route.method, route.path, metrics.route(route.path, route.method), route.handler.rule
            )
            for route in routes
            if isinstance(route.handler, PlainHandler) and route.path.startswith(API) and not route.path_parameters
        }
        self.by_request_line: Final[Mapping[bytes, ShortWay]] = {
            f"{method} {path} HTTP/1.1".encode(): way for (method, path), way in self.by_route.items()
        }


NOT_READ_WHOLE: Final = frozenset(
    name.lower().encode()
    for name in (
        *(hdrs.TRANSFER_ENCODING, hdrs.UPGRADE, hdrs.EXPECT, hdrs.SEC_WEBSOCKET_KEY1, CONTENT_ENCODING, PROBE),
        "Proxy-Connection",  # to llhttp another name of Connection
    )
)
"""Fields that aiohttp, its parser or our application give a meaning."""

SHORT_WAYS: Final = web.AppKey("SHORT_WAYS", ShortWays)
"""The short ways of an application, for its runner."""


class Runner(web.AppRunner):
    """aiohttp's runner, whose connections know the application's short ways. Arguments as for `web.AppRunner`."""

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(server, self.app[SHORT_WAYS])


class _Server(web.Server):
    """aiohttp's server with these connections."""

    def __init__(self, server: web.Server, ways: ShortWays) -> None:
        super().__init__(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            loop=server._loop,
            **server._kwargs,
        )
        self._ways = ways

    def __call__(self) -> Connection:
        return Connection(self, self._ways, loop=self._loop, **self._kwargs)


class Connection(web.RequestHandler):
    """One connection. At most one request is on the short way, and then none on aiohttp's."""

    __slots__ = ("_by_request_line", "_by_route", "_outer", "_parser_is_untouched", "_short")

    def __init__(self, server: web.Server, ways: ShortWays, **options: Any) -> None:
        super().__init__(server, **options)
        self._outer = ways.outer
        self._by_route = ways.by_route
        self._by_request_line = ways.by_request_line
        self._parser_is_untouched = True
        self._short: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Take what arrived: the short way, if it is one ordinary request and nothing else is under way."""
        waiter = self._waiter
        is_busy = self._short is not None or waiter is None or waiter.done() or bool(self._messages)
        if self._parser_is_untouched and not is_busy and self._take_whole(data):
            return
        self._parser_is_untouched = False
        if self._short is None and is_busy:
            super().data_received(data)  # a request is on aiohttp's way
            return
        self._waiter = None  # so that nobody is woken yet
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if self._short is not None:
            return  # its end wakes whoever must go on
        if len(self._messages) == 1 and len(data) <= BODY_LIMIT and self._take_short_way():
            return
        self._wake()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """End: a request under way may take `timeout` seconds."""
        await super().shutdown(timeout)
        if self._short is not None:
            self._short.cancel()

    def _take_whole(self, data: bytes) -> bool:
        """Start the request that `data` is, if it is an ordinary one."""
        way = self._by_request_line.get(data[: data.find(b"\r\n")])
        if way is None or self._reading_paused or self._close or self._force_close:
            return False
        read = read_whole(data, NOT_READ_WHOLE)
        if read is None:
            return False
        fields, body = read
        # By it aiohttp tells a client that never spoke HTTP, which is no news, from one that suddenly does not.
        self._request_count += 1
        self._start(way, PlainRequest(way.method, way.path, None, fields, body, self._outer.make_id(), self))
        return True

    def _take_short_way(self) -> bool:
        """Start the only message that waits, if it is an ordinary one."""
        message, payload = self._messages[0]
        if not isinstance(message, RawRequestMessage):
            return False
        way = self._by_route.get((message.method, message.path))
        headers = message.headers
        if (
            way is None
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or message.chunked
            or not payload.is_eof()
            or self._reading_paused
            or hdrs.EXPECT in headers
            or CONTENT_ENCODING in headers
            or PROBE in headers
        ):
            return False
        self._messages.clear()
        if self._parser is not None:
            self._parser.message_consumed()
        body = payload.read_nowait()
        self._start(
            way,
            PlainRequest(message.method, message.path, headers, message.raw_headers, body, self._outer.make_id(), self),
        )
        return True

    def _start(self, way: ShortWay, request: PlainRequest) -> None:
        if self._manager is not None:
            self._manager.requests_count += 1
        self._request_in_progress = True
        self._short = self._loop.create_task(self._answer(way, request, self._outer.monotonic()))

    async def _answer(self, way: ShortWay, request: PlainRequest, started: float) -> None:
        closing = True
        try:
            answer = await self._outer.answer(way.tally, way.rule, request, started)
            if answer is not None and self.transport is not None:
                self.transport.write(answer.on_the_wire(_always(int(time.time()))))
                if self._paused:  # it does not read its answers: no further one until it does
                    await self._drain_helper()
                closing = hdrs.CONNECTION in answer.fields
        except ConnectionError:
            pass  # gone while its answer was to be read
        except Exception as error:  # noqa: BLE001 - as aiohttp does with what nobody caught
            self.log_exception("Unhandled exception", exc_info=error)
        finally:
            self._end(closing=closing)

    def _end(self, *, closing: bool) -> None:
        self._short = None
        self._request_in_progress = False
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        if closing or self._close or self._force_close:
            self.force_close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        self._wake()

    def _wake(self) -> None:
        waiter = self._waiter
        if self._messages and waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _process_keepalive(self) -> None:
        """Close the connection if it has been idle; on the short way it is not, although aiohttp's side sleeps."""
        if self._short is not None:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()


@lru_cache(2)
def _always(second: int) -> str:
    """Return the lines that are in every answer of a second."""
    return f"Date: {http_date(second)}\r\nServer: {SERVER_SOFTWARE}\r\n"
