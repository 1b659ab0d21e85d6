"""Companies: settings, and the current link of their phone tier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Column, Integer, LargeBinary, String, Table, insert, select
from sqlalchemy import update as sql_update

from storage import phone_links
from storage.phone_links import PhoneLink
from storage.schema import Id, Instant, Json, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

companies = Table(
    "companies",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("locale", String(16), nullable=False),
    Column("public_stamp_enabled", Boolean, nullable=False),
    Column("kiosk_networks", Json, nullable=False),
    Column("link_hash", LargeBinary(32), unique=True),
    Column("link_version", Integer, nullable=False, server_default="0"),
    Column("link_created_at", Instant),
    Column("created_at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """One company. `link_hash`: SHA-256 of the current phone link's token, `None` without one."""

    id: str
    name: str
    timezone: str
    locale: str
    created_at: float
    public_stamp_enabled: bool = False
    kiosk_networks: tuple[str, ...] = ()
    link_hash: bytes | None = None
    link_version: int = 0
    link_created_at: float | None = None


_COLUMNS: Final = tuple(companies.c)
_ADD: Final = insert(companies)
_ALL: Final = select(*_COLUMNS).order_by(companies.c.id)


def _company(row: Row[Any]) -> Company:
    values = dict(row._mapping)
    values["kiosk_networks"] = tuple(values["kiosk_networks"])
    return Company(**values)


async def add(connection: AsyncConnection, company: Company) -> None:
    """Insert `company`."""
    values: dict[str, Any] = {column.name: getattr(company, column.name) for column in _COLUMNS}
    values["kiosk_networks"] = list(company.kiosk_networks)
    await connection.execute(_ADD, values)


async def get(connection: AsyncConnection, company_id: str) -> Company | None:
    """Return one company."""
    row = (await connection.execute(select(*_COLUMNS).where(companies.c.id == company_id))).one_or_none()
    return None if row is None else _company(row)


async def all_(connection: AsyncConnection) -> list[Company]:
    """Return all companies, oldest first."""
    return [_company(row) for row in await connection.execute(_ALL)]


async def update(connection: AsyncConnection, company_id: str, **changes: object) -> bool:
    """Change columns of one company (`name`, `timezone`, …); return whether it exists.

    Raises `TypeError` for the columns of the link: those change through `set_link` alone.
    """
    _only(changes, ("name", "timezone", "locale", "public_stamp_enabled", "kiosk_networks"))
    if "kiosk_networks" in changes:
        networks: Sequence[str] = changes["kiosk_networks"]  # type: ignore[assignment]  # named in the docstring
        changes["kiosk_networks"] = list(networks)
    if not changes:
        return await get(connection, company_id) is not None
    result = await connection.execute(sql_update(companies).where(companies.c.id == company_id).values(**changes))
    return result.rowcount == 1


async def set_link(connection: AsyncConnection, company_id: str, link_hash: bytes | None, at: float) -> int | None:
    """Replace the phone link (`None`: no link any more) and return its new version, which only grows.

    A link is remembered for good, so that its poster is known again. Returns `None` when there is no such company.
    """
    version: int | None = await connection.scalar(
        sql_update(companies)
        .where(companies.c.id == company_id)
        .values(
            link_hash=link_hash,
            link_version=companies.c.link_version + 1,
            link_created_at=None if link_hash is None else at,
        )
        .returning(companies.c.link_version)
    )
    if version is not None and link_hash is not None:
        await phone_links.add(connection, PhoneLink(company_id, version, link_hash))
    return version


async def by_link(connection: AsyncConnection, link_hash: bytes) -> Company | None:
    """Return the company whose current link has this hash, whether its phone tier is on or not."""
    row = (await connection.execute(select(*_COLUMNS).where(companies.c.link_hash == link_hash))).one_or_none()
    return None if row is None else _company(row)


def _only(changes: dict[str, object], allowed: tuple[str, ...]) -> None:
    unknown = changes.keys() - set(allowed)
    if unknown:
        raise TypeError(f"not changed this way: {', '.join(sorted(unknown))}")
