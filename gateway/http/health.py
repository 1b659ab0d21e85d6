"""Health for load balancers: alive says that the process answers, ready that it can do its work.

``/health/ready`` names each dependency that is down, never why: the reasons are in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal

from gateway.http.answers import json_response
from gateway.http.models import Answer
from gateway.http.problems import Problem
from gateway.http.routes import Route

if TYPE_CHECKING:
    from aiohttp import web

Check = Callable[[], Awaitable[object]]
"""Returns when the dependency works, raises any exception when it does not."""

CHECK_SECONDS: Final = 2.0
"""How long one check may take; load balancers give up after a few seconds themselves."""


class Alive(Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Answer):
    """Everything the gateway depends on answers."""

    status: Literal["ready"] = "ready"
    checks: tuple[str, ...]


def routes(checks: Mapping[str, Check]) -> tuple[Route, ...]:
    """Return the two health routes; ``checks`` maps a dependency's name to what tries it."""

    async def live(_: web.Request) -> web.StreamResponse:
        return json_response(Alive())

    async def ready(_: web.Request) -> web.StreamResponse:
        outcomes = await asyncio.gather(*map(_try, checks.values()))
        down = [name for name, works in zip(checks, outcomes, strict=True) if not works]
        if down:
            raise Problem("not-ready", cause=f"down: {', '.join(down)}", down=down)
        return json_response(Ready(checks=tuple(checks)))

    return (
        Route(
            method="GET",
            path="/health/live",
            handler=live,
            summary="Is the process alive?",
            tag="Operations",
            access="public",
            answers={200: Alive},
        ),
        Route(
            method="GET",
            path="/health/ready",
            handler=ready,
            summary="Can the gateway do its work? Names each dependency that is down.",
            tag="Operations",
            access="public",
            answers={200: Ready},
            problems=("not-ready",),
        ),
    )


async def _try(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 whatever it raises, the dependency is down
        return False
    return True
