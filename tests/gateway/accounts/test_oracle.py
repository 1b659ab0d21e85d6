"""Nobody can tell an address with a login from one without: by the answer, or by the work behind it."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from crypto.passwords import PASSWORD_COST, PasswordHasher
from gateway.accounts.guard import SOURCE_GAP_SECONDS
from storage import accounts
from tests.gateway.accounts.person import EMAIL, PASSWORD, WRONG, login, with_login
from tests.gateway.house import open_house
from tests.gateway.signed_in import call
from tests.gateway.telling_apart import chance_of_equal, seen

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.gateway.accounts.conftest import Hashes
    from tests.gateway.house import House

OWN_TO_EACH_ANSWER = {"x-request-id", "date", "retry-after"}
NO_PASSWORD = "nopassword@rosenthal.example"
INACTIVE = "inactive@rosenthal.example"
NOBODY = "nobody@rosenthal.example"
KINDS = (EMAIL, NO_PASSWORD, INACTIVE, NOBODY)


async def people(house: House) -> None:
    await with_login(house)
    site = house.gateway.administration
    await site.people.add(house.company_id, full_name="No Password", email=NO_PASSWORD, actor="cli")
    inactive = await with_login(house, INACTIVE, role="hr")
    await site.people.set_active(inactive.id, False, actor="cli")


async def test_no_answer_tells_an_address_with_a_login_from_one_without(house: House) -> None:
    await people(house)
    courses = [[seen(await login(house, email, WRONG), OWN_TO_EACH_ANSWER) for _ in range(6)] for email in KINDS]
    assert [status for status, _, _ in courses[0]] == [401] * 5 + [429]
    for course in courses:
        assert course == courses[0]


async def test_somebody_deactivated_is_refused_with_the_right_password_too(house: House) -> None:
    await people(house)
    inactive, nobody = await login(house, INACTIVE, PASSWORD), await login(house, NOBODY, WRONG)
    assert seen(inactive, OWN_TO_EACH_ANSWER) == seen(nobody, OWN_TO_EACH_ANSWER)


async def test_each_address_costs_one_hash_those_without_a_password_one_of_the_dummy(
    house: House, hashes: Hashes
) -> None:
    await people(house)
    for email, dummies in ((EMAIL, 0), (INACTIVE, 0), (NO_PASSWORD, 1), (NOBODY, 1)):
        hashes.computed = hashes.dummies = 0
        await login(house, email, WRONG)
        assert (hashes.computed, hashes.dummies) == (1, dummies), email


async def test_asking_for_a_reset_tells_nothing(house: House) -> None:
    await people(house)
    replies = [await call(house, "POST", "/api/auth/request-reset", {"email": email}) for email in KINDS]
    answers = [seen(reply, OWN_TO_EACH_ANSWER) for reply in replies]
    assert answers[0][0] == 202
    for answer in answers:
        assert answer == answers[0]


async def durations(house: House, hashed: list[bool]) -> dict[str, list[float]]:
    """Time wrong logins at known and unknown addresses, and at unknown ones as if nothing were hashed for them.

    One of each at a time, in random order.
    """
    site, count = house.gateway.administration, -(-ROUNDS // TRIES_PER_ADDRESS)
    password_hash = await site.passwords.hash(PASSWORD)  # the same of all: what is timed is the check
    for at in range(count):
        email = f"known{at}@rosenthal.example"
        user = await site.people.add(house.company_id, full_name="Somebody", email=email, role="hr", actor="cli")
        async with site.database.write() as connection:
            await accounts.set_password(connection, user.id, password_hash, house.clock())
    times: dict[str, list[float]] = {"known": [], "unknown": [], "not-hashed": []}
    for at in range(ROUNDS):
        for kind in random.sample(list(times), len(times)):
            house.clock.move(SOURCE_GAP_SECONDS)  # so many from one source are let through one at a time
            hashed[0] = kind != "not-hashed"
            started = time.perf_counter()
            assert (await login(house, f"{kind}{at % count}@rosenthal.example", WRONG)).problem == "login-failed"
            times[kind].append(time.perf_counter() - started)
    return times


TRIES_PER_ADDRESS = 4
"""One less than locks it."""

ROUNDS = 20
"""Enough that a missing hash still shows when a busy machine delays two answers beyond all others."""

COST = {"password_hash_memory_kib": PASSWORD_COST.memory_kib // 4, "password_hash_time": PASSWORD_COST.time}
"""A quarter of the real cost is several times that of everything else, and hides less of what else might differ."""


async def test_no_duration_tells_an_address_with_a_login_from_one_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify, hashed = PasswordHasher.verify, [True]

    def perhaps_without_dummy(self: PasswordHasher, password_hash: str, password: str) -> bool:
        return (hashed[0] or password_hash != self.dummy) and verify(self, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", perhaps_without_dummy)
    async with open_house(tmp_path / "data", **COST) as house:
        times = await durations(house, hashed)
    assert chance_of_equal(times["known"], times["unknown"]) > 1e-4
    # The measurement would notice if unknown addresses were not hashed.
    assert chance_of_equal(times["known"], times["not-hashed"]) < 1e-4
