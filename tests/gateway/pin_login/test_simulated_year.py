"""A year of guessing by somebody who knows every rule and tries whenever a try is allowed, with a clock that is moved.

What is counted are guesses that reached the hash. The policy's caps hold in every window, whatever the victim and Redis
do meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from gateway.http.problems import Problem
from gateway.pin_login.service import YEAR_SECONDS, YEARLY_CAP, Credentials
from storage import audit
from storage.ephemeral.pin_guard import DAY, LIMITS
from tests.gateway.pin_login.conftest import have_failed_in_sql
from tests.servers.redis import shared_server

if TYPE_CHECKING:
    from storage.ephemeral.pin_guard import Tier
    from tests.gateway.house import House, Person
    from tests.gateway.pin_login.conftest import Hashes

pytestmark = pytest.mark.asyncio(loop_scope="module")

WRONG = "481516"
POLICY = {"kiosk": (5 * 60, 20, 100), "phone": (15 * 60, 10, 50)}
"""Seconds of the first lock, wrong tries in 24 hours and in 365 days: written out, so that nobody moves them unseen."""

TIERS = list(POLICY)


@dataclass
class Attack:
    """One attacker, one victim, one way in. `forgetful`: Redis is emptied after each try."""

    house: House
    person: Person
    hashes: Hashes
    tier: Tier
    forgetful: bool = False
    guesses: list[float] = field(default_factory=list)

    async def guess(self) -> int:
        """Try a wrong PIN; return the seconds that the gateway asks to wait."""
        before = self.hashes.computed
        wait = await self._try(WRONG)
        if self.hashes.computed > before:
            self.guesses.append(self.house.clock())
        return wait

    async def victim_signs_in(self) -> None:
        await self._try(self.person.pin)

    async def _try(self, pin: str) -> int:
        device, source = ("kiosk-1", None) if self.tier == "kiosk" else (None, "203.0.113.7")
        credentials = Credentials(self.tier, self.house.company_id, self.person.number, pin, "request", device, source)
        wait = 0
        try:
            await self.house.gateway.pin_login.sign_in(credentials)
        except Problem as problem:
            assert problem.name in ("login-failed", "login-throttled")
            wait = problem.retry_after or 0
        if self.forgetful:
            shared_server().flush()
        return wait

    def most_within(self, seconds: float) -> int:
        """The most guesses in any window of this length; a second shorter, since waits are told in whole seconds."""
        times = self.guesses
        return max(bisect_left(times, start + seconds - 1) - at for at, start in enumerate(times))


RIDE = 4
"""So many guesses between two right sign-ins of the victim: one more would lock."""


async def a_year_of_it(attack: Attack, cap: int, *, victim: bool) -> None:
    """Guess whenever it is allowed, and look in once a month after the cap, as the victim does."""
    house = attack.house
    end = house.clock() + YEAR_SECONDS
    while house.clock() < end:
        wait = await attack.guess()
        if victim and (len(attack.guesses) % RIDE == 0 or len(attack.guesses) == cap):
            await attack.victim_signs_in()
        house.clock.move(wait if len(attack.guesses) < cap else 30 * DAY)


async def test_the_limits_are_the_policys() -> None:
    for tier, (lock, daily, yearly) in POLICY.items():
        limits = LIMITS[tier]
        assert (limits.consecutive, limits.lock, limits.daily, limits.day) == (5, lock, daily, DAY)
        assert (YEARLY_CAP[tier], YEAR_SECONDS) == (yearly, 365 * DAY)  # type: ignore[index]


@pytest.mark.parametrize("tier", TIERS)
async def test_alone_with_the_number(house: House, person: Person, hashes: Hashes, tier: Tier) -> None:
    attack, (lock, daily, yearly) = Attack(house, person, hashes, tier), POLICY[tier]
    await a_year_of_it(attack, yearly, victim=False)
    times = attack.guesses
    assert all(sixth - fifth >= lock - 1 for fifth, sixth in zip(times[4::5], times[5::5], strict=False))
    assert attack.most_within(lock) == 5
    assert attack.most_within(DAY) <= daily
    assert len(times) == yearly, "the cap is reached and not passed"


async def begun_earlier(house: House, tier: Tier, number: str) -> int:
    """All but two days' worth of the year's guesses were made a month ago: return how many are left."""
    _, daily, yearly = POLICY[tier]
    await have_failed_in_sql(house, tier, number, yearly - 2 * daily, at=house.clock() - 30 * DAY)
    return 2 * daily


@pytest.mark.parametrize("tier", TIERS)
async def test_riding_on_the_victims_own_right_sign_ins(
    house: House, person: Person, hashes: Hashes, tier: Tier
) -> None:
    left = await begun_earlier(house, tier, person.number)
    attack = Attack(house, person, hashes, tier)
    await a_year_of_it(attack, left, victim=True)
    assert attack.most_within(DAY) == POLICY[tier][1]
    assert len(attack.guesses) == left


@pytest.mark.parametrize("tier", TIERS)
async def test_while_redis_loses_everything_after_each_try(
    house: House, person: Person, hashes: Hashes, tier: Tier
) -> None:
    left = await begun_earlier(house, tier, person.number)
    attack = Attack(house, person, hashes, tier, forgetful=True)
    await a_year_of_it(attack, left, victim=True)
    assert attack.most_within(DAY) == POLICY[tier][1]
    assert len(attack.guesses) == left


@pytest.mark.parametrize("tier", TIERS)
async def test_a_lock_outlasts_a_redis_that_loses_everything(
    house: House, person: Person, hashes: Hashes, tier: Tier
) -> None:
    attack, lock = Attack(house, person, hashes, tier), POLICY[tier][0]
    for _ in range(5):
        assert await attack.guess() == 0
    shared_server().flush()
    assert lock - 10 < await attack.guess() <= lock
    house.clock.move(lock + 1)
    assert await attack.guess() == 0
    assert len(attack.guesses) == 6


async def test_patiently_for_two_years_one_below_the_cap(
    house: House, person: Person, hashes: Hashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So nobody notices: the PIN stays on, and the next guess waits until the oldest one has left the year."""
    yearly, daily = 20, POLICY["phone"][1]  # two days' worth of guesses: that it is fifty, others show
    monkeypatch.setitem(YEARLY_CAP, "phone", yearly)
    attack = Attack(house, person, hashes, "phone")
    end = house.clock() + 2 * YEAR_SECONDS
    while house.clock() < end:
        in_year = [at for at in attack.guesses if at > house.clock() - YEAR_SECONDS]
        if len(in_year) >= yearly - 1:
            house.clock.move(in_year[0] + YEAR_SECONDS + 1 - house.clock())
        else:
            house.clock.move(await attack.guess())
    assert attack.most_within(DAY) <= daily
    assert attack.most_within(YEAR_SECONDS) == yearly - 1
    assert len(attack.guesses) >= 2 * (yearly - 1)
    await attack.victim_signs_in()
    async with house.gateway.administration.database.read() as connection:
        told = await audit.list_(connection, None, "pin.disabled", subject=f"user:{person.id}")
    assert told == []
