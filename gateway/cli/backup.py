"""`stampgate backup` and `stampgate restore`: the database and the secrets, together."""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.advice import command
from gateway.cli.commands import Json, settings_command
from gateway.cli.new_file import new_file
from gateway.cli.output import confirm, emit_json, hint, say
from gateway.cli.progress import progress
from gateway.cli.refusals import Refusal

if TYPE_CHECKING:
    from gateway.backups.archive import Manifest
    from gateway.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""

    @settings_command(app, "backup", example="stampgate backup /var/backups/stampgate-$(date +%F).zip")
    async def backup(
        settings: Settings,
        file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to make; nothing is overwritten.")],
        as_json: Json = False,
    ) -> None:
        """Write the database and the secrets into one file, of one moment, also beside a running gateway."""
        from gateway.backups.archive import BackupRefused
        from gateway.backups.service import back_up

        with new_file(file) as output:
            try:
                with progress("Backing up") as bar:
                    manifest = await back_up(settings, output, clock=time.time, progress=bar)
            except BaseException as error:
                file.unlink(missing_ok=True)
                if isinstance(error, BackupRefused):
                    raise Refusal(str(error)) from None
                raise
        if as_json:
            emit_json(_summary(file, manifest))
            return
        say(f"{file}: {sum(manifest.rows.values())} rows at revision {manifest.revision}, and the secrets.")
        hint("Whoever has this file has everything: keep it encrypted, apart from the gateway.")

    @settings_command(app, "restore", example="stampgate restore /var/backups/stampgate-2026-11-25.zip")
    async def restore(
        settings: Settings,
        file: Annotated[Path, typer.Argument(metavar="FILE", help="What `stampgate backup` made.")],
        force: Annotated[
            bool, typer.Option("--force", help="Replace the database and secrets that are there.")
        ] = False,
        yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
        as_json: Json = False,
    ) -> None:
        """Put a backup in place, altogether or not at all. Stop every gateway first.

        It may come from the other kind of database, or from an older version.
        """
        from gateway.backups.archive import ArchiveReader, BackupRefused
        from gateway.backups.service import restore as put_back

        try:
            with ArchiveReader.open(file) as archive:
                if force:
                    confirm("Replace the database and all that it holds?", yes=yes)
                with progress("Restoring") as bar:
                    await put_back(settings, archive, force=force, progress=bar)
                manifest = archive.manifest
        except BackupRefused as error:
            raise Refusal(str(error)) from None
        if as_json:
            emit_json(_summary(file, manifest))
            return
        say(f"Restored {sum(manifest.rows.values())} rows of {manifest.made_at}, and the secrets.")
        serve, look = command("serve"), command("device", "list")
        hint(f"Next: {serve}, then {look}: a terminal revoked since then is active again.")


def _summary(file: Path, manifest: Manifest) -> dict[str, object]:
    return {
        "file": str(file),
        "made_at": manifest.made_at,
        "version": manifest.product,
        "database": manifest.database,
        "revision": manifest.revision,
        "rows": manifest.rows,
    }
