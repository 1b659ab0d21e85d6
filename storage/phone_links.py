"""The phone links a company has ever had, so that a poster which is no longer valid is known again when it is scanned.

Only hashes are kept. The link that is valid now is the company's own (`storage.companies`); this remembers the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Table, insert, or_, select, update

from storage.schema import Id, Instant, metadata

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.ext.asyncio import AsyncConnection

phone_links = Table(
    "phone_links",
    metadata,
    Column("company_id", Id, ForeignKey("companies.id"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("link_hash", LargeBinary(32), nullable=False),
    Column("reported_at", Instant),
)


@dataclass(frozen=True, slots=True)
class PhoneLink:
    """One link: whose, the number of its poster, and the SHA-256 of its token.

    `reported_at`: when its use after its time was last written down, in Unix seconds.
    """

    company_id: str
    version: int
    link_hash: bytes
    reported_at: float | None = None


_ADD: Final = insert(phone_links)
_ALL: Final = select(*phone_links.c).order_by(phone_links.c.company_id, phone_links.c.version)


async def add(connection: AsyncConnection, link: PhoneLink) -> None:
    """Remember a link."""
    values = {"company_id": link.company_id, "version": link.version, "link_hash": link.link_hash}
    await connection.execute(_ADD, values)


async def all_(connection: AsyncConnection) -> list[PhoneLink]:
    """Return the links of all companies and times, each company's in the order of their numbers."""
    return await _found(connection, _ALL)


async def reported_since(connection: AsyncConnection, company_id: str, since: float) -> list[PhoneLink]:
    """Return a company's links whose use after their time was written down at or after `since` (Unix seconds)."""
    of_it = _ALL.where(phone_links.c.company_id == company_id, phone_links.c.reported_at >= since)
    return await _found(connection, of_it)


async def report(connection: AsyncConnection, company_id: str, version: int, at: float, before: float) -> bool:
    """Note that a link's use is written down `at`. False, and nothing done, if that was so after `before` already.

    Of several processes at once one gets True.
    """
    result = await connection.execute(
        update(phone_links)
        .where(
            phone_links.c.company_id == company_id,
            phone_links.c.version == version,
            or_(phone_links.c.reported_at.is_(None), phone_links.c.reported_at <= before),
        )
        .values(reported_at=at)
    )
    return result.rowcount == 1


async def _found(connection: AsyncConnection, statement: Select[Any]) -> list[PhoneLink]:
    rows = await connection.execute(statement)
    return [PhoneLink(company_id, version, bytes(link_hash), at) for company_id, version, link_hash, at in rows]
