"""`stampgate lockout`: who is locked out, and unlocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.naming import some_companies, the_company, the_user
from gateway.cli.output import emit_items, emit_json, hint, local_time, rfc3339, say, table
from gateway.cli.refusals import Refusal, WrongUse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.administration import Administration
    from gateway.lockouts.service import Locked


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "lockout", "Locks that follow from wrong PINs and passwords.")

    @administration_command(commands, "list", example="stampgate lockout list")
    async def list_(site: Administration, company: Company = None, as_json: Json = False) -> None:
        """List who is locked, why, and until when, in the time zone of the company."""
        from gateway.lockouts.service import told_end
        from gateway.stamping.local_day import zone_named

        within = await some_companies(site, company)
        found = await site.lockouts.list_(within.id if within else None)
        if as_json:
            emit_items([as_document(locked) for locked in found])
            return
        labels = {device.id: device.label for device in await site.devices.list_()}
        companies = {one.id: one for one in await site.companies.list_()}

        def row(locked: Locked) -> tuple[str, ...]:
            lockout, zone = locked.lockout, zone_named(companies[locked.lockout.company_id].timezone)
            return (
                _who(locked, labels),
                lockout.tier,
                lockout.reason,
                local_time(lockout.since, zone=zone),
                local_time(told_end(lockout.until), "a new PIN is set", zone),
                lockout.id,
            )

        table(
            ("Who", "Tier", "Why", "Since", "Until", "Id"),
            map(row, found),
            companies=[companies[locked.lockout.company_id].name for locked in found if len(companies) > 1],
            empty="Nobody is locked.",
        )

    @administration_command(commands, "clear", example="stampgate lockout clear --all")
    async def clear(
        site: Administration,
        lockout: Annotated[
            list[str] | None,
            typer.Argument(metavar="[WHO]...", help="People, or ids of `lockout list`.", show_default=False),
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="Every lock of a company that ends by itself.")] = False,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Unlock before the time. The limit of a whole year is lifted by a new PIN only: `user set-pin`."""
        if everything == bool(lockout):
            raise WrongUse("say whose lock, or which one by its id, or all of them with --all")
        must_be_one = everything and await site.companies.list_()  # without a company nobody is locked either
        within = await (the_company if must_be_one else some_companies)(site, company)
        company_id = within.id if within else None
        if lockout:
            locks = await site.lockouts.list_(company_id)
            chosen, people = await _chosen(site, lockout, company, locks)
            cleared = await site.lockouts.clear(chosen, company_id=company_id, actor=ACTOR)
            left = sum(one.lockout.user_id in people and not one.ends_by_itself for one in locks)
        else:
            cleared = await site.lockouts.clear_all(company_id, actor=ACTOR)
            left = sum(not locked.ends_by_itself for locked in await site.lockouts.list_(company_id))
        if as_json:
            emit_json({"cleared": [one.id for one in cleared]})
        else:
            say(f"{len(cleared)} unlocked." if cleared else "Nobody was locked.")
        if left:
            hint(f"{left} over the limit of a year stay locked until a new PIN is set.")


def _is_id(name: str) -> bool:
    """Whether it can only be an id."""
    try:
        UUID(name)
    except ValueError:
        return False
    return True


async def _chosen(
    site: Administration, named: Sequence[str], company: str | None, locks: Sequence[Locked]
) -> tuple[set[str], set[str]]:
    """The ids of the locks that are named, themselves or by whose they are, and those of these people.

    Of a person, what ends by itself: a year's limit on one tier keeps nobody locked on the other. Raises `Refusal` and
    `WrongUse`.
    """
    known = {one.lockout.id for one in locks}
    chosen, people = set[str](), set[str]()
    for name in named:
        if name in known:
            chosen.add(name)
            continue
        try:
            user = await the_user(site, name, company)
        except Refusal:
            if not _is_id(name):
                raise
            raise Refusal(f"there is no such lock, or it is over, and nobody has the id {name}") from None
        own = [one for one in locks if one.lockout.user_id == user.id]
        if not own:
            raise Refusal(f"{user.full_name} is not locked")
        ending = {one.lockout.id for one in own if one.ends_by_itself}
        if not ending:
            raise Refusal(
                f"{user.full_name} has reached the limit of wrong tries in a year: only a new PIN ends this lock"
            )
        people.add(user.id)
        chosen |= ending
    return chosen, people


def as_document(locked: Locked) -> dict[str, Any]:
    """A lock for scripts; without `until` it ends with a new PIN."""
    lockout = locked.lockout
    document = {
        "id": lockout.id,
        "company_id": lockout.company_id,
        "tier": lockout.tier,
        "scope": lockout.scope,
        "reason": lockout.reason,
        "since": rfc3339(lockout.since),
        "until": rfc3339(lockout.until),
        "user_id": lockout.user_id,
        "device_id": lockout.subject if lockout.scope == "device" else None,
        "full_name": None if locked.user is None else locked.user.full_name,
        "personnel_number": None if locked.user is None else locked.user.personnel_number,
    }
    return {name: value for name, value in document.items() if value is not None}


def _who(locked: Locked, labels: dict[str, str]) -> str:
    if locked.user is not None:
        return f"{locked.user.full_name} ({locked.user.personnel_number or locked.user.email})"
    match locked.lockout.scope:
        case "device":
            return f"terminal {labels.get(locked.lockout.subject, locked.lockout.subject)}"
        case "company":
            return "phones of the whole company"
        case _:
            return "a number nobody has"
