"""Importing people from a file: first what it would do, with every fault and its line, then the import itself.

Between the two steps nothing is kept here: the page of the preview carries the file along, and the import looks at it
anew, so what has changed meanwhile is judged as it is then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.problems import FieldError, Problem
from gateway.pages.console.people import LIST
from gateway.pages.console.texts import fault_text

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from gateway.people.importing import Imported

SHOWN: Final = 200
"""People and faults that a preview names; beyond that it counts them."""


class PeopleImport:
    """The pages of an import."""

    def __init__(self, shell: Shell) -> None:
        self._people = shell.site.people

    async def page(self, visit: Visit) -> web.Response:
        """Ask for the file."""
        return visit.show("people_import")

    async def preview(self, visit: Visit) -> web.Response:
        """Say what the file would do."""
        text = visit.form["file"]
        if not text.strip():
            empty = Problem("bad-request", errors=[FieldError("file", "is required")])
            return visit.again("people_import", empty)
        looked = await self._run(visit, text, dry_run=True)
        return self._show(visit, looked, text, status=400 if looked.errors else 200)

    async def run(self, visit: Visit) -> web.Response:
        """Import the file."""
        text = visit.form["file"]
        imported = await self._run(visit, text, dry_run=False)
        if imported.errors:
            return self._show(visit, imported, text, status=409)
        return visit.go(LIST, "imported", imported.created, imported.updated)

    async def _run(self, visit: Visit, text: str, *, dry_run: bool) -> Imported:
        data = text.encode(errors="surrogateescape")
        return await self._people.import_csv(visit.company.id, data, dry_run=dry_run, **visit.by)

    @staticmethod
    def _show(visit: Visit, looked: Imported, text: str, *, status: int) -> web.Response:
        return visit.show(
            "people_preview",
            status=status,
            looked=looked,
            file="" if looked.errors else text,
            additions=looked.additions[:SHOWN],
            changes=looked.changes[:SHOWN],
            errors=[(fault.line, fault_text(fault.message, visit.gettext)) for fault in looked.errors[:SHOWN]],
        )
