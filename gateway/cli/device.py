"""`stampgate device`: terminals from their first code to their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import device_words, qr
from gateway.cli.advice import command, line
from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.naming import company_names, some_companies, the_company, the_device
from gateway.cli.output import confirm, emit_items, emit_json, hint, local_time, rfc3339, say, table
from gateway.cli.refusals import WrongUse
from gateway.devices.attention import ends_soon, is_copied, is_silent

if TYPE_CHECKING:
    from gateway.administration import Administration
    from gateway.devices.models import Registered
    from storage import devices

Terminal = Annotated[str, typer.Argument(metavar="TERMINAL", help="Its label or id.", show_default=False)]
Reason = Annotated[str | None, typer.Option(metavar="TEXT", help="Kept in the audit trail.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")]
NetworkList = Annotated[
    list[str] | None, typer.Option("--network", metavar="NETWORK", help="Where it may be used; repeat for more.")
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "device", "Terminals: enrol, approve, suspend, end.")
    _register_beginnings(commands)
    _register_approval(commands)
    _register_later_life(commands)


def _register_beginnings(commands: typer.Typer) -> None:
    @administration_command(commands, "add", example='stampgate device add "Gate 1" --location "North entrance"')
    async def add(
        site: Administration,
        label: Annotated[str, typer.Argument(help="What people call it.", show_default=False)],
        location: Annotated[str, typer.Option(help="Where it hangs.")] = "",
        network: NetworkList = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Register a terminal: shows its enrolment code, once, and the same as a QR code."""
        found = await the_company(site, company)
        networks = [text for text in network or [] if text.strip()]
        registered = await site.devices.register(found.id, label, location, networks, actor=ACTOR)
        await _print_code(site, registered, company, as_json)

    @administration_command(commands, "new-code", example='stampgate device new-code "Gate 1"')
    async def new_code(
        site: Administration, terminal: Terminal, company: Company = None, as_json: Json = False
    ) -> None:
        """Show a new enrolment code of a terminal that is not enrolled yet; the old one dies."""
        device = await the_device(site, terminal, company)
        await _print_code(site, await site.devices.new_code(device.id, actor=ACTOR), company, as_json)

    @administration_command(commands, "replace", example='stampgate device replace "Gate 1" --reason "broken screen"')
    async def replace(
        site: Administration,
        terminal: Terminal,
        reason: Reason = None,
        yes: Yes = False,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Give a terminal's name and history to new hardware: blocks the old key for ever and shows a new code."""
        device = await the_device(site, terminal, company)
        confirm(f"Block the present key of {device.label}?", yes=yes)
        registered = await site.devices.replace(device.id, reason=reason, actor=ACTOR)
        await _print_code(site, registered, company, as_json)

    @administration_command(commands, "list", example="stampgate device list")
    async def list_(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """List terminals; of a pending one, which two of its five words are asked for."""
        within = await some_companies(site, company)
        found = await site.devices.list_(within.id if within else None)
        now = site.clock()
        if as_json:
            emit_items([{**as_document(device), "needs_attention": _attention(device, now)} for device in found])
            return
        names = await company_names(site)
        table(
            ("Terminal", "Location", "State", "Last seen", "Client", "Key age", "Key until", "Id"),
            [
                (
                    device.label,
                    device.location,
                    ", ".join((_state(device), *_attention(device, now))),
                    local_time(device.last_seen_at, "never"),
                    " ".join(filter(None, (device.client_name, device.client_version))),
                    "" if device.key_created_at is None else f"{int((now - device.key_created_at) // 86_400)} d",
                    local_time(device.key_expires_at),
                    device.id,
                )
                for device in found
            ],
            companies=[names[device.company_id] for device in found if names],
            empty=f"There is no terminal yet: {command('device', 'add', 'Gate 1', company=company)}",
        )


def _register_approval(commands: typer.Typer) -> None:
    @administration_command(
        commands, "approve", example='stampgate device approve "Gate 1" --word 2=apple --word 5=tree'
    )
    async def approve(
        site: Administration,
        terminal: Terminal,
        word: Annotated[
            list[str] | None, typer.Option(metavar="N=WORD", help="One of the words asked; give each of them.")
        ] = None,
        thumbprint: Annotated[
            str | None, typer.Option(metavar="KEYID", help="Instead of words: what the terminal's QR code holds.")
        ] = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Let a pending terminal in, by two of the five words on its screen. Asks for them when they are left out."""
        if word and thumbprint is not None:
            raise WrongUse("give either --word or --thumbprint")
        device = await the_device(site, terminal, company)
        words = None
        if thumbprint is None:
            words = device_words.read(word) if word else device_words.ask_for(device)
        _print(await site.devices.approve(device.id, words=words, thumbprint=thumbprint, actor=ACTOR), as_json)

    @administration_command(commands, "deny", example='stampgate device deny "Gate 1" --reason "nobody stands there"')
    async def deny(
        site: Administration, terminal: Terminal, reason: Reason = None, company: Company = None, as_json: Json = False
    ) -> None:
        """Refuse a pending terminal; it needs a new code and makes a new key."""
        device = await the_device(site, terminal, company)
        _print(await site.devices.deny(device.id, reason=reason, actor=ACTOR), as_json)


def _register_later_life(commands: typer.Typer) -> None:
    @administration_command(commands, "set", example='stampgate device set "Gate 1" --network 10.1.0.0/16')
    async def set_(
        site: Administration,
        terminal: Terminal,
        label: Annotated[str | None, typer.Option(help="A new label.")] = None,
        location: Annotated[str | None, typer.Option(help="Where it hangs now.")] = None,
        network: NetworkList = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Change what IT says about a terminal; `--network ''` lets it be used anywhere."""
        networks = None if network is None else [text for text in network if text.strip()]
        chosen = {"label": label, "location": location, "allowed_networks": networks}
        changes = {name: value for name, value in chosen.items() if value is not None}
        if not changes:
            raise WrongUse("nothing to change: name a setting, see `stampgate device set --help`")
        device = await the_device(site, terminal, company)
        _print(await site.devices.update(device.id, changes, actor=ACTOR), as_json)

    @administration_command(commands, "suspend", example='stampgate device suspend "Gate 1"')
    async def suspend(
        site: Administration, terminal: Terminal, reason: Reason = None, company: Company = None, as_json: Json = False
    ) -> None:
        """Shut a terminal out until it is resumed."""
        device = await the_device(site, terminal, company)
        _print(await site.devices.suspend(device.id, reason=reason, actor=ACTOR), as_json)

    @administration_command(commands, "resume", example='stampgate device resume "Gate 1"')
    async def resume(
        site: Administration, terminal: Terminal, reason: Reason = None, company: Company = None, as_json: Json = False
    ) -> None:
        """Let a suspended terminal in again."""
        device = await the_device(site, terminal, company)
        _print(await site.devices.resume(device.id, reason=reason, actor=ACTOR), as_json)

    @administration_command(commands, "revoke", example='stampgate device revoke "Gate 1" --reason stolen')
    async def revoke(
        site: Administration,
        terminal: Terminal,
        reason: Reason = None,
        yes: Yes = False,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """End a terminal for good; its key is blocked for ever. Asks again at a terminal."""
        device = await the_device(site, terminal, company)
        confirm(f"Revoke {device.label} for good?", yes=yes)
        _print(await site.devices.revoke(device.id, reason=reason, actor=ACTOR), as_json)


def as_document(device: devices.Device) -> dict[str, Any]:
    """A terminal for scripts; what it does not have is left out."""
    document = {
        "id": device.id,
        "company_id": device.company_id,
        "label": device.label,
        "location": device.location,
        "allowed_networks": list(device.allowed_networks),
        "state": device.state,
        "words_asked": None if device.words_asked is None else list(device.words_asked),
        "keyid": device.keyid,
        "key_created_at": rfc3339(device.key_created_at),
        "key_expires_at": rfc3339(device.key_expires_at),
        "client_name": device.client_name,
        "client_version": device.client_version,
        "client_platform": device.client_platform,
        "clock_offset_ms": device.clock_offset_ms,
        "reason": device.reason,
        "created_at": rfc3339(device.created_at),
        "approved_at": rfc3339(device.approved_at),
        "last_seen_at": rfc3339(device.last_seen_at),
    }
    return {name: value for name, value in document.items() if value is not None}


def _print(device: devices.Device, as_json: bool) -> None:
    if as_json:
        emit_json(as_document(device))
    else:
        say(f"{device.label} is {_state(device)}.")


async def _print_code(site: Administration, registered: Registered, company: str | None, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "device": as_document(registered.device),
                "enrolment_code": registered.enrolment_code,
                "enrolment_url": registered.enrolment_url,
                "expires_at": rfc3339(registered.expires_at),
            }
        )
        return
    say(f"Enrolment code of {registered.device.label}: {registered.enrolment_code}")
    say(f"On a tablet or PC, open: {registered.enrolment_url}")
    say(f"Without a browser: {line('stampgate-kiosk', 'enrol', registered.enrolment_url)}")
    qr.show(registered.enrolment_url)
    hint(f"Valid until {local_time(registered.expires_at)}, for one terminal, shown this once.")
    device = registered.device
    # Without a company a label is looked for in all of them.
    within = await site.devices.list_(None if company is None else device.company_id)
    others = [other for other in within if _in_its_way(other, device)]
    if others:
        hint(f"Another terminal is called {device.label} too, so it is named by its id:")
    named = device.id if others or device.label.startswith("-") else device.label
    hint(f"Then: {command('device', 'approve', named, company=company)}")


def _in_its_way(other: devices.Device, device: devices.Device) -> bool:
    """Whether commands that name `device` by its label could mean the other one."""
    alike = other.label.casefold() == device.label.casefold()
    return alike and other.id != device.id and other.state != "revoked"


def _attention(device: devices.Device, now: float) -> list[str]:
    """What somebody should see to."""
    told = {"copied": is_copied(device), "silent": is_silent(device, now), "key ends": ends_soon(device, now)}
    return [name for name, needed in told.items() if needed]


def _state(device: devices.Device) -> str:
    if device.words_asked is None:
        return device.state
    return f"{device.state}, asks for words {' and '.join(map(str, device.words_asked))}"
