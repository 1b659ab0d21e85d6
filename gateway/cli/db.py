"""`stampgate db`: the database's schema, for those who move it by hand."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.advice import command
from gateway.cli.commands import Json, group, settings_command
from gateway.cli.output import confirm, emit_json, hint, say
from gateway.cli.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.settings import Settings
    from storage.database import Database


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "db", "The database's schema. `serve` migrates by itself.")

    @settings_command(commands, "status", example="stampgate db status")
    async def status(settings: Settings, as_json: Json = False) -> None:
        """Show at which revision the database is, and which one this version works with."""
        async with _open(settings) as database:
            revision, head = await database.revision(), await database.head()
        if as_json:
            emit_json({"revision": revision, "head": head, "up_to_date": revision == head})
            return
        say(f"Database: {revision or 'empty'}")
        say(f"Needed:   {head}")
        if revision != head:
            hint(f"Next: {command('db', 'upgrade')}")

    @settings_command(commands, "upgrade", example="stampgate db upgrade")
    async def upgrade(
        settings: Settings,
        revision: Annotated[str, typer.Argument(help="The revision to reach.")] = "head",
    ) -> None:
        """Bring the schema up to date. Several at once are safe: one works, the others wait."""
        if settings.database_url is None:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        async with _open(settings) as database:
            await database.upgrade(revision)
            say(f"The database is at {await database.revision()}.")

    @settings_command(commands, "downgrade", example="stampgate db downgrade base --yes")
    async def downgrade(
        settings: Settings,
        revision: Annotated[str, typer.Argument(help="The revision to go back to; base removes everything.")],
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
    ) -> None:
        """Bring the schema back to an older revision. What the newer one added is lost."""
        async with _open(settings) as database:
            if await database.revision() is None:
                raise Refusal("the database is empty already")
            confirm(f"Go back to {revision}? What newer revisions added is lost.", yes=yes)
            await database.downgrade(revision)
            say(f"The database is at {await database.revision() or 'no revision: it is empty'}.")


@asynccontextmanager
async def _open(settings: Settings) -> AsyncIterator[Database]:
    """The database alone: its schema may be any, so no service could work with it."""
    from alembic.util.exc import CommandError

    from storage.database import Database

    database = Database(settings.effective_database_url)
    try:
        yield database
    except CommandError as error:
        raise Refusal(str(error)) from None
    finally:
        await database.close()
