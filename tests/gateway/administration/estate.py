"""Two companies in one gateway, each with people of every role, a terminal, stamps, a correction and a lock."""

from __future__ import annotations

import itertools
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway.accounts.roles import Role
from gateway.stamping.actions import Action
from gateway.stamping.corrections import Wish
from gateway.stamping.records import StampRequest
from storage import lockouts
from storage.lockouts import Lockout
from tests.gateway.house import MovableClock, open_house
from tests.gateway.kept import Kept, is_new
from tests.gateway.signed_in import SignedInPerson, sign_in_as

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.administration import Administration
    from storage.users import User
    from tests.gateway.house import House


_numbers = itertools.count(500_001)


@dataclass
class Company:
    """A company and the ids of what is in it."""

    house: House
    id: str
    roles: dict[str, SignedInPerson] = field(default_factory=dict)
    employee: str = ""
    device: str = ""
    stamp: str = ""
    correction: str = ""
    lockout: str = ""

    @property
    def site(self) -> Administration:
        return self.house.gateway.administration

    @property
    def owner(self) -> SignedInPerson:
        return self.roles["owner"]

    @property
    def it(self) -> SignedInPerson:
        return self.roles["it"]

    @property
    def hr(self) -> SignedInPerson:
        return self.roles["hr"]

    @property
    def somebody(self) -> SignedInPerson:
        return self.roles["employee"]

    async def add(self, **fields: Any) -> User:
        values = {"full_name": "Ada Winter", "personnel_number": str(next(_numbers)), **fields}
        return await self.site.people.add(self.id, actor="cli", **values)

    async def renew(self) -> None:
        """Sign everybody in again: a session lasts a day."""
        for person in self.roles.values():
            async with self.site.database.write() as connection:
                person.opened = await self.house.gateway.sessions.open(connection, person.user.id)

    async def add_device(self, label: str = "Door") -> str:
        return (await self.site.devices.register(self.id, label, actor="cli")).device.id

    async def add_lock(self, **fields: Any) -> str:
        lockout = Lockout(
            **{
                "id": self.site.new_id(),
                "company_id": self.id,
                "tier": "kiosk",
                "scope": "number",
                "subject": uuid.uuid4().hex * 2,
                "user_id": self.employee,
                "reason": "consecutive",
                "since": self.house.clock(),
                "until": self.house.clock() + 300,
                **fields,
            }
        )
        async with self.site.database.write() as connection:
            await lockouts.add_lock(connection, lockout)
        return lockout.id

    async def act(self, action: str, user_id: str | None = None, tier: str = "kiosk") -> str:
        """Stamp for somebody, as a terminal does; give the stamp's id."""
        request = StampRequest(
            user_id=user_id or self.employee,
            company_id=self.id,
            stamp_id=str(uuid.uuid4()),
            action=Action(action),
            tier=tier,
            request_id=self.site.new_id(),
            device_id=self.device or None,
        )
        return (await self.house.gateway.stamping.record(request)).stamp.id


@dataclass
class Estate:
    house: House
    ours: Company
    theirs: Company
    made_at: float = 0.0
    """When all of it was there, by the house's clock."""


async def _fill(company: Company) -> None:
    for role in Role:
        company.roles[role.value] = await sign_in_as(company.house, role.value, company_id=company.id)
    company.employee = (await company.add()).id
    company.device = await company.add_device()
    company.stamp = await company.act("clock_in")
    company.lockout = await company.add_lock()
    wish = Wish(
        user_id=company.employee,
        action=Action.CLOCK_IN,
        at=company.house.clock() - 3600,
        reason="forgot",
        replaces=company.stamp,
    )
    made_by = company.owner.user.id
    company.correction = (await company.site.corrections.correct(company.id, wish, made_by=made_by)).stamp.id


def _moved_to(house: House, company: Company) -> Company:
    """The same company in a gateway on a copy of the database."""
    roles = {name: replace(person, house=house) for name, person in company.roles.items()}
    return replace(company, house=house, roles=roles)


@asynccontextmanager
async def _filled(directory: Path, **options: Any) -> AsyncIterator[Estate]:
    async with open_house(directory, **options) as house:
        other = await house.gateway.administration.companies.add("Tischlerei Ost", actor="cli")
        await house.told()
        estate = Estate(house, Company(house, house.company_id), Company(house, other.id))
        for company in (estate.ours, estate.theirs):
            await _fill(company)
        await house.told()
        estate.made_at = house.clock()
        yield estate


_filled_once = Kept(_filled)


@asynccontextmanager
async def open_estate(directory: Path, **options: Any) -> AsyncIterator[Estate]:
    if not is_new(directory, options):
        async with _filled(directory, **options) as estate:
            yield estate
        return
    first = await _filled_once.put(directory)
    clock = MovableClock()
    clock.move(first.made_at - clock())  # sessions, the lock and confirmed passwords are as old as in the first one
    founded = first.house.company_id, first.house.link
    async with open_house(directory, founded=founded, clock=clock, **options) as house:
        yield Estate(house, _moved_to(house, first.ours), _moved_to(house, first.theirs))
