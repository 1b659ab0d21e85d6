"""What no longer means anything is forgotten, and nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway import housekeeping
from gateway.housekeeping import KEEP_FAILURES_SECONDS, KEEP_TRUST_CHANGES_SECONDS, Housekeeping
from storage import lockouts, trust_changes
from storage.database import StorageUnavailable

if TYPE_CHECKING:
    import pytest

    from tests.gateway.house import House

NUMBER = b"n" * 32


async def test_what_is_too_old_goes_and_the_rest_stays(house: House) -> None:
    database, now = house.gateway.administration.database, house.clock()
    async with database.write() as connection:
        for at in (now - KEEP_FAILURES_SECONDS - 1, now - KEEP_FAILURES_SECONDS + 60):
            await lockouts.record_failure(connection, NUMBER, at)
        await trust_changes.append(connection, "person", "long ago", None, now - KEEP_TRUST_CHANGES_SECONDS - 1)
        await trust_changes.append(connection, "person", "lately", None, now - KEEP_TRUST_CHANGES_SECONDS + 60)
    await Housekeeping(database, house.clock).sweep()
    async with database.read() as connection:
        assert await lockouts.count_failures(connection, NUMBER, 0.0) == 1
        subjects = {change.subject for change in await trust_changes.after(connection, 0)}
    assert "lately" in subjects
    assert "long ago" not in subjects


async def test_a_database_that_is_away_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "FIRST_SECONDS", 0)
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0)
    swept = asyncio.Event()
    tries = 0

    class Away(Housekeeping):
        async def sweep(self) -> None:
            nonlocal tries
            tries += 1
            if tries == 1:
                raise StorageUnavailable("away")
            swept.set()

    keeping = Away(house.gateway.administration.database, house.clock)
    await keeping.start()
    await asyncio.wait_for(swept.wait(), 5)
    await keeping.stop()
