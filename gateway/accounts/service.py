"""The passwords of people with an e-mail: what may be chosen, and what ends when one changes.

A new password ends sessions, makes every mailed link to set one useless, and forgets the tries at the old one: all in
the transaction that stores it, with its audit event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crypto.passwords import PASSWORD_FAULT_TEXT, password_faults
from gateway.audit_events import AuditName, event
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from storage import account_sessions, accounts, audit, password_resets, users

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.guard import AccountGuard
    from gateway.accounts.password_hashing import PasswordHashing
    from gateway.clock import Clock, NewId
    from storage.database import Database
    from storage.users import User


def check_choice(password: str, email: str, field: str = "password") -> None:
    """Refuse a password that may not be chosen. Raises Problem `bad-request` naming every rule it breaks."""
    faults = [FieldError(field, PASSWORD_FAULT_TEXT[code]) for code in password_faults(password, email)]
    if faults:
        raise Problem("bad-request", errors=faults, cause="a password that may not be chosen")


class Accounts:
    """What may be done with the passwords of others, and what changing and resetting one's own share with it."""

    def __init__(
        self,
        *,
        database: Database,
        guard: AccountGuard,
        hashing: PasswordHashing,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._guard = guard
        self._hashing = hashing
        self._clock = clock
        self._new_id = new_id

    async def set_password(self, user_id: str, password: str, *, actor: str, request_id: str | None = None) -> None:
        """Give a person with an e-mail a password to sign in with, whether there was one or not; ends every session.

        Raises Problem `not-found`, `bad-request` naming every rule it breaks, `conflict` without an e-mail, and `busy`.
        """
        async with self._database.read() as connection:
            user = await users.get(connection, user_id)
        if user is None:
            raise Problem("not-found", "There is no such person.")
        if user.email is None:
            raise Problem("conflict", "Without an e-mail nobody can sign in with a password: give one first.")
        check_choice(password, user.email)
        password_hash = await self._hashing.hash(password)
        async with self._database.write() as connection:
            await self._guard.clear(connection, user.email, actor=actor, request_id=request_id)
            await self.store(
                connection,
                user,
                password_hash,
                name=AuditName.ACCOUNT_PASSWORD_RESET,
                actor=actor,
                request_id=request_id,
            )

    async def store(
        self,
        connection: AsyncConnection,
        user: User,
        password_hash: str,
        *,
        name: AuditName,
        actor: str,
        request_id: str | None,
        keep_session: str | None = None,
    ) -> None:
        """Store a new password in the caller's transaction; every session ends but `keep_session`."""
        now = self._clock()
        await users.get(connection, user.id, lock=True)  # first, as by whoever deactivates them
        await accounts.set_password(connection, user.id, password_hash, now)
        await account_sessions.end_all(connection, user.id, but=keep_session)
        await password_resets.forget(connection, user.id)
        await audit.append(
            connection,
            event(
                name,
                id=self._new_id(),
                at=now,
                actor=actor,
                company_id=user.company_id,
                subject=f"user:{user.id}",
                request_id=request_id,
            ),
        )
