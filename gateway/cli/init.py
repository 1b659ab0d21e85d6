"""`stampgate init`: everything a first start makes, without starting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.cli.advice import command
from gateway.cli.commands import settings_command
from gateway.cli.output import say

if TYPE_CHECKING:
    import typer

    from gateway.settings import Settings


FIRST_STEPS: Final = (
    ("company", "add", "Müller GmbH"),
    ("user", "add", "Anna Weber", "--number", "1042"),
    ("user", "set-pin", "1042"),
    ("device", "add", "Gate 1"),
    ("serve",),
)


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @settings_command(app, "init", example="stampgate init --data-dir /var/lib/stampgate")
    async def init(settings: Settings) -> None:
        """Make the data directory, the secrets and the database. Changes nothing that is there already."""
        from gateway.administration import open_administration

        is_new = not settings.secrets_path.exists()
        async with open_administration(settings) as site:
            companies = await site.companies.list_()
            revision = await site.database.revision()
        say(f"{'Made' if is_new else 'Found'} the secrets: {settings.secrets_path}")
        say(f"The database is at {revision}.")
        if is_new:
            say("Secrets and database are worth nothing without each other: `stampgate backup` keeps both in one file.")
        say()
        if companies:
            say(f"Next: {command('serve')}")
            return
        say("Next:")
        for words in FIRST_STEPS:
            say(f"  {command(*words)}")
