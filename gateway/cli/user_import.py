"""`stampgate user import`: the file read, a bar while it is written, and every fault with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.commands import ACTOR
from gateway.cli.output import emit_json, hint, say
from gateway.cli.progress import progress
from gateway.cli.refusals import FAILURE, Finished

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.administration import Administration
    from storage.companies import Company

FAULTS_SHOWN = 50
"""Lines of faults on a terminal; `--json` has them all."""


async def import_people(site: Administration, company: Company, file: Path, *, as_json: bool) -> None:
    """Import `file` and say what happened. Raises Finished with exit code 1 when the file has faults."""
    with progress("Importing people") as on_progress:
        imported = await site.people.import_csv(
            company.id,
            file.read_bytes(),  # noqa: ASYNC240 the command does nothing else meanwhile
            actor=ACTOR,
            on_progress=on_progress,
        )
    if as_json:
        emit_json(
            {
                "created": imported.created,
                "updated": imported.updated,
                "errors": [{"line": fault.line, "message": fault.message} for fault in imported.errors],
            }
        )
    elif not imported.errors:
        say(f"{imported.created} added and {imported.updated} changed in {company.name}.")
    else:
        hint(f"Nothing was imported: {len(imported.errors)} faults in {file.name}.")
        for fault in imported.errors[:FAULTS_SHOWN]:
            hint(f"line {fault.line}: {fault.message}")
        if len(imported.errors) > FAULTS_SHOWN:
            hint(f"… and {len(imported.errors) - FAULTS_SHOWN} more; --json shows all")
    if imported.errors:
        raise Finished(FAILURE)
