"""The whole OpenAPI document against the running gateway, as every role: no failure, and no answer but those it names.

Requests are made from the document, by its rules and against them; of the ids in paths some exist.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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
UNBREAKABLE = {"GET /problems/{name}"}
"""Whatever is asked for here keeps the rules; finding that out takes long."""
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


@pytest.mark.timeout(120)
async def test_every_answer_to_every_role_is_one_that_the_document_names(tmp_path: Path) -> None:
    async with open_estate(tmp_path / "data") as estate:
        house, ours = estate.house, estate.ours
        document = (await call(house, "GET", "/openapi.json")).body
        schema: Any = schemathesis.openapi.from_dict(json.loads(json.dumps(document)))
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 60
        in_order = sorted(Role, key=lambda role: role is not Role.OWNER)
        roles = {role: Asker(lambda role=role: ours.roles[role].token) for role in in_order}  # type: ignore[misc]
        nobody = Asker(lambda: None)
        in_turn = itertools.cycle(asker for role, asker in roles.items() if role is not Role.OWNER)
        with requests.Session() as session:
            session.trust_env = False
            connection = Connection(house.url, session)
            for operation in operations:
                with_login = operation.definition.raw["security"] == [{"account": []}]
                # Who may do it is asked first: then all of them meet the same code, and a few of them are enough.
                # What needs no login answers all alike.
                askers = [*roles.values(), nobody] if with_login else [nobody]
                some = [roles[Role.OWNER], next(in_turn), nobody] if with_login else [nobody]
                await asyncio.to_thread(examine, operation, GenerationMode.POSITIVE, connection, askers, real_ids(ours))
                if operation.label not in UNBREAKABLE:
                    negative = GenerationMode.NEGATIVE
                    await asyncio.to_thread(examine, operation, negative, connection, some, real_ids(ours))
                answered = {status for asker in askers for status in asker.statuses[operation.label]}
                if with_login and operation.method != "get" and not answered.isdisjoint({200, 201, 204}):
                    await ours.renew()  # it may have ended sessions
        asked = [statuses for label, statuses in nobody.statuses.items() if "/static/" not in label]
        assert len(nobody.statuses) == len(operations)
        assert sum(map(len, asked)) >= 1.5 * len(asked)
        assert nobody.all_statuses() >= {200, 400, 401}
        for role, asker in roles.items():
            assert len(asker.statuses) >= 40, role
            assert asker.all_statuses() >= {200, 400, 401}, role
        assert roles[Role.OWNER].all_statuses() >= {200, 201, 204, 400, 401, 404, 409}
