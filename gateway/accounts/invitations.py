"""Invitations: the way into a company that exists. The owner names an address and a role; the link goes by mail.

Until somebody accepts it, an invitation is listed and can be withdrawn: a mistyped address must not stay a way in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crypto.tokens import new_token, token_hash
from gateway.accounts.roles import Role
from gateway.audit_events import AuditName, event
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from gateway.mail.letters import Letter
from gateway.people.fields import read_person
from storage import accounts, audit, companies, invitations, users
from storage.invitations import Invitation

if TYPE_CHECKING:
    from gateway.clock import Clock, NewId, Randomness
    from gateway.mail.service import Mailer
    from storage.database import Database

INVITATION_SECONDS: Final = 7 * 86400.0
"""How long an invitation is good: a week's holiday must not make it useless."""

UNKNOWN: Final = "There is no such invitation, or it was accepted."


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation, and its link, which is known this once."""

    invitation: Invitation
    link: str = field(repr=False)


class Invitations:
    """Makes, lists and withdraws invitations. `page_url`: the page that a link opens, without its fragment."""

    def __init__(
        self,
        *,
        database: Database,
        mailer: Mailer,
        clock: Clock,
        randomness: Randomness,
        new_id: NewId,
        page_url: str,
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._clock = clock
        self._randomness = randomness
        self._new_id = new_id
        self._page_url = page_url

    async def list_(self, company_id: str) -> list[Invitation]:
        """The invitations to a company that nobody has accepted and that are not over, newest first."""
        async with self._database.read() as connection:
            return await invitations.list_(connection, company_id, self._clock())

    async def invite(
        self,
        company_id: str,
        *,
        email: str,
        role: str,
        actor: str,
        invited_by: str | None = None,
        request_id: str | None = None,
    ) -> Invited:
        """Invite somebody and have the link sent; an earlier invitation of this address dies.

        Somebody of the company without a login may be invited too, in the role they have. Raises Problem `not-found`,
        `bad-request` with every fault, `conflict` for an address that signs in already or belongs elsewhere, `busy`.
        """
        values = read_person({"email": email, "role": role})
        address, named = values["email"], Role(values["role"])
        now, token = self._clock(), new_token(self._randomness)
        invitation = Invitation(
            id=self._new_id(),
            company_id=company_id,
            email=address,
            role=named,
            invited_by=invited_by,
            created_at=now,
            expires_at=now + INVITATION_SECONDS,
        )
        async with self._database.write() as connection:
            company = await companies.get(connection, company_id)
            if company is None:
                raise Problem("not-found", "There is no such company.")
            user = await users.by_email(connection, address)
            if user is not None:
                if user.company_id != company_id or await accounts.get(connection, user.id) is not None:
                    raise Problem("conflict", errors=[FieldError("email", "belongs to somebody already")])
                if user.role != named:
                    raise Problem("conflict", errors=[FieldError("role", "is another than this person has already")])
            inviter = None if invited_by is None else await users.get(connection, invited_by)
            await invitations.add(connection, invitation, token_hash(token))
            await audit.append(
                connection,
                event(
                    AuditName.ACCOUNT_INVITED,
                    id=self._new_id(),
                    at=now,
                    actor=actor,
                    company_id=company_id,
                    subject=f"invitation:{invitation.id}",
                    detail={"role": named},
                    request_id=request_id,
                ),
            )
        letter = Letter(
            kind="invitation",
            to=address,
            locale=company.locale,
            link=f"{self._page_url}#invitation={token}",
            name="" if user is None else user.full_name,
            company=company.name,
            inviter="" if inviter is None else inviter.full_name,
        )
        self._mailer.post_letter(letter)
        return Invited(invitation, letter.link)

    async def withdraw(self, company_id: str, invitation_id: str, *, actor: str, request_id: str | None = None) -> None:
        """Make the link of an invitation worthless. Raises Problem `not-found`: accepted, over, or a foreign one."""
        now = self._clock()
        async with self._database.write() as connection:
            if not await invitations.withdraw(connection, company_id, invitation_id, now):
                raise Problem("not-found", UNKNOWN)
            await audit.append(
                connection,
                event(
                    AuditName.ACCOUNT_INVITATION_WITHDRAWN,
                    id=self._new_id(),
                    at=now,
                    actor=actor,
                    company_id=company_id,
                    subject=f"invitation:{invitation_id}",
                    request_id=request_id,
                ),
            )
