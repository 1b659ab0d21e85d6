"""Nothing is public unless it says so, here a second time: who adds a public route has to add it to this list."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gateway.application import all_routes, interface, make_application
from gateway.http.routes import ROUTES
from tests.gateway.raw_http import send
from tests.gateway.signed_in import call

if TYPE_CHECKING:
    from gateway.http.routes import Route
    from tests.gateway.house import House

PUBLIC = {
    # What leads in, and what must be known before.
    ("HEAD", "/api/time/kiosk/nonce"),
    ("POST", "/api/time/public/company"),
    ("POST", "/api/time/public/auth"),
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/request-reset"),
    ("POST", "/api/auth/reset-password"),
    # Pages and their parts, which hold nothing of anybody.
    ("GET", "/stamp"),
    ("GET", "/static/stamp.css"),
    ("GET", "/static/stamp.js"),
    ("GET", "/static/stamp.svg"),
    *(("GET", path) for path in ("/kiosk", "/kiosk-sw.js", "/kiosk.webmanifest", "/trust")),
    *(("GET", f"/static/kiosk{rest}") for rest in (".css", ".js", ".svg", "-192.png", "-512.png")),
    *(
        ("GET", f"/static/kiosk-{name}.js")
        for name in ("clock", "enrolment", "gateway", "key-change", "keypad", "keys")
    ),
    *(("GET", f"/static/kiosk-{name}.js") for name in ("screens", "session", "signing", "texts", "window")),
    ("GET", "/static/bip39-english.txt"),
    ("GET", "/trust/stampgate-trial-root.crt"),
    ("GET", "/static/trust.css"),
    ("GET", "/static/console.css"),
    ("GET", "/static/console.js"),
    # The doors of the console.
    ("GET", "/"),
    *((method, "/console/sign-in") for method in ("GET", "POST")),
    *((method, "/console/sign-up") for method in ("GET", "POST")),
    *((method, "/console/forgotten-password") for method in ("GET", "POST")),
    *((method, "/register") for method in ("GET", "POST")),
    *((method, "/password-reset") for method in ("GET", "POST")),
    # Operations.
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/openapi.json"),
    ("GET", "/problems"),
    ("GET", "/problems/{name}"),
    ("GET", "/.well-known/jwks.json"),
}

BODIES: dict[str, Any] = {
    "/api/time/public/action": {"stamp_id": "0190b0e0-6f5a-7000-8000-000000000000", "action": "clock_in"},
}
"""Bodies of routes that read theirs before they ask who is there."""


def is_open(route: Route) -> bool:
    return route.access == "public"


async def test_exactly_the_routes_of_this_list_are_public(house: House) -> None:
    routes = all_routes(house.gateway)
    assert {(route.method, route.path) for route in routes if is_open(route)} == PUBLIC


async def test_the_application_serves_no_route_that_is_not_in_the_table(house: House) -> None:
    app = make_application(house.gateway)
    known = {(route.method, route.path) for route in app[ROUTES]}
    known |= {("HEAD", path) for method, path in known if method == "GET"}
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    assert served <= known
    assert {path for _, path in served} == {route.path for route in app[ROUTES]}


async def test_every_other_route_refuses_whoever_shows_nothing(house: House) -> None:
    protected = [route for route in interface(house.gateway) if not is_open(route)]
    assert len(protected) >= 20
    for route in protected:
        path = re.sub(r"\{[a-z_]+\}", "0190b0e0-6f5a-7000-8000-000000000000", route.path)
        for token in (None, "x" * 43):
            reply = await call(house, route.method, path, BODIES.get(path), token=token)
            assert reply.status == 401, (route.method, path, reply)
            assert "WWW-Authenticate" in reply.headers


async def test_a_route_of_an_account_asks_who_is_there_before_it_reads_a_body(house: House) -> None:
    for route in all_routes(house.gateway):
        if route.access == "account":
            path = re.sub(r"\{[a-z_]+\}", "x", route.path)
            head = (
                f"{route.method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\n"
                f"Content-Type: application/json\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{{"
            )
            reply = await send(house.port, head.encode())
            assert (reply.status, reply.problem) == (401, "not-signed-in"), route


async def test_the_document_says_for_each_route_what_opens_it(house: House) -> None:
    reply = await call(house, "GET", "/openapi.json")
    document = json.loads(json.dumps(reply.body))
    for route in interface(house.gateway):
        operation = document["paths"][route.path][route.method.lower()]
        assert bool(operation["security"]) != is_open(route), route
        if route.access == "account":
            assert operation["security"] == [{"account": []}]
            assert "not-signed-in" in operation["responses"]["401"]["description"]
    assert document["components"]["securitySchemes"]["account"]["scheme"] == "bearer"
