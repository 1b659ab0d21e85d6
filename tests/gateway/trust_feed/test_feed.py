"""The trust feed: in order, shared, alive whatever a follower does, and never fresher than what it read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from gateway.trust_feed.feed import STALE_AFTER_SECONDS, TrustFeed
from storage import trust_changes
from storage.database import Database, StorageUnavailable
from tests.gateway.waiting import until
from tests.servers.databases import KINDS, fresh_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.trust_changes import TrustChange

NOW = 1_780_000_000.0


class Follower:
    """Remembers what it was told; fails when told to."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.loads = 0
        self.failing = False

    async def follow(self, connection: AsyncConnection, changes: Sequence[TrustChange]) -> None:
        if self.failing:
            raise LookupError("a follower's own defect")
        self.told += [change.seq for change in changes]

    async def load(self, connection: AsyncConnection) -> None:
        self.loads += 1


class Time:
    """Monotonic seconds that move when told, so that nothing here waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


BOTH = pytest.mark.parametrize("database", KINDS, indirect=True)
"""Where transactions, their order or a purge decide; when a feed reads and whom it tells is one on every database."""


@pytest.fixture
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with fresh_database(getattr(request, "param", "sqlite"), tmp_path) as opened:
        yield opened


@pytest.fixture
def monotonic() -> Time:
    return Time()


@pytest.fixture
def follower() -> Follower:
    return Follower()


@pytest.fixture
async def feed(database: Database, monotonic: Time, follower: Follower) -> AsyncIterator[TrustFeed]:
    made = TrustFeed(database, lambda: NOW, monotonic)
    made.follow(follower.follow, follower.load)
    yield made
    await made.stop()


async def change(database: Database, count: int = 1, at: float = NOW) -> None:
    for _ in range(count):
        async with database.write() as connection:
            await trust_changes.append(connection, "device", "somebody", {}, at)


async def until_seen(feed: TrustFeed, seq: int) -> None:
    await until(lambda: feed.seen >= seq)


@BOTH
async def test_changes_come_in_order_each_once_however_many_write_at_the_same_time(
    database: Database, feed: TrustFeed, follower: Follower
) -> None:
    await feed.start()
    await asyncio.gather(*(change(database, 5) for _ in range(6)))
    await until_seen(feed, 30)
    assert follower.told == list(range(1, 31))


async def test_what_this_process_committed_is_read_at_once(
    database: Database, feed: TrustFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.trust_feed.feed.POLL_SECONDS", 60.0)
    await feed.start()
    await asyncio.sleep(0)
    await change(database)
    feed.wake()
    await until_seen(feed, 1)


@pytest.mark.parametrize("steps", range(5))
async def test_it_ends_also_at_the_very_moment_of_a_change(
    feed: TrustFeed, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    # Python before 3.12 loses the end where the feed waits by `asyncio.wait_for`.
    monkeypatch.setattr("gateway.background.AGAIN_SECONDS", 60.0)
    await feed.start()
    await asyncio.sleep(0)
    feed.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await feed.stop()


@BOTH
async def test_changes_of_the_last_hour_are_told_again_at_a_start_and_older_ones_are_not(
    database: Database, feed: TrustFeed, follower: Follower
) -> None:
    await change(database, 2, NOW - 7200)
    await change(database, 3, NOW - 60)
    await feed.start()
    assert (follower.told, follower.loads, feed.seen) == ([3, 4, 5], 1, 5)


@BOTH
async def test_a_process_that_missed_purged_changes_rebuilds_everything(
    database: Database, feed: TrustFeed, follower: Follower
) -> None:
    await change(database, 2)
    await feed.start()
    assert follower.loads == 1
    await feed.stop()
    await change(database, 3, NOW - 8 * 86400)
    async with database.write() as connection:
        await trust_changes.purge(connection, NOW - 7 * 86400)
    await change(database)
    await feed.refresh()
    assert (follower.loads, feed.seen) == (2, 6)
    assert follower.told[-1] == 6


@BOTH
async def test_a_purge_of_what_was_read_already_rebuilds_nothing(
    database: Database, feed: TrustFeed, follower: Follower
) -> None:
    await feed.start()
    await change(database, 3, NOW - 8 * 86400)
    await until_seen(feed, 3)
    async with database.write() as connection:
        await trust_changes.purge(connection, NOW - 7 * 86400)
    await change(database)
    await until_seen(feed, 4)
    assert (follower.loads, follower.told) == (1, [1, 2, 3, 4])


async def test_it_is_fresh_for_two_seconds_after_the_moment_a_read_began(
    database: Database, feed: TrustFeed, monotonic: Time
) -> None:
    assert not feed.is_fresh
    await feed.start()
    await feed.stop()
    freshness = []
    for seconds in (0.0, STALE_AFTER_SECONDS, 0.001):
        monotonic.now += seconds
        freshness.append(feed.is_fresh)
    await feed.refresh()
    assert [*freshness, feed.is_fresh] == [True, True, False, True]


async def test_a_follower_that_fails_leaves_the_feed_stale_but_alive_and_misses_nothing(
    database: Database, feed: TrustFeed, follower: Follower, monotonic: Time
) -> None:
    await feed.start()
    follower.failing = True
    await change(database)
    feed.wake()
    await asyncio.sleep(0.05)
    monotonic.now += 3
    feed.wake()
    await asyncio.sleep(0.05)
    assert not feed.is_fresh
    assert feed.seen == 0
    follower.failing = False
    feed.wake()
    await until_seen(feed, 1)
    assert follower.told == [1]
    assert feed.is_fresh


async def test_a_database_that_is_away_leaves_it_stale_until_it_is_back(
    database: Database, feed: TrustFeed, monotonic: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.start()

    async def away(connection: AsyncConnection, seq: int) -> list[TrustChange]:
        raise StorageUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(trust_changes, "after", away)
        monotonic.now += 3
        feed.wake()
        await asyncio.sleep(0.05)
        assert not feed.is_fresh
        with pytest.raises(StorageUnavailable):
            await feed.refresh()
    feed.wake()
    await until(lambda: feed.is_fresh)


async def test_many_who_ask_at_once_share_their_reads(
    database: Database, feed: TrustFeed, monotonic: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.start()
    await feed.stop()
    reads, after = 0, trust_changes.after

    async def counted(connection: AsyncConnection, seq: int) -> list[TrustChange]:
        nonlocal reads
        reads += 1
        monotonic.now += 0.01  # a read takes its time
        return await after(connection, seq)

    monkeypatch.setattr(trust_changes, "after", counted)
    monotonic.now += 1
    await change(database)
    await asyncio.gather(*(feed.refresh() for _ in range(100)))
    assert feed.seen == 1
    # The one under way when the others ask, one that began after the last has asked, and at most one in between.
    assert 1 <= reads <= 3
