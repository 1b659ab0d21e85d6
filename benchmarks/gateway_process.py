"""A gateway to be measured: the real `stampgate serve`, with two routes more and a counter of garbage collections.

- `GET /benchmark/counters`: full collections, commits and Redis round trips so far.
- `POST /benchmark/stamp`: the same stamp without signature, nonce and session, for comparison.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from aiohttp import web

import gateway.server
from gateway.application import make_application
from gateway.cli import main
from gateway.http.answers import json_response
from gateway.http.bodies import read_json
from gateway.http.middlewares import REQUEST_ID
from gateway.stamping.models import ActionBody, recorded_answer
from gateway.stamping.records import StampRequest

if TYPE_CHECKING:
    from gateway.app import Gateway

FULL = 2
"""The oldest generation: collecting it walks everything that lives."""


class FullCollections:
    """Counts full garbage collections since serving began."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "stop" and info["generation"] == FULL:
            self.count += 1


def with_benchmark_routes(gateway: Gateway) -> web.Application:
    """Return the product's application with the two routes."""
    app = make_application(gateway)
    collections = FullCollections()
    gc.callbacks.append(collections)

    async def counters(_: web.Request) -> web.Response:
        return web.json_response(
            {
                "full_collections": collections.count,
                "commits": gateway.administration.database.commits,
                "round_trips": gateway.ephemeral.round_trips,
            }
        )

    async def stamp(request: web.Request) -> web.Response:
        body = await read_json(request, ActionBody)
        user_id, company_id, device_id = request.headers["X-Person"].split()
        recorded = await gateway.stamping.record(
            StampRequest(
                user_id=user_id,
                company_id=company_id,
                stamp_id=body.stamp_id,
                action=body.action,
                tier="kiosk",
                request_id=request[REQUEST_ID],
                device_id=device_id,
            )
        )
        return json_response(recorded_answer(recorded), 201)

    app.router.add_get("/benchmark/counters", counters)
    app.router.add_post("/benchmark/stamp", stamp)
    return app


if __name__ == "__main__":
    # the one place where the product's server gets its application from
    vars(gateway.server)["make_application"] = with_benchmark_routes
    main()
