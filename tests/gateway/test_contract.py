"""The whole OpenAPI document against the running gateway, as every role: no failure, and no answer but those it names.

Requests are made from the document, by its rules and against them; of the ids in paths some exist.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.accounts.roles import Role
from tests.gateway.administration.estate import Company, open_estate
from tests.gateway.signed_in import call
from tests.samples import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


SEED = 20260301
UNKNOWN = "0190b0e0-6f5a-7000-8000-000000000000"
END_SESSIONS = ("/api/auth/", "/api/users")
MOST_CHARACTERS = 2000
"""Of an address that is asked for: what is longer than a request line may be never reaches a route."""
CHECKS: list[Any] = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMINED = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def real_ids(ours: Company) -> dict[str, str]:
    return {
        "companies": ours.id,
        "users": ours.employee,
        "devices": ours.device,
        "lockouts": ours.lockout,
    }


@dataclass
class Connection:
    """A way to the gateway that stays open from one request to the next."""

    url: str
    session: requests.Session


@dataclass
class Asker:
    """Somebody who sends requests, and the statuses of the answers by operation."""

    token: Callable[[], str | None]
    statuses: dict[str, list[int]] = field(default_factory=dict)

    def all_statuses(self) -> set[int]:
        return set(itertools.chain.from_iterable(self.statuses.values()))


def examine(
    operation: Any, mode: GenerationMode, connection: Connection, askers: list[Asker], ids: dict[str, str]
) -> None:
    """Send requests of one operation, made by its rules or against them, each as everybody."""
    parts = operation.path.split("/")
    real = ids.get(parts[2]) if len(parts) > 2 and "{id}" in operation.path else None
    in_path: Iterator[str | None] = itertools.cycle([real, UNKNOWN, None])

    def send(case: Any) -> None:
        if real is not None and (given_id := next(in_path)) is not None:
            case.path_parameters = {**case.path_parameters, "id": given_id}
        if isinstance(case.body, dict) and isinstance(case.body.get("user_id"), str):
            case.body["user_id"] = ids["users"]
        if len(urlencode(case.query or {}, doseq=True)) > MOST_CHARACTERS:
            return
        for asker in askers:
            token = asker.token()
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            answer = case.call(base_url=connection.url, headers=headers, session=connection.session)
            checks = CHECKS if answer.status_code == 503 else [not_a_server_error, *CHECKS]
            case.validate_response(answer, checks=checks)
            asker.statuses.setdefault(operation.label, []).append(answer.status_code)

    try:
        strategy = operation.as_strategy(generation_mode=mode)
        seed(SEED)(settings(EXAMINED, max_examples=samples(1))(given(case=strategy)(send)))()
    except Exception as error:
        if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):
            raise


def read(document: dict[str, Any]) -> tuple[list[Any], set[str]]:
    """Return the operations of a document, and the labels of those that need a login.

    They are made without what the document says of logins and signatures: nearly all requests against its rules would
    be such as leave these out, which nobody's requests do anyway, and nothing would be wrong with the rest of them.
    """
    unguarded, with_login = json.loads(json.dumps(document)), set()
    for path, methods in unguarded["paths"].items():
        for method, operation in methods.items():
            if operation.pop("security") == [{"account": []}]:
                with_login.add(f"{method.upper()} {path}")
    schema: Any = schemathesis.openapi.from_dict(unguarded)
    return [found.ok() for found in schema.get_all_operations()], with_login


def breakable(operation: Any) -> bool:
    """Whether it has rules that a request can break: nearly all that may stand in a path keeps the rules."""
    return bool(operation.body) or bool(operation.query)


@pytest.mark.timeout(120)
async def test_every_answer_to_every_role_is_one_that_the_document_names(tmp_path: Path) -> None:
    async with open_estate(tmp_path / "data") as estate:
        house, ours = estate.house, estate.ours
        document = (await call(house, "GET", "/openapi.json")).body
        operations, with_login = read(document)
        assert len(operations) >= 60
        in_order = sorted(Role, key=lambda role: role is not Role.OWNER)
        roles = {role: Asker(lambda role=role: ours.roles[role].token) for role in in_order}  # type: ignore[misc]
        nobody = Asker(lambda: None)
        in_turn = itertools.cycle([*(asker for role, asker in roles.items() if role is not Role.OWNER), nobody])
        with requests.Session() as session:
            session.trust_env = False
            session.cookies.set_policy(
                DefaultCookiePolicy(allowed_domains=[])
            )  # or one asker would lend them to the next
            connection = Connection(house.url, session)
            for operation in operations:
                guarded = operation.label in with_login
                # Who may do it is asked first: then all of them meet the same code, and a few of them are enough.
                # What needs no login answers all alike.
                askers = [*roles.values(), nobody] if guarded else [nobody]
                some = [roles[Role.OWNER], next(in_turn)] if guarded else [nobody]
                await asyncio.to_thread(examine, operation, GenerationMode.POSITIVE, connection, askers, real_ids(ours))
                if breakable(operation):
                    negative = GenerationMode.NEGATIVE
                    await asyncio.to_thread(examine, operation, negative, connection, some, real_ids(ours))
                answered = {status for asker in askers for status in asker.statuses[operation.label]}
                may_end_sessions = operation.path.startswith(END_SESSIONS) and operation.method != "get"
                if guarded and may_end_sessions and not answered.isdisjoint({200, 201, 204}):
                    await ours.renew()
        assert len(nobody.statuses) == len(operations)
        assert sum(map(breakable, operations)) >= 30
        assert nobody.all_statuses() >= {200, 400, 401}
        for role, asker in roles.items():
            assert len(asker.statuses) >= 40, role
            assert asker.all_statuses() >= {200, 400, 401}, role
        assert roles[Role.OWNER].all_statuses() >= {200, 201, 204, 400, 401, 404, 409}
