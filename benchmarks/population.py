"""A company with its terminals and people, the same in every database of the run, and the sessions of its terminals.

Everything is written straight into storage: sign-ins through the front door would cost 17 ms of argon2 each. One and
the same population means that one signed request is valid at every process under test.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crypto.device_keys import DeviceKey
from crypto.tokens import new_token, token_hash
from gateway.clock import new_id
from storage import companies, devices, users
from storage.companies import Company
from storage.database import Database
from storage.devices import Device, device_keys
from storage.ephemeral.connection import Ephemeral
from storage.ephemeral.device_trust import DeviceTrust, KioskSession
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Sequence

TERMINALS = 1024
"""Each with a person of its own, so that stamps of one person are far apart and their order is never in doubt."""

LOGIN_TERMINALS = 64
LOGIN_PEOPLE = 800
"""Enough that neither a person (5 wrong in a row) nor a terminal (60 wrong an hour) is ever locked."""

PIN = "472915"
AFTER_ANY_CHANGE = 1 << 40
"""The trust feed's number these sessions claim to have begun at: no ending in the run is later."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """An enrolled terminal at which one person is signed in."""

    device_id: str
    key: DeviceKey
    user_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Population:
    """Who stamps (one person per terminal), and who signs in meanwhile at terminals of their own."""

    company_id: str
    link: str
    """The token of the company's poster."""
    terminals: Sequence[Terminal]
    login_terminals: Sequence[Terminal]
    login_numbers: Sequence[str]


def make() -> Population:
    """Draw a population."""

    def terminal() -> Terminal:
        return Terminal(new_id(), DeviceKey.generate(os.urandom), new_id(), new_token(os.urandom))

    return Population(
        new_id(),
        new_token(os.urandom),
        [terminal() for _ in range(TERMINALS)],
        [terminal() for _ in range(LOGIN_TERMINALS)],
        [f"9{number:05d}" for number in range(LOGIN_PEOPLE)],
    )


async def settle(population: Population, database_url: str, check_value: bytes, pin_record: bytes) -> None:
    """Write the population into a database that may not exist yet. All login people share one PIN record."""
    database, now = Database(database_url), time.time()
    company_id = population.company_id
    try:
        await database.upgrade()
        await database.bind_secrets(check_value)
        async with database.write() as connection:
            company = Company(
                id=company_id,
                name="Benchmark",
                timezone="Europe/Berlin",
                locale="de",
                created_at=now,
                public_stamp_enabled=True,
                link_hash=token_hash(population.link),
                link_version=1,
                link_created_at=now,
            )
            await companies.add(connection, company)
            for at, one in enumerate((*population.terminals, *population.login_terminals)):
                person = User(
                    id=one.user_id,
                    company_id=company_id,
                    full_name=f"Person {at}",
                    personnel_number=str(at),
                    role="employee",
                    created_at=now,
                )
                await users.add(connection, person)
                device = Device(
                    id=one.device_id,
                    company_id=company_id,
                    label=f"Terminal {at}",
                    location="Hall",
                    state="active",
                    created_at=now,
                    approved_at=now,
                )
                await devices.add(connection, device)
                await connection.execute(
                    device_keys.insert().values(
                        keyid=one.key.keyid,
                        device_id=one.device_id,
                        public_key=one.key.public_key,
                        state="current",
                        created_at=now,
                        expires_at=now + 86400,
                    )
                )
            for number in population.login_numbers:
                person = User(
                    id=new_id(),
                    company_id=company_id,
                    full_name=f"Person {number}",
                    personnel_number=number,
                    role="employee",
                    created_at=now,
                    pin_set_at=now,
                )
                await users.add(connection, person, pin_record=pin_record)
    finally:
        await database.close()


async def sign_everybody_in(population: Population, redis_url: str) -> None:
    """Open every terminal's session anew: a stamp shortens a session to ten seconds, so this precedes each round."""
    ephemeral, now = Ephemeral.open(redis_url), time.time()
    trust = DeviceTrust(ephemeral)
    try:
        async with asyncio.TaskGroup() as opening:
            for one in population.terminals:
                session = KioskSession(one.user_id, population.company_id, AFTER_ANY_CHANGE, now)
                opening.create_task(trust.open_session(one.key.keyid, token_hash(one.token), session, now))
    finally:
        await ephemeral.close()
