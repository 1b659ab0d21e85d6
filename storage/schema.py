"""What all tables share: the metadata with its naming convention, and the column types of instants and ids."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Dialect, Integer, MetaData, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

NAMING_CONVENTION: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}
"""Every constraint has a name, so that a migration can drop it on both databases."""

metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Instant(TypeDecorator[float]):
    """Unix seconds as a float in Python, whole milliseconds in SQL: the same exact value on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:
        """Seconds to milliseconds, rounded."""
        return None if value is None else round(value * 1000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:
        """Milliseconds to seconds."""
        return None if value is None else value / 1000


class Duration(Instant):
    """A length of time: float seconds in Python, whole milliseconds in SQL."""

    cache_ok = True


Id: Final = String(36)
"""A canonical lower-case UUIDv7."""

Json: Final[JSON] = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A small document nobody searches in."""

RowNumber: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database counts up itself (SQLite does so for INTEGER PRIMARY KEY alone)."""
