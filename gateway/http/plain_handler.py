"""A handler of plain requests as a route has it: the rule itself, and what aiohttp calls to get to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.bodies import BODY_LIMIT, read_body
from gateway.http.middlewares import REQUEST_ID
from gateway.http.plain import PlainRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web

    from gateway.http.plain import PlainAnswer

    Rule = Callable[[PlainRequest], Awaitable[PlainAnswer]]


class PlainHandler:
    """Answers plain requests by its `rule`."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    async def handle(self, request: web.Request) -> web.Response:
        """Read the whole body and answer. Raises `Problem` and whatever the rule raises."""
        body = await read_body(request, BODY_LIMIT) if request.body_exists else b""
        plain = PlainRequest(
            request.method,
            request.raw_path,
            request.headers,
            request.raw_headers,
            body,
            request[REQUEST_ID],
            request.protocol,
        )
        return (await self.rule(plain)).response()
