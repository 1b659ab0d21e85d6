"""`stampgate company`: who uses this gateway, and in which time zone and language."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.advice import command
from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.naming import the_company
from gateway.cli.output import emit_items, emit_json, rfc3339, say, table
from gateway.cli.refusals import WrongUse

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage import companies


class Switch(StrEnum):
    """On or off, as people write it."""

    ON = "on"
    OFF = "off"


Timezone = Annotated[str | None, typer.Option(metavar="ZONE", help="Such as Europe/Berlin.", show_default=False)]
Locale = Annotated[str | None, typer.Option(metavar="LANGUAGE", help="Language of the pages: de or en.")]
Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--kiosk-network", metavar="NETWORK", help="Where terminals may be; repeat for more, '' for anywhere."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "company", "Companies that stamp here.")

    @administration_command(commands, "add", example='stampgate company add "Müller GmbH" --timezone Europe/Berlin')
    async def add(
        site: Administration,
        name: Annotated[str, typer.Argument(help="The name people see on the terminal.")],
        timezone: Timezone = None,
        locale: Locale = None,
        as_json: Json = False,
    ) -> None:
        """Add a company. Phone stamping is off until somebody switches it on."""
        chosen = {"timezone": timezone, "locale": locale}
        given = {field: value for field, value in chosen.items() if value is not None}
        company = await site.companies.add(name, actor=ACTOR, **given)
        if as_json:
            emit_json(as_document(company))
        else:
            say(f"Added {company.name} ({company.timezone}, {company.locale}).")

    @administration_command(commands, "list", example="stampgate company list --json")
    async def list_(site: Administration, as_json: Json = False) -> None:
        """List all companies."""
        found = await site.companies.list_()
        if as_json:
            emit_items([as_document(company) for company in found])
            return
        table(
            ("Company", "Time zone", "Language", "Phone stamping", "Id"),
            [(company.name, company.timezone, company.locale, _phone(company), company.id) for company in found],
            empty=f"There is no company yet: {command('company', 'add', 'NAME')}",
        )

    @administration_command(commands, "show", example="stampgate company show")
    async def show(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """Show one company and its settings."""
        _print(await the_company(site, company), as_json=as_json)

    @administration_command(commands, "set", example="stampgate company set --phone on --timezone Europe/Vienna")
    async def set_(
        site: Administration,
        company: Company = None,
        name: Annotated[str | None, typer.Option(metavar="NAME", help="A new name.")] = None,
        timezone: Timezone = None,
        locale: Locale = None,
        phone: Annotated[
            Switch | None, typer.Option(metavar="on|off", help="Stamping from private phones by the poster's link.")
        ] = None,
        kiosk_network: Networks = None,
        as_json: Json = False,
    ) -> None:
        """Change settings; those not named stay."""
        chosen: dict[str, Any] = {
            "name": name,
            "timezone": timezone,
            "locale": locale,
            "public_stamp_enabled": None if phone is None else phone is Switch.ON,
            "kiosk_networks": None if kiosk_network is None else [text for text in kiosk_network if text.strip()],
        }
        changes = {field: value for field, value in chosen.items() if value is not None}
        if not changes:
            raise WrongUse("nothing to change: name a setting, see `stampgate company set --help`")
        found = await the_company(site, company)
        _print(await site.companies.update(found.id, changes, actor=ACTOR), as_json=as_json)


def as_document(company: companies.Company) -> dict[str, Any]:
    """A company for scripts, with the names of the HTTP interface."""
    return {
        "id": company.id,
        "name": company.name,
        "timezone": company.timezone,
        "locale": company.locale,
        "public_stamp_enabled": company.public_stamp_enabled,
        "kiosk_networks": list(company.kiosk_networks),
        "created_at": rfc3339(company.created_at),
    }


def _print(company: companies.Company, *, as_json: bool) -> None:
    if as_json:
        emit_json(as_document(company))
        return
    say(f"Company:        {company.name}")
    say(f"Id:             {company.id}")
    say(f"Time zone:      {company.timezone}")
    say(f"Language:       {company.locale}")
    say(f"Phone stamping: {_phone(company)}")
    say(f"Terminals in:   {', '.join(company.kiosk_networks) or 'any network'}")


def _phone(company: companies.Company) -> str:
    if not company.public_stamp_enabled:
        return "off"
    return "on" if company.link_hash is not None else "on, but there is no link"
