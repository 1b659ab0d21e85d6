"""`stampgate user`: people, their PINs and passwords."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.advice import command
from gateway.cli.commands import ACTOR, Company, Json, administration_command, group
from gateway.cli.naming import the_company, the_user
from gateway.cli.output import ask, emit_items, emit_json, hint, local_time, rfc3339, say, table
from gateway.cli.refusals import WrongUse
from gateway.cli.slips import check_ending, set_missing_pins, set_pin_with_slip
from gateway.cli.user_import import import_people

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage import users

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Personnel number, e-mail, full name or id.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "user", "People who stamp, and people who look after it.")
    _register_people(commands)
    _register_sign_in(commands)


def _register_people(commands: typer.Typer) -> None:
    @administration_command(commands, "add", example='stampgate user add "Anna Weber" --number 1042')
    async def add(
        site: Administration,
        full_name: Annotated[str, typer.Argument(metavar="NAME", help="The full name.", show_default=False)],
        number: Annotated[str | None, typer.Option(help="Personnel number, 1 to 12 digits.")] = None,
        email: Annotated[str | None, typer.Option(help="For people who sign in to the console.")] = None,
        role: Annotated[str, typer.Option(help="owner, it, hr or employee.")] = "employee",
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Add a person. A PIN is set afterwards, with `user set-pin`."""
        found = await the_company(site, company)
        user = await site.people.add(
            found.id, full_name=full_name, personnel_number=number, email=email, role=role, actor=ACTOR
        )
        if as_json:
            emit_json(as_document(user))
            return
        say(f"Added {user.full_name} to {found.name}.")
        if user.personnel_number is not None:
            hint(f"Next: {command('user', 'set-pin', user.personnel_number, company=company)}")

    @administration_command(commands, "list", example="stampgate user list --search weber")
    async def list_(
        site: Administration,
        search: Annotated[str | None, typer.Option(help="Part of a name, e-mail or personnel number.")] = None,
        limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 1000,
        after: Annotated[str | None, typer.Option(metavar="ID", help="Those behind this person.")] = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """List people by name."""
        found = await the_company(site, company)
        people = await site.people.list_(found.id, search=search, after=after, limit=limit + 1)
        more, people = len(people) > limit, people[:limit]
        if as_json:
            emit_items([as_document(user) for user in people], people[-1].id if more else None)
            return
        table(
            ("Number", "Name", "E-mail", "Role", "PIN", "Active", "Last sign-in", "Id"),
            [
                (
                    user.personnel_number or "",
                    user.full_name,
                    user.email or "",
                    user.role,
                    "yes" if user.has_pin else "no",
                    "yes" if user.active else "no",
                    local_time(user.last_sign_in_at, "never"),
                    user.id,
                )
                for user in people
            ],
            empty="There is nobody.",
        )
        if more:
            hint(f"There are more: --after {people[-1].id}")

    @administration_command(commands, "import", example="stampgate user import people.csv")
    async def import_(
        site: Administration,
        file: Annotated[
            Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV with a heading; ; or , between.")
        ],
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Add and change people from a CSV file: all of them, or nobody if anything is wrong.

        The heading names the columns: full_name, personnel_number and, if you like, email; or Name, Personalnummer and
        E-Mail. People are found again by their personnel number. PINs and roles are left alone.
        """
        await import_people(site, await the_company(site, company), file, as_json=as_json)


def _register_sign_in(commands: typer.Typer) -> None:
    @administration_command(commands, "set-pin", example="stampgate user set-pin 1042 --slip slip.pdf")
    async def set_pin(
        site: Administration,
        person: Annotated[
            str | None,
            typer.Argument(
                metavar="[PERSON]",
                help="Personnel number, e-mail, full name or id; nobody with --all-without-pin.",
                show_default=False,
            ),
        ] = None,
        pin: Annotated[
            str | None,
            typer.Option(help="The PIN that was chosen; a command line can be read by others, so rather use --ask."),
        ] = None,
        prompt: Annotated[bool, typer.Option("--ask", help="Ask for the PIN instead of making one.")] = False,
        slip: Annotated[
            Path | None,
            typer.Option(metavar="FILE.pdf", help="Write the PIN on a slip instead of showing it.", show_default=False),
        ] = None,
        everybody: Annotated[
            bool, typer.Option("--all-without-pin", help="Make a PIN for everybody active who has none; needs --slips.")
        ] = False,
        slips: Annotated[
            Path | None,
            typer.Option(metavar="FILE.pdf", help="Where the slips go, a page for each.", show_default=False),
        ] = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """Give a person a new PIN, shown this once. Forgets all wrong tries, ends locks and open sessions.

        With --slip it is not shown, but written on a sheet for a window envelope.

        For everybody at once: stampgate user set-pin --all-without-pin --slips slips.pdf
        """
        if everybody or slips is not None:
            if not everybody or slips is None or person is not None or pin is not None or prompt or slip is not None:
                raise WrongUse("--all-without-pin goes with --slips FILE.pdf, and with no person and no PIN")
            check_ending(slips)
            await set_missing_pins(site, await the_company(site, company), slips, as_json=as_json)
            return
        if person is None:
            raise WrongUse("say whose PIN, or --all-without-pin --slips FILE.pdf")
        if slip is not None:
            check_ending(slip)
        user = await the_user(site, person, company)
        chosen = ask("New PIN", hide=True, twice=True) if prompt and pin is None else pin
        if slip is not None:
            await set_pin_with_slip(site, user, chosen, slip, as_json=as_json)
            return
        generated = await site.people.set_pin(user.id, chosen, actor=ACTOR)
        if as_json:
            emit_json({"id": user.id, "personnel_number": user.personnel_number} | _shown_once(generated))
        elif generated is None:
            say(f"The PIN of {user.full_name} is set.")
        else:
            say(f"The PIN of {user.full_name} ({user.personnel_number}) is {generated}")
            hint("It cannot be shown again.")

    @administration_command(
        commands, "set-password", example="stampgate user set-password owner@example.com < password.txt"
    )
    async def set_password(site: Administration, person: Person, company: Company = None) -> None:
        """Give a person with an e-mail a password; sessions and a lock end.

        Asks for it; without a terminal it is the first line of stdin.
        """
        user = await the_user(site, person, company)
        stdin = typer.get_text_stream("stdin")
        question = f"New password of {user.full_name}"
        password = ask(question, hide=True, twice=True) if stdin.isatty() else stdin.readline()
        await site.accounts.set_password(user.id, password.rstrip("\r\n"), actor=ACTOR)
        say(f"The password of {user.full_name} is set.")

    @administration_command(commands, "deactivate", example="stampgate user deactivate 1042")
    async def deactivate(site: Administration, person: Person, company: Company = None, as_json: Json = False) -> None:
        """Let a person no longer sign in or stamp; open sessions end at once. Stamps stay."""
        await _set_active(site, person, company, active=False, as_json=as_json)

    @administration_command(commands, "activate", example="stampgate user activate 1042")
    async def activate(site: Administration, person: Person, company: Company = None, as_json: Json = False) -> None:
        """Let a person sign in and stamp again."""
        await _set_active(site, person, company, active=True, as_json=as_json)


def as_document(user: users.User) -> dict[str, Any]:
    """A person for scripts, with the names of the HTTP interface."""
    document = {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "personnel_number": user.personnel_number,
        "role": user.role,
        "active": user.active,
        "company_id": user.company_id,
        "has_pin": user.has_pin,
        "last_sign_in_at": rfc3339(user.last_sign_in_at),
    }
    return {name: value for name, value in document.items() if value is not None}


async def _set_active(site: Administration, person: str, company: str | None, *, active: bool, as_json: bool) -> None:
    user = await the_user(site, person, company)
    user = await site.people.set_active(user.id, active, actor=ACTOR)
    if as_json:
        emit_json(as_document(user))
    else:
        say(f"{user.full_name} is {'active' if active else 'no longer active'}.")


def _shown_once(generated: str | None) -> dict[str, str]:
    return {} if generated is None else {"pin": generated}
