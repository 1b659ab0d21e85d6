"""Jobs that make PIN slips, and the sealed slips, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage import pin_slips
from storage.errors import Conflict
from storage.pin_slips import SealedSlip, SlipJob
from tests.storage.rows import NOW, add_company, add_user, new_id

if TYPE_CHECKING:
    from storage.database import Database


async def new_job(database: Database, total: int = 3) -> SlipJob:
    company = await add_company(database)
    user = await add_user(database, company.id)
    job = SlipJob(id=new_id(), company_id=company.id, started_by=user.id, created_at=NOW, touched_at=NOW, total=total)
    async with database.write() as connection:
        await pin_slips.add(connection, job)
    return job


def slip(position: int) -> SealedSlip:
    return SealedSlip(position=position, sealed=b"sealed %d" % position, user_id=None, set_at=NOW)


async def there(database: Database, job: SlipJob) -> SlipJob | None:
    async with database.read() as connection:
        return await pin_slips.started_by(connection, job.started_by)


async def test_slips_are_counted_and_come_back_in_order(database: Database) -> None:
    job = await new_job(database)
    assert await there(database, job) == job
    for at in range(3):
        async with database.write() as connection:
            assert await pin_slips.next_position(connection, job.id, NOW + at) == at + 1
            await pin_slips.add_slip(connection, job.id, slip(at + 1))
    found = await there(database, job)
    assert found is not None
    assert (found.done, found.touched_at) == (3, NOW + 2)
    async with database.read() as connection:
        slips = await pin_slips.sealed_slips(connection, job.id)
    assert slips == [slip(1), slip(2), slip(3)]


async def test_a_finished_job_takes_no_more_slips(database: Database) -> None:
    job = await new_job(database)
    async with database.write() as connection:
        await pin_slips.finish(connection, job.id, NOW + 5)
        await pin_slips.finish(connection, job.id, NOW + 9)
        assert await pin_slips.next_position(connection, job.id, NOW + 9) is None
    found = await there(database, job)
    assert found is not None
    assert found.finished_at == NOW + 5


async def test_one_person_has_one_job(database: Database) -> None:
    job = await new_job(database)
    with pytest.raises(Conflict, match=r"pin_slip_jobs\.started_by"):
        async with database.write() as connection:
            second = SlipJob(
                id=new_id(),
                company_id=job.company_id,
                started_by=job.started_by,
                created_at=NOW,
                touched_at=NOW,
                total=1,
            )
            await pin_slips.add(connection, second)


async def test_taking_deletes_the_slips_once(database: Database) -> None:
    job = await new_job(database)
    async with database.write() as connection:
        await pin_slips.next_position(connection, job.id, NOW)
        await pin_slips.add_slip(connection, job.id, slip(1))
    async with database.write() as connection:
        assert await pin_slips.take(connection, job.id)
        assert not await pin_slips.take(connection, job.id)
        assert await pin_slips.sealed_slips(connection, job.id) == []
    assert await there(database, job) is None


async def test_a_sign_of_life_and_one_slip_less(database: Database) -> None:
    job = await new_job(database)
    async with database.write() as connection:
        await pin_slips.touch(connection, job.id, NOW + 1)
        await pin_slips.skip(connection, job.id, NOW + 2)
    found = await there(database, job)
    assert found is not None
    assert (found.total, found.done, found.touched_at) == (2, 0, NOW + 2)
    async with database.write() as connection:
        await pin_slips.drop_empty(connection, job.id)
    assert await there(database, job) is None


async def test_old_jobs_are_found_and_their_slips_go_some_at_a_time(database: Database) -> None:
    old, young = await new_job(database), await new_job(database)
    async with database.write() as connection:
        for position in (1, 2, 3):
            await pin_slips.next_position(connection, old.id, NOW)
            await pin_slips.add_slip(connection, old.id, slip(position))
        assert await pin_slips.too_old(connection, NOW - 1) == []
        assert {job.id for job in await pin_slips.too_old(connection, NOW)} == {old.id, young.id}
        assert await pin_slips.hold(connection, old.id) == 3
        some = await pin_slips.sealed_slips(connection, old.id, 2)
        await pin_slips.drop_slips(connection, old.id, [one.position for one in some])
        assert await pin_slips.hold(connection, old.id) == 1
        assert await pin_slips.hold(connection, young.id) == 0
        assert await pin_slips.sealed_slips(connection, old.id) == [slip(3)]
        await pin_slips.take(connection, old.id)
        assert await pin_slips.hold(connection, old.id) is None
