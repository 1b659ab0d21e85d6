"""The demo is made whole, whenever its first start was ended."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from gateway import demo
from gateway.administration import open_administration
from gateway.settings import Settings
from storage import users
from storage.database import Database
from tests.gateway.cheap_hash import CHEAP_HASH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.administration import Administration


class KilledError(Exception):
    """What ends a start here."""


async def prepared(settings: Settings) -> demo.Demo:
    async with open_administration(settings, prepare=False) as site:
        return await demo.prepare(site)


async def require_whole(site: Administration, made: demo.Demo) -> None:
    (company,) = await site.companies.list_()
    assert company.id == made.company_id
    assert await demo.link_is_current(site, made)
    assert len(await site.people.list_(company.id)) == len(demo.PEOPLE) + 1
    async with site.database.read() as connection:
        for person in made.people:
            found = await users.by_number(connection, company.id, person.personnel_number)
            assert found is not None
            assert found[1] is not None
            assert site.pins.verify(found[1], person.pin)


async def test_a_first_start_that_was_killed_is_taken_up_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_administration(Settings.load(data_dir=tmp_path / "new", **CHEAP_HASH), prepare=True):
        pass
    write, left = Database.write, [0]

    @contextlib.asynccontextmanager
    async def write_until_killed(database: Database) -> AsyncIterator[AsyncConnection]:
        async with write(database) as connection:
            yield connection
        left[0] -= 1
        if left[0] == 0:
            raise KilledError

    monkeypatch.setattr(Database, "write", write_until_killed)
    for killed_after in itertools.count(1):
        directory = tmp_path / str(killed_after)
        shutil.copytree(tmp_path / "new", directory)
        settings = Settings.load(data_dir=directory, **CHEAP_HASH)
        left[0] = killed_after
        try:
            await prepared(settings)
        except KilledError:
            assert (directory / demo.BEGUN).exists()
        else:
            break
        made = await prepared(settings)
        async with open_administration(settings, prepare=False) as site:
            await require_whole(site, made)
            assert await demo.prepare(site) == made
        assert not (directory / demo.BEGUN).exists()
    assert killed_after > 2 * len(demo.PEOPLE)


async def test_a_gateway_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, **CHEAP_HASH)
    async with open_administration(settings, prepare=True) as site:
        await site.companies.add("Meier AG", actor="cli")
        with pytest.raises(demo.DemoFileError, match="is not the demo"):
            await demo.prepare(site)
        assert [company.name for company in await site.companies.list_()] == ["Meier AG"]
    assert not (tmp_path / demo.BEGUN).exists()


async def test_what_is_kept_is_for_its_owner_alone(tmp_path: Path) -> None:
    async with open_administration(Settings.load(data_dir=tmp_path, **CHEAP_HASH), prepare=True) as site:
        await demo.prepare(site)
    assert stat.S_IMODE((tmp_path / demo.FILE_NAME).stat().st_mode) == 0o600
