"""Sessions of e-mail logins: a signed token for the client and a row for us; neither is worth anything alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crypto import assertions
from crypto.tokens import token_hash
from gateway.http.problems import Problem
from storage import account_sessions
from storage.account_sessions import AccountSession

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from crypto.device_keys import DeviceKey
    from gateway.clock import Clock, NewId
    from storage.database import Database

SESSION_SECONDS: Final = 24 * 3600
"""A working day, and no token that somebody finds next week (policy, "Sessions and tokens")."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A new session and its token, which is handed out this once."""

    session: AccountSession
    token: str = field(repr=False)


class Sessions:
    """Opens, lists and ends the sessions of people with an e-mail login."""

    def __init__(self, *, database: Database, gateway_key: DeviceKey, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._gateway_key = gateway_key
        self._clock = clock
        self._new_id = new_id

    async def open(
        self, connection: AsyncConnection, user_id: str, *, remember: bool = False, client: str | None = None
    ) -> OpenedSession:
        """Open a session in the caller's transaction, for somebody who has just proved the password."""
        now, session_id = self._clock(), self._new_id()
        token = assertions.issue({"sub": user_id, "sid": session_id}, self._gateway_key, now, SESSION_SECONDS)
        session = AccountSession(
            id=session_id,
            user_id=user_id,
            created_at=now,
            expires_at=float(int(now) + SESSION_SECONDS),
            last_seen_at=now,
            confirmed_at=now,
            remember=remember,
            client=client,
        )
        await account_sessions.add(connection, session, token_hash(token))
        return OpenedSession(session, token)

    async def list_(self, user_id: str) -> list[AccountSession]:
        """A person's sessions that are not over, newest first."""
        async with self._database.read() as connection:
            return await account_sessions.list_(connection, user_id, self._clock())

    async def end(self, user_id: str, session_id: str) -> None:
        """End one session of a person. Raises Problem `not-found`, also for a session of somebody else."""
        async with self._database.write() as connection:
            if not await account_sessions.end(connection, user_id, session_id):
                raise Problem("not-found", "There is no such session.")

    async def end_others(self, user_id: str, session_id: str) -> None:
        """End every session of a person but this one."""
        async with self._database.write() as connection:
            await account_sessions.end_all(connection, user_id, but=session_id)
