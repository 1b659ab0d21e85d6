"""`stampgate doctor`: one line for each thing a gateway stands on, and what to do where it is not sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.cli.commands import Json, settings_command
from gateway.cli.output import console, emit_json
from gateway.cli.refusals import FAILURE, Finished

if TYPE_CHECKING:
    import typer

    from gateway.cli.checks import Finding
    from gateway.settings import Settings

_STYLES = {"ok": "green", "note": "yellow", "fault": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""

    @settings_command(app, "doctor", example="stampgate doctor")
    async def doctor(settings: Settings, as_json: Json = False) -> None:
        """Check settings, files, database, Redis, clock and address. Exit code 1 when something is wrong."""
        from gateway.cli.checks import examine

        findings = await examine(settings)
        if as_json:
            emit_json({"findings": [{"level": one.level, "about": one.about, "text": one.text} for one in findings]})
        else:
            _print(findings)
        if any(one.level == "fault" for one in findings):
            raise Finished(FAILURE)


def _print(findings: list[Finding]) -> None:
    from rich.text import Text

    screen = console()
    for one in findings:
        level = (f"{one.level:<6}", _STYLES[one.level])
        screen.print(Text.assemble(level, f"{one.about}: {one.text}"), soft_wrap=True)
