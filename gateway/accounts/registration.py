"""Registering: founding a company as its owner, or joining one by an invitation.

Who may found one is a setting: `first` lets only the very first, `open` everybody, `closed` nobody. Whether somebody
may is asked before anything is hashed, and again in the transaction, where of several first ones one wins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from crypto.tokens import token_hash
from gateway.accounts.roles import Role, allows
from gateway.accounts.service import check_choice
from gateway.audit_events import AuditName, event
from gateway.companies.service import DEFAULT_LOCALE
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from gateway.people.fields import read_person
from storage import accounts, audit, companies, invitations, users
from storage.errors import Conflict
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.password_hashing import PasswordHashing
    from gateway.clock import Clock, NewId
    from gateway.companies.service import Companies
    from storage.database import Database
    from storage.invitations import Invitation

Mode = Literal["first", "open", "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applicant:
    """Who wants a login. `invitation`: the token of one; without it a company of `company_name` is founded.

    `locale`: the language a founded company begins with, where the page knows in which one it was read.
    """

    email: str
    password: str = field(repr=False)
    full_name: str
    company_name: str | None = None
    invitation: str | None = field(default=None, repr=False)
    locale: str = DEFAULT_LOCALE


class Registration:
    """Registers people. `changed` is called after a commit that founded a company."""

    def __init__(
        self,
        *,
        database: Database,
        companies: Companies,
        hashing: PasswordHashing,
        mode: Mode,
        clock: Clock,
        new_id: NewId,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._companies = companies
        self._hashing = hashing
        self._mode = mode
        self._clock = clock
        self._new_id = new_id
        self._changed = changed

    async def may_found(self) -> bool:
        """Tell whether somebody without an invitation could register now."""
        async with self._database.read() as connection:
            return await self._may_found(connection)

    async def register(self, applicant: Applicant, *, request_id: str | None = None) -> User:
        """Register somebody. Raises Problem `bad-request` with every fault, `registration-closed`,
        `invitation-not-valid` (wrong, used, over, for another address: one answer), `conflict` and `busy`.
        """
        values = read_person({"email": applicant.email, "full_name": applicant.full_name})
        email, full_name = values["email"], values["full_name"]
        check_choice(applicant.password, email)
        if applicant.invitation is None and not await self.may_found():
            raise Problem("registration-closed")
        if applicant.invitation is not None:
            async with self._database.read() as connection:
                await self._invited(connection, applicant.invitation, email)
        password_hash = await self._hashing.hash(applicant.password)
        try:
            async with self._database.write() as connection:
                if applicant.invitation is None:
                    user = await self._found(connection, email, full_name, applicant, request_id)
                else:
                    invitation = await self._invited(connection, applicant.invitation, email)
                    user = await self._join(connection, invitation, full_name)
                await accounts.set_password(connection, user.id, password_hash, self._clock())
                await self._record(
                    connection, user, by_invitation=applicant.invitation is not None, request_id=request_id
                )
        except Conflict as conflict:
            taken = conflict.constraint == "users.email"
            errors = [FieldError("email", "belongs to somebody already")] if taken else []
            raise Problem("conflict", errors=errors, cause=str(conflict)) from None
        self._changed()
        return user

    async def _may_found(self, connection: AsyncConnection) -> bool:
        return self._mode == "open" or (self._mode == "first" and not await companies.all_(connection))

    async def _found(
        self, connection: AsyncConnection, email: str, full_name: str, applicant: Applicant, request_id: str | None
    ) -> User:
        user_id = self._new_id()
        company = await self._companies.add_in(
            connection,
            applicant.company_name or full_name,
            locale=applicant.locale,
            actor=f"user:{user_id}",
            request_id=request_id,
        )
        # Asked last: trust changes wait for each other, so of two first companies the second sees the first.
        if self._mode != "open" and len(await companies.all_(connection)) > 1:
            raise Problem("registration-closed", cause="somebody else was first")
        user = User(
            id=user_id,
            company_id=company.id,
            created_at=self._clock(),
            full_name=full_name,
            email=email,
            role=Role.OWNER,
        )
        await users.add(connection, user)
        return user

    async def _invited(self, connection: AsyncConnection, token: str, email: str) -> Invitation:
        invitation = await invitations.get(connection, token_hash(token), self._clock())
        if invitation is None or invitation.email != email:
            raise Problem("invitation-not-valid", cause="no such invitation, or for another address")
        if invitation.invited_by is not None:
            inviter = await users.get(connection, invitation.invited_by)
            if inviter is None or not inviter.active or not allows(Role(inviter.role), "invitation.create"):
                raise Problem("invitation-not-valid", cause="whoever invited may not any more")
        return invitation

    async def _join(self, connection: AsyncConnection, invitation: Invitation, full_name: str) -> User:
        if not await invitations.take(connection, invitation.id):
            raise Problem("invitation-not-valid", cause="used at this moment")
        known = await users.by_email(connection, invitation.email)
        if known is not None:
            # Somebody of this company who got the address, or the login, after the invitation was written.
            has_login = await accounts.get(connection, known.id) is not None
            if known.company_id != invitation.company_id or has_login or not known.active:
                raise Problem("conflict", errors=[FieldError("email", "belongs to somebody already")])
            if known.role != invitation.role:
                raise Problem("invitation-not-valid", cause="the person has another role by now")
            return known
        user = User(
            id=self._new_id(),
            company_id=invitation.company_id,
            created_at=self._clock(),
            full_name=full_name,
            email=invitation.email,
            role=invitation.role,
        )
        await users.add(connection, user)
        return user

    async def _record(
        self, connection: AsyncConnection, user: User, *, by_invitation: bool, request_id: str | None
    ) -> None:
        await audit.append(
            connection,
            event(
                AuditName.ACCOUNT_REGISTERED,
                id=self._new_id(),
                at=self._clock(),
                actor=f"user:{user.id}",
                company_id=user.company_id,
                subject=f"user:{user.id}",
                detail={"role": user.role, "by_invitation": by_invitation},
                request_id=request_id,
            ),
        )
