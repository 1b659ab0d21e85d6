"""`stampgate public-link`: the link on the poster, for stamping from private phones."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path  # noqa: TC003 typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import qr
from gateway.cli.advice import command
from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.local_date import today
from gateway.cli.naming import the_company
from gateway.cli.new_file import new_file
from gateway.cli.output import confirm, emit_json, hint, local_time, rfc3339, say
from gateway.cli.wanted_poster import wanted_poster

if TYPE_CHECKING:
    from gateway.administration import Administration
    from gateway.cli.wanted_poster import WantedPoster
    from gateway.companies.service import LinkState, RotatedLink

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "public-link", "The poster's link for stamping from private phones.")

    @administration_command(commands, "rotate", example="stampgate public-link rotate --enable --poster poster.pdf")
    async def rotate(
        site: Administration,
        enable: Annotated[bool, typer.Option("--enable", help="Switch phone stamping on, too.")] = False,
        poster: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="Write the poster, too; the ending says how: .pdf, .svg or .png (300 dpi).",
                show_default=False,
            ),
        ] = None,
        paper: Annotated[
            str | None, typer.Option(metavar="a4|a3", help="Of the poster; a4 if left out.", show_default=False)
        ] = None,
        yes: Yes = False,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Make a new link, shown this once, and as a QR code. The old poster dies at once.

        Only now can the poster be made: the link is not kept, so later there is nothing to print.
        """
        wanted = wanted_poster(poster, paper)
        found = await the_company(site, company)
        if found.link_hash is not None:
            confirm(f"The present poster of {found.name} dies at once. Make a new link?", yes=yes)
        with nullcontext() if wanted is None else new_file(wanted.path) as file:
            if enable and not found.public_stamp_enabled:
                await site.companies.update(found.id, {"public_stamp_enabled": True}, actor=ACTOR)
            link = await site.companies.rotate_link(found.id, actor=ACTOR)
            _print_link(link, found.name, wanted, as_json=as_json)
            if wanted is not None and file is not None:
                file.write(wanted.draw(found.name, link.url, today(site, found)))
        if wanted is not None:
            hint(f"The poster is {wanted.path}.")
        if not link.enabled:
            switch = command("public-link", "enable", company=company)
            hint(f"Phone stamping is still off, so the link does nothing yet: {switch}")

    @administration_command(commands, "enable", example="stampgate public-link enable")
    async def enable_(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """Switch phone stamping on; the link that is there, if any, works again."""
        found = await the_company(site, company)
        await site.companies.update(found.id, {"public_stamp_enabled": True}, actor=ACTOR)
        _print(await site.companies.link_state(found.id), company, as_json=as_json)

    @administration_command(commands, "disable", example="stampgate public-link disable")
    async def disable(site: Administration, yes: Yes = False, company: Company = None, as_json: Json = False) -> None:
        """Let the poster die without a new one; open phone sessions end at once.

        Phone stamping itself stays as it is switched: see `company set --phone off`.
        """
        found = await the_company(site, company)
        if found.link_hash is not None:
            confirm(f"The present poster of {found.name} dies for good. Go on?", yes=yes)
        await site.companies.disable_link(found.id, actor=ACTOR)
        _print(await site.companies.link_state(found.id), company, as_json=as_json)

    @administration_command(commands, "show", example="stampgate public-link show --json")
    async def show(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """Show whether there is a link and whether phone stamping is on; never the link itself, which nobody keeps."""
        found = await the_company(site, company)
        _print(await site.companies.link_state(found.id), company, as_json=as_json)


def _print_link(link: RotatedLink, company: str, poster: WantedPoster | None, *, as_json: bool) -> None:
    if not as_json:
        say(f"Link of {company}: {link.url}")
        qr.show(link.url)
        hint("It cannot be shown again.")
        return
    document = {
        "token": link.token,
        "url": link.url,
        "created_at": rfc3339(link.created_at),
        "enabled": link.enabled,
    }
    emit_json(document if poster is None else document | {"poster": str(poster.path)})


def _print(state: LinkState, company: str | None, *, as_json: bool) -> None:
    if as_json:
        document = {"enabled": state.enabled, "active": state.active}
        since = {} if state.created_at is None else {"created_at": rfc3339(state.created_at), "version": state.version}
        emit_json(document | since)
        return
    say(f"Phone stamping: {'on' if state.enabled else 'off'}")
    link = f"number {state.version}, since {local_time(state.created_at)}" if state.active else "none"
    say(f"Link:           {link}")
    if state.enabled and not state.active:
        hint(f"There is no link yet: {command('public-link', 'rotate', company=company)}")
