"""Rows that tests of storage begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uuid_utils import uuid7

from storage import companies, devices, users
from storage.stamps import NewStamp

if TYPE_CHECKING:
    from storage.database import Database

NOW = 1_760_000_000.125


def new_id() -> str:
    return str(uuid7())


async def add_company(database: Database, **fields: Any) -> companies.Company:
    company = companies.Company(
        **{
            "id": new_id(),
            "name": "Tischlerei",
            "timezone": "Europe/Berlin",
            "locale": "de",
            "created_at": NOW,
            **fields,
        }
    )
    async with database.write() as connection:
        await companies.add(connection, company)
    return company


async def add_user(database: Database, company_id: str, **fields: Any) -> users.User:
    user = users.User(
        **{
            "id": new_id(),
            "company_id": company_id,
            "full_name": "Ada Ärmel",
            "role": "employee",
            "created_at": NOW,
            **fields,
        }
    )
    async with database.write() as connection:
        await users.add(connection, user)
    return user


async def add_device(database: Database, company_id: str, **fields: Any) -> devices.Device:
    device = devices.Device(
        **{
            "id": new_id(),
            "company_id": company_id,
            "label": "Door",
            "location": "Hall",
            "state": "registered",
            "created_at": NOW,
            **fields,
        }
    )
    async with database.write() as connection:
        await devices.add(connection, device)
    return device


def stamp_row(user: users.User, sequence: int, *, at: float = NOW, **fields: Any) -> NewStamp:
    return NewStamp(
        id=new_id(),
        company_id=user.company_id,
        user_id=user.id,
        sequence=sequence,
        stamp_id=new_id(),
        action="clock_in",
        tier="kiosk",
        device_id=None,
        link_version=None,
        request_id=new_id(),
        at_ms=round(at * 1000),
    )._replace(**fields)
