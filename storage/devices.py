"""Terminals: what IT says about each, its enrolment under way, and its current key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    insert,
    select,
    text,
)
from sqlalchemy import update as sql_update

from storage.schema import Id, Instant, Json, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

devices = Table(
    "devices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("company_id", Id, ForeignKey("companies.id"), nullable=False),
    Column("label", String(100), nullable=False),
    Column("location", String(200), nullable=False),
    Column("allowed_networks", Json, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("approved_at", Instant),
    Column("last_seen_at", Instant),
    Column("client_name", String(100)),
    Column("client_version", String(100)),
    Column("client_platform", String(200)),
    Column("clock_offset_ms", BigInteger),
    Column("code_hash", LargeBinary(32), unique=True),
    Column("code_expires_at", Instant),
    Column("enrolment_id", Id),
    Column("enrolment_started_at", Instant),
    Column("words_asked", Json),
    Column("wrong_tries", Integer, nullable=False, server_default="0"),
    Column("reason", String(200)),
    Index(None, "company_id"),
)

device_keys = Table(
    "device_keys",
    metadata,
    Column("keyid", String(43), primary_key=True),
    Column("device_id", Id, ForeignKey("devices.id"), nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("first_used_at", Instant),
    Column("superseded_at", Instant),
    Index(None, "device_id"),
    Index(
        "uq_device_keys_current",
        "device_id",
        unique=True,
        sqlite_where=text("state = 'current'"),
        postgresql_where=text("state = 'current'"),
    ),
)
"""A key is *current* (at most one of a terminal), *offered* by a key change until its first use, *superseded* by the
first use of the next one, or *blocked* for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One terminal with its current key, if it has one. Times are Unix seconds.

    `words_asked`: the two positions (1 to 5) IT types at approval. `clock_offset_ms`: the terminal's clock minus ours.
    """

    id: str
    company_id: str
    label: str
    location: str
    state: str
    created_at: float
    allowed_networks: tuple[str, ...] = ()
    approved_at: float | None = None
    last_seen_at: float | None = None
    client_name: str | None = None
    client_version: str | None = None
    client_platform: str | None = None
    clock_offset_ms: int | None = None
    code_hash: bytes | None = None
    code_expires_at: float | None = None
    enrolment_id: str | None = None
    enrolment_started_at: float | None = None
    words_asked: tuple[int, ...] | None = None
    wrong_tries: int = 0
    reason: str | None = None
    keyid: str | None = None
    public_key: bytes | None = None
    key_created_at: float | None = None
    key_expires_at: float | None = None


_DEVICE: Final = (
    select(
        *devices.c,
        device_keys.c.keyid,
        device_keys.c.public_key,
        device_keys.c.created_at.label("key_created_at"),
        device_keys.c.expires_at.label("key_expires_at"),
    )
    .outerjoin_from(
        devices, device_keys, and_(device_keys.c.device_id == devices.c.id, device_keys.c.state == "current")
    )
    .order_by(devices.c.id)
)
_CHANGEABLE: Final = frozenset(
    {
        "label",
        "location",
        "allowed_networks",
        "approved_at",
        "code_hash",
        "code_expires_at",
        "enrolment_id",
        "enrolment_started_at",
        "words_asked",
        "wrong_tries",
        "reason",
    }
)


def _device(row: Row[*tuple[Any, ...]]) -> Device:
    values = dict(row._mapping)
    values["allowed_networks"] = tuple(values["allowed_networks"])
    values["words_asked"] = None if values["words_asked"] is None else tuple(values["words_asked"])
    return Device(**values)


def _changes(changes: dict[str, Any]) -> dict[str, Any]:
    if unknown := changes.keys() - _CHANGEABLE:
        raise TypeError(f"not changed this way: {', '.join(sorted(unknown))}")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}


async def add(connection: AsyncConnection, device: Device) -> None:
    """Insert `device`; its key fields are not written (see `start_enrolment`). Raises `Conflict` as all inserts do."""
    values: dict[str, Any] = {column.name: getattr(device, column.name) for column in devices.c}
    values["allowed_networks"] = list(device.allowed_networks)
    values["words_asked"] = None if device.words_asked is None else list(device.words_asked)
    await connection.execute(insert(devices).values(values))


async def get(connection: AsyncConnection, device_id: str) -> Device | None:
    """Return one terminal."""
    row = (await connection.execute(_DEVICE.where(devices.c.id == device_id))).one_or_none()
    return None if row is None else _device(row)


async def by_code(connection: AsyncConnection, code_hash: bytes) -> Device | None:
    """Return the terminal whose enrolment code has this keyed hash, used, expired or not."""
    row = (await connection.execute(_DEVICE.where(devices.c.code_hash == code_hash))).one_or_none()
    return None if row is None else _device(row)


async def list_(connection: AsyncConnection, company_id: str | None) -> list[Device]:
    """Return the terminals of a company, or of all with `None`, oldest first."""
    statement = _DEVICE if company_id is None else _DEVICE.where(devices.c.company_id == company_id)
    return [_device(row) for row in await connection.execute(statement)]


async def set_code(connection: AsyncConnection, device_id: str, code_hash: bytes, expires_at: float) -> bool:
    """Give a terminal in state *registered* a new enrolment code; an old one dies. Return whether it could be."""
    result = await connection.execute(
        sql_update(devices)
        .where(devices.c.id == device_id, devices.c.state == "registered")
        .values(code_hash=code_hash, code_expires_at=expires_at)
    )
    return result.rowcount == 1


async def take_code(connection: AsyncConnection, code_hash: bytes, now: float) -> Device | None:
    """Use an enrolment code up: return its terminal, now *pending*, to exactly one of all who try.

    `None`: wrong, used or expired, which looks the same to everybody. One conditional update, so two tries at once
    cannot both find the terminal *registered*. The hash stays on the row, for the repeat of a lost answer (`by_code`).
    """
    device_id = await connection.scalar(
        sql_update(devices)
        .where(devices.c.code_hash == code_hash, devices.c.code_expires_at > now, devices.c.state == "registered")
        .values(state="pending")
        .returning(devices.c.id)
    )
    return None if device_id is None else await get(connection, device_id)


async def start_enrolment(
    connection: AsyncConnection,
    device_id: str,
    *,
    enrolment_id: str,
    keyid: str,
    public_key: bytes,
    started_at: float,
    key_expires_at: float,
    words_asked: Sequence[int],
    client_name: str,
    client_version: str,
    client_platform: str,
) -> None:
    """Write down the enrolment of a terminal taken by `take_code`, and its key.

    Raises (at the end of the transaction's block) `Conflict` on `device_keys.keyid` when the key was ever seen.
    """
    await connection.execute(
        sql_update(devices)
        .where(devices.c.id == device_id)
        .values(
            enrolment_id=enrolment_id,
            enrolment_started_at=started_at,
            words_asked=list(words_asked),
            wrong_tries=0,
            reason=None,
            client_name=client_name,
            client_version=client_version,
            client_platform=client_platform,
        )
    )
    await add_key(
        connection,
        device_id,
        keyid=keyid,
        public_key=public_key,
        state="current",
        created_at=started_at,
        expires_at=key_expires_at,
    )


async def add_key(
    connection: AsyncConnection,
    device_id: str,
    *,
    keyid: str,
    public_key: bytes,
    state: str,
    created_at: float,
    expires_at: float,
) -> None:
    """Insert a key of a terminal; what becomes of it afterwards is in `known_keys`.

    Raises (at the end of the transaction's block) `Conflict` on `device_keys.keyid` when the key was ever seen.
    """
    await connection.execute(
        insert(device_keys).values(
            keyid=keyid,
            device_id=device_id,
            public_key=public_key,
            state=state,
            created_at=created_at,
            expires_at=expires_at,
        )
    )


async def update(connection: AsyncConnection, device_id: str, **changes: object) -> bool:
    """Change columns in whatever state the terminal is (`label`, `location`, `allowed_networks`, …)."""
    values = _changes(changes)
    result = await connection.execute(sql_update(devices).where(devices.c.id == device_id).values(values))
    return result.rowcount == 1


async def set_state(
    connection: AsyncConnection, device_id: str, from_states: Collection[str], to_state: str, **changes: object
) -> bool:
    """Move a terminal to `to_state` if it is in one of `from_states`, with other columns; return whether it was.

    One conditional update: of two who want the same transition at once, one gets it.
    """
    values = _changes(changes)
    result = await connection.execute(
        sql_update(devices)
        .where(devices.c.id == device_id, devices.c.state.in_(from_states))
        .values(state=to_state, **values)
    )
    return result.rowcount == 1


async def count_wrong_try(connection: AsyncConnection, device_id: str) -> int:
    """Count a wrong answer to the words of an enrolment under way and return how many there are now, 0 if none is."""
    tries = await connection.scalar(
        sql_update(devices)
        .where(devices.c.id == device_id, devices.c.state == "pending")
        .values(wrong_tries=devices.c.wrong_tries + 1)
        .returning(devices.c.wrong_tries)
    )
    return tries or 0
