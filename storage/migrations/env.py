"""Alembic runs this: migrations happen inside the transaction and on the connection that the caller prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context

from storage.schema import metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite takes part in a transaction as well: our connections begin it themselves, before the first statement
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
