"""`stampgate doctor`: one line for each thing a gateway stands on, and what to do where it is not sound.

`doctor proxy` does the same for what stands before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.commands import Json, group, settings_command, settings_default
from gateway.cli.output import console, emit_json, hint, table
from gateway.cli.refusals import FAILURE, Finished, WrongUse

if TYPE_CHECKING:
    from gateway.cli.checks import Finding
    from gateway.cli.deployment import Deployment
    from gateway.cli.proxy_probes import Row
    from gateway.settings import Settings

_STYLES = {"ok": "green", "note": "yellow", "fault": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    commands = group(app, "doctor", "Check this gateway, or the proxy before it.")

    @settings_default(commands, example="stampgate doctor")
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

    @settings_command(commands, "proxy", example="stampgate doctor proxy https://stamp.example.com")
    async def proxy(
        settings: Settings,
        url: Annotated[str, typer.Argument(metavar="PUBLIC-URL", help="The address people and terminals use.")],
        connect: Annotated[
            str | None,
            typer.Option(metavar="HOST:PORT", help="Connect there instead, where the name is only known outside."),
        ] = None,
        ca: Annotated[
            str | None, typer.Option(metavar="FILE", help="Certificates (PEM) to trust besides the system's.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Send tricky requests through the proxy and show what the running gateway saw, and what to change.

        Run it where the gateway's secrets are. Exit code 1 when something is wrong.
        """
        import os

        from crypto.secrets_file import Secrets
        from gateway.cli.proxy_checks import ProxyDoctor
        from gateway.proxy_probe.tokens import PROBE_KEY, ProbeTokens

        deployment = _deployment(url, connect, ca)
        secrets = Secrets.load(settings.secrets_path)
        tokens = ProbeTokens(secrets.purpose_keys(PROBE_KEY), secrets.current_version, os.urandom)
        rows = await ProxyDoctor(deployment, tokens).examine()
        faults = sum(row.level == "fault" for row in rows)
        if as_json:
            emit_json({"url": deployment.url, "faults": faults, "checks": [_as_json(row) for row in rows]})
        else:
            table(
                ("", "what", "sent", "the gateway saw", "change"),
                ((row.level, row.about, row.sent, row.seen, row.change) for row in rows),
                empty="",
            )
            hint(f"{faults} to be mended." if faults else "The proxy changes nothing that matters.")
        if faults:
            raise Finished(FAILURE)


def _deployment(url: str, connect: str | None, ca: str | None) -> Deployment:
    """What is to be examined. Raises WrongUse."""
    from urllib.parse import urlsplit

    from gateway.cli.deployment import Deployment
    from gateway.settings import Settings, SettingsError

    try:
        address = Settings(public_url=url).public_url or url
    except (SettingsError, ValueError):
        raise WrongUse("the public URL must be an address such as https://stamp.example.com") from None
    at: tuple[str, int] | None = None
    if connect is not None:
        try:
            parts = urlsplit(f"//{connect}")
            at = (parts.hostname or "", parts.port or 0)
        except ValueError:
            at = ("", 0)
        if not all(at):
            raise WrongUse("--connect must be a host and a port, such as 127.0.0.1:443")
    return Deployment(address, connect=at, ca=ca)


def _as_json(row: Row) -> dict[str, str]:
    return {"level": row.level, "about": row.about, "sent": row.sent, "seen": row.seen, "change": row.change}


def _print(findings: list[Finding]) -> None:
    from rich.text import Text

    screen = console()
    for one in findings:
        level = (f"{one.level:<6}", _STYLES[one.level])
        screen.print(Text.assemble(level, f"{one.about}: {one.text}"), soft_wrap=True)
