"""The whole OpenAPI document against the running gateway, as every role: no failure, and no answer but those it names.

Requests are made from the document, half of them by its rules and half against them; of the ids in paths some exist.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
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
    from collections.abc import Iterator
    from pathlib import Path


SEED = 20260301
UNKNOWN = "0190b0e0-6f5a-7000-8000-000000000000"
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


def examine(operation: Any, url: str, token: str | None, ids: dict[str, str], examples: int) -> list[int]:
    """Send requests of one operation, `examples` of each kind; give the statuses of their answers."""
    statuses: list[int] = []
    parts = operation.path.split("/")
    real = ids.get(parts[2]) if len(parts) > 2 and "{id}" in operation.path else None
    in_path: Iterator[str | None] = itertools.cycle([real, UNKNOWN, None])
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def send(case: Any) -> None:
        if real is not None and (given_id := next(in_path)) is not None:
            case.path_parameters = {**case.path_parameters, "id": given_id}
        if isinstance(case.body, dict) and isinstance(case.body.get("user_id"), str):
            case.body["user_id"] = ids["users"]
        answer = case.call(base_url=url, headers=headers)
        checks = CHECKS if answer.status_code == 503 else [not_a_server_error, *CHECKS]
        case.validate_response(answer, checks=checks)
        statuses.append(answer.status_code)

    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            seed(SEED)(settings(EXAMINED, max_examples=examples)(given(case=strategy)(send)))()
        except Exception as error:
            if type(error).__name__ not in ("Unsatisfiable", "SkipTest"):
                raise
    return statuses


@pytest.mark.timeout(120)
@pytest.mark.parametrize("role", [*Role, None])
async def test_every_answer_is_one_that_the_document_names(tmp_path: Path, role: Role | None) -> None:
    async with open_estate(tmp_path / "data") as estate:
        house, ours = estate.house, estate.ours
        document = (await call(house, "GET", "/openapi.json")).body
        schema: Any = schemathesis.openapi.from_dict(json.loads(json.dumps(document)))
        operations = [found.ok() for found in schema.get_all_operations()]
        assert len(operations) >= 60
        if role is not None:  # what asks for no login answers everybody alike
            operations = [found for found in operations if found.definition.raw["security"] == [{"account": []}]]
        # The same code answers every role, and mostly by a refusal; whoever may do everything is asked most.
        examples = samples(2 if role in (Role.OWNER, None) else 1)
        seen: dict[str, list[int]] = {}
        for operation in operations:
            await ours.renew()  # one of them ends sessions
            token = None if role is None else ours.roles[role].token
            seen[operation.label] = await asyncio.to_thread(
                examine, operation, house.url, token, real_ids(ours), examples
            )
        with_a_choice = [statuses for label, statuses in seen.items() if "/static/" not in label]
        assert sum(map(len, with_a_choice)) >= 1.5 * examples * len(with_a_choice)
        statuses = set(itertools.chain.from_iterable(seen.values()))
        assert statuses >= ({401} if role is None else {200, 400, 401})
