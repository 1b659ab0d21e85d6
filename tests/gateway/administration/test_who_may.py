"""Every role at every route: what the design says, what the table of permissions says, and what the gateway does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.accounts.roles import CONFIRMED_FOR_SECONDS, PERMISSIONS, Role
from gateway.application import interface
from tests.gateway.administration.examples import EXAMPLES, SENSITIVE
from tests.gateway.administration.requests import filled, send

if TYPE_CHECKING:
    from gateway.http.routes import Route
    from tests.gateway.administration.estate import Company
    from tests.gateway.terminal import Reply


def administered(ours: Company) -> dict[str, Route]:
    routes = interface(ours.house.gateway)
    return {f"{route.method} {route.path}": route for route in routes if route.permission is not None}


async def ask(ours: Company, name: str, made: tuple[str, Any], token: str | None) -> Reply:
    """Send the request of an example; `made` gives the ids in its path and its body."""
    method, _, path = name.partition(" ")
    example, (found, body) = EXAMPLES[name], made
    target = filled(path, *found.split()) + example.query
    return await send(ours.house, method, target, body, token=token, content_type=example.content_type)


async def test_every_route_with_a_permission_is_in_the_table_and_no_other(ours: Company) -> None:
    assert administered(ours).keys() == EXAMPLES.keys()


async def test_only_what_concerns_ones_own_login_needs_no_permission(ours: Company) -> None:
    free = [route for route in interface(ours.house.gateway) if route.access == "account" and not route.permission]
    assert free
    assert all(route.path.startswith("/api/auth/") for route in free)


def test_the_page_for_people_tells_the_same() -> None:
    page = (Path(__file__).parents[3] / "docs/api.md").read_text("utf-8")
    told = {found[1]: found[2].split() for found in re.finditer(r"^\| `(\w+ /\S+)` \| ([^|]+) \|", page, re.MULTILINE)}
    assert told == {
        name: example.roles.split() + (["*"] if name in SENSITIVE else []) for name, example in EXAMPLES.items()
    }


async def test_exactly_these_roles_may_and_nobody_without_a_token(ours: Company) -> None:
    told, answered, routes = {}, {}, administered(ours)
    for name, example in EXAMPLES.items():
        route = routes[name]
        assert route.permission is not None, name
        if route.permission != "own":
            assert set(PERMISSIONS[route.permission].roles) == set(example.roles.split()), name
        roles = example.roles.split()
        made = None
        for who in ("nobody", *sorted(Role, key=lambda role: role in roles)):  # whoever is refused spends nothing
            made = made or await example.make(ours)
            reply = await ask(ours, name, made, None if who == "nobody" else ours.roles[who].token)
            answered[name, str(who)] = (reply.status, reply.problem)
            if who in roles:
                told[name, str(who)], made = (example.status, ""), None
            else:
                told[name, str(who)] = (401, "not-signed-in") if who == "nobody" else (403, "not-allowed")
    assert len(answered) == len(EXAMPLES) * (len(Role) + 1)
    assert answered == told


async def test_what_is_sensitive_needs_a_password_of_the_last_ten_minutes(ours: Company) -> None:
    ours.house.clock.move(CONFIRMED_FOR_SECONDS + 5)
    told, answered = {}, {}
    for name, example in EXAMPLES.items():
        told[name] = (403, "confirmation-required") if name in SENSITIVE else (example.status, "")
        reply = await ask(ours, name, await example.make(ours), ours.owner.token)
        answered[name] = (reply.status, reply.problem)
    assert answered == told
