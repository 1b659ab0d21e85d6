"""`stampgate public-link`: the link on the poster, for stamping from private phones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli import qr
from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.naming import the_company
from gateway.cli.output import confirm, emit_json, hint, local_time, rfc3339, say

if TYPE_CHECKING:
    from gateway.app import Administration
    from gateway.companies.service import LinkState

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "public-link", "The poster's link for stamping from private phones.")

    @administration_command(commands, "rotate", example="stampgate public-link rotate --enable")
    async def rotate(
        site: Administration,
        enable: Annotated[bool, typer.Option("--enable", help="Switch phone stamping on, too.")] = False,
        yes: Yes = False,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Make a new link, shown this once, and as a QR code. The old poster dies at once."""
        found = await the_company(site, company)
        if found.link_hash is not None:
            confirm(f"The present poster of {found.name} dies at once. Make a new link?", yes=yes)
        if enable and not found.public_stamp_enabled:
            await site.companies.update(found.id, {"public_stamp_enabled": True}, actor=ACTOR)
        link = await site.companies.rotate_link(found.id, actor=ACTOR)
        if as_json:
            emit_json(
                {
                    "token": link.token,
                    "url": link.url,
                    "created_at": rfc3339(link.created_at),
                    "enabled": link.enabled,
                }
            )
        else:
            say(f"Link of {found.name}: {link.url}")
            qr.show(link.url)
            hint("It cannot be shown again.")
        if not link.enabled:
            hint("Phone stamping is still off, so the link does nothing yet: stampgate public-link enable")

    @administration_command(commands, "enable", example="stampgate public-link enable")
    async def enable_(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """Switch phone stamping on; the link that is there, if any, works again."""
        found = await the_company(site, company)
        await site.companies.update(found.id, {"public_stamp_enabled": True}, actor=ACTOR)
        _print(await site.companies.link_state(found.id), as_json=as_json)

    @administration_command(commands, "disable", example="stampgate public-link disable")
    async def disable(site: Administration, yes: Yes = False, company: Company = None, as_json: Json = False) -> None:
        """Let the poster die without a new one; open phone sessions end at once.

        Phone stamping itself stays as it is switched: see `company set --phone off`.
        """
        found = await the_company(site, company)
        if found.link_hash is not None:
            confirm(f"The present poster of {found.name} dies for good. Go on?", yes=yes)
        await site.companies.disable_link(found.id, actor=ACTOR)
        _print(await site.companies.link_state(found.id), as_json=as_json)

    @administration_command(commands, "show", example="stampgate public-link show --json")
    async def show(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """Show whether there is a link and whether phone stamping is on; never the link itself, which nobody keeps."""
        found = await the_company(site, company)
        _print(await site.companies.link_state(found.id), as_json=as_json)


def _print(state: LinkState, *, as_json: bool) -> None:
    if as_json:
        document = {"enabled": state.enabled, "active": state.active}
        emit_json(document if state.created_at is None else document | {"created_at": rfc3339(state.created_at)})
        return
    say(f"Phone stamping: {'on' if state.enabled else 'off'}")
    say(f"Link:           {f'since {local_time(state.created_at)}' if state.active else 'none'}")
    if state.enabled and not state.active:
        hint("There is no link yet: stampgate public-link rotate")
