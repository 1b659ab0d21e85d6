from __future__ import annotations

import asyncio
import os
import sys
import threading

import pytest

from gateway.http.problems import Problem
from gateway.pin_login.hashing import HashPool
from gateway.pin_login.subjects import number_subject


async def test_a_job_runs_in_another_thread_and_gives_its_result_or_its_error() -> None:
    pool = HashPool(1)
    assert await pool.run(pow, 2, 10) == 1024
    assert await pool.run(threading.get_ident) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    await pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread its own priority")
async def test_the_threads_take_nobodys_turn() -> None:
    pool = HashPool(1)
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    assert await pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())) == 19
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours
    await pool.close()


async def test_a_full_queue_refuses_at_once_and_takes_again_when_there_is_room() -> None:
    lengths: list[int] = []
    pool = HashPool(2, waiting_per_thread=1, observe=lengths.append)
    release = threading.Event()
    jobs = [asyncio.create_task(pool.run(release.wait)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(Problem, match="busy") as refused:
        await pool.run(pow, 2, 2)
    assert refused.value.retry_after == 1
    assert lengths == [1, 2, 3, 4]
    release.set()
    assert await asyncio.gather(*jobs) == [True] * 4
    assert lengths[-1] == 0
    assert await pool.run(pow, 2, 2) == 4
    await pool.close()


async def test_a_job_whose_waiter_went_away_is_never_begun() -> None:
    pool = HashPool(1)
    release, ran = threading.Event(), threading.Event()
    running = asyncio.create_task(pool.run(release.wait))
    abandoned = asyncio.create_task(pool.run(ran.set))
    await asyncio.sleep(0)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    release.set()
    await running
    await pool.close()
    assert not ran.is_set()


async def test_closing_finishes_what_was_taken_and_takes_nothing_more() -> None:
    pool = HashPool(1)
    release = threading.Event()
    jobs = [asyncio.create_task(pool.run(release.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    with pytest.raises(Problem, match="busy"):
        await pool.run(pow, 2, 2)
    release.set()
    await closing
    assert await asyncio.gather(*jobs) == [True] * 3


def test_each_tier_company_and_number_is_counted_apart() -> None:
    key = bytes(32)
    subjects = {
        number_subject(key, company, tier, number)
        for company in ("c1", "c2")
        for tier in ("kiosk", "phone")
        for number in ("1", "01", "11")
    }
    assert len(subjects) == 12
    assert {len(subject) for subject in subjects} == {32}
