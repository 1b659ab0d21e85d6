"""Enrolment codes: five wrong ones per source and quarter of an hour, reserved before they are looked up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.attempt_quota import AttemptQuota

if TYPE_CHECKING:
    from storage.ephemeral.connection import Ephemeral

NOW = 1_700_000_000.0


@pytest.fixture
def quota(ephemeral: Ephemeral) -> AttemptQuota:
    return AttemptQuota(ephemeral)


async def test_of_sixty_tries_at_once_five_go_on(quota: AttemptQuota) -> None:
    waits = await asyncio.gather(*(quota.reserve("192.0.2.1", str(number), NOW) for number in range(60)))
    assert sorted(waits) == [0] * 5 + [900] * 55
    assert await quota.reserve("192.0.2.2", "other", NOW) == 0


async def test_a_right_code_does_not_count(quota: AttemptQuota) -> None:
    for number in range(12):
        assert await quota.reserve("192.0.2.1", str(number), NOW) == 0
        await quota.right("192.0.2.1", str(number))


async def test_a_try_is_free_again_when_the_oldest_leaves_the_window(quota: AttemptQuota) -> None:
    for number in range(5):
        assert await quota.reserve("192.0.2.1", str(number), NOW + number) == 0
    assert await quota.reserve("192.0.2.1", "early", NOW + 899.5) == 1
    assert await quota.reserve("192.0.2.1", "free", NOW + 900) == 0
    assert await quota.reserve("192.0.2.1", "next", NOW + 900) == 1


async def test_refused_tries_do_not_prolong_the_wait(quota: AttemptQuota) -> None:
    for number in range(20):
        await quota.reserve("192.0.2.1", str(number), NOW + 10 * number)
    assert await quota.reserve("192.0.2.1", "later", NOW + 900) == 0


async def test_quotas_of_other_names_are_apart(ephemeral: Ephemeral) -> None:
    one, other = AttemptQuota(ephemeral, "one", limit=1), AttemptQuota(ephemeral, "other", limit=1, window=60)
    assert await one.reserve("192.0.2.1", "a", NOW) == 0
    assert await other.reserve("192.0.2.1", "a", NOW) == 0
    assert await other.reserve("192.0.2.1", "b", NOW) == 60
