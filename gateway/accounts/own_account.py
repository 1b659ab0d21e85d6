"""What people do with their own login: sign in, enter the password again, change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.accounts.service import check_choice
from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from storage import account_sessions, accounts, audit, users

if TYPE_CHECKING:
    from gateway.accounts.gate import SignedIn
    from gateway.accounts.password_check import PasswordCheck, Proof
    from gateway.accounts.password_hashing import PasswordHashing
    from gateway.accounts.service import Accounts
    from gateway.accounts.sessions import OpenedSession, Sessions
    from gateway.clock import Clock, NewId
    from storage.database import Database
    from storage.users import User


class OwnAccount:
    """Every act here begins with a check of the password, which counts."""

    def __init__(
        self,
        *,
        database: Database,
        check: PasswordCheck,
        hashing: PasswordHashing,
        accounts: Accounts,
        sessions: Sessions,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._check = check
        self._hashing = hashing
        self._accounts = accounts
        self._sessions = sessions
        self._clock = clock
        self._new_id = new_id

    async def sign_in(
        self,
        email: str,
        password: str,
        *,
        remember: bool = False,
        client: str | None = None,
        source: str | None = None,
        request_id: str | None = None,
    ) -> tuple[User, OpenedSession]:
        """Open a session. `email` as `read_email` gives it; `client` a short label of the browser; `source` its address
        key.

        Raises Problem `login-failed`, `login-throttled`, `too-many-requests`, `busy`, and `StorageUnavailable`.
        """
        async with self._check.proved(email, password, request_id=request_id, source=source) as proof:
            # Made at an older cost: the password is at hand now, as it will not be again until the next sign-in.
            renewed = await self._hashing.rehash(proof.password_hash, password)
            user, now = proof.user, self._clock()
            async with self._database.write() as connection:
                await self._check.settle(connection, proof)
                if renewed is not None:
                    await accounts.rehash(connection, user.id, proof.password_hash, renewed)
                opened = await self._sessions.open(connection, user.id, remember=remember, client=client)
                await users.mark_sign_in(connection, user.id, now)
                await audit.append(
                    connection,
                    event(
                        AuditName.ACCOUNT_LOGIN,
                        id=self._new_id(),
                        at=now,
                        actor=f"user:{user.id}",
                        company_id=user.company_id,
                        subject=f"user:{user.id}",
                        request_id=request_id,
                    ),
                )
        return user, opened

    async def confirm(self, signed_in: SignedIn, password: str, *, request_id: str | None = None) -> None:
        """Enter the password again, which vouches for sensitive acts of this session. Raises as `sign_in`."""
        async with (
            self._check.proved(signed_in.email, password, request_id=request_id) as proof,
            self._database.write() as connection,
        ):
            await self._check.settle(connection, proof)
            _require_same(proof, signed_in)
            await account_sessions.confirm(connection, signed_in.session_id, self._clock())

    async def change_password(
        self, signed_in: SignedIn, current: str, new: str, *, request_id: str | None = None
    ) -> None:
        """Change one's password; every other session ends. Raises as `sign_in`, and `bad-request`."""
        check_choice(new, signed_in.email, "new_password")
        async with self._check.proved(signed_in.email, current, request_id=request_id) as proof:
            _require_same(proof, signed_in)
            password_hash = await self._hashing.hash(new)
            async with self._database.write() as connection:
                await self._check.settle(connection, proof)
                await self._accounts.store(
                    connection,
                    proof.user,
                    password_hash,
                    name=AuditName.ACCOUNT_PASSWORD_CHANGED,
                    actor=f"user:{proof.user.id}",
                    request_id=request_id,
                    keep_session=signed_in.session_id,
                )
                await account_sessions.confirm(connection, signed_in.session_id, self._clock())


def _require_same(proof: Proof, signed_in: SignedIn) -> None:
    """Refuse the right password of somebody else, who got this address since the session was looked up."""
    if proof.user.id != signed_in.user_id:
        raise Problem("login-failed", cause="the address is somebody else's by now")
