"""A forgotten password: a link by mail, good for an hour and once.

Nothing is looked up before the answer: whether there is such a login is found out in the background, so the answer and
its time are the same for every address. The link is built from the configured public address and from nothing that a
request says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crypto.tokens import new_token, token_hash
from gateway.accounts.service import check_choice
from gateway.audit_events import AuditName
from gateway.http.problems import Problem
from gateway.mail.letters import Letter
from storage import accounts, companies, password_resets, users
from storage.password_resets import PasswordReset

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.guard import AccountGuard
    from gateway.accounts.password_hashing import PasswordHashing
    from gateway.accounts.service import Accounts
    from gateway.clock import Clock, Randomness
    from gateway.mail.service import Mailer
    from storage.database import Database
    from storage.users import User

RESET_SECONDS: Final = 3600.0
"""How long a link is good: long enough for slow mail, too short for a mailbox that somebody reads next week."""

MAILS_PER_HOUR: Final = 3
"""Links for one person in an hour; who asks for more only fills somebody's mailbox."""


class PasswordResets:
    """Sends links and takes them. `page_url`: the page that a link opens, without its fragment."""

    def __init__(
        self,
        *,
        database: Database,
        accounts: Accounts,
        guard: AccountGuard,
        hashing: PasswordHashing,
        mailer: Mailer,
        clock: Clock,
        randomness: Randomness,
        page_url: str,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._guard = guard
        self._hashing = hashing
        self._mailer = mailer
        self._clock = clock
        self._randomness = randomness
        self._page_url = page_url

    def request(self, email: str) -> None:
        """Have a link sent if somebody active signs in with this address. Raises Problem `busy` for a full queue."""
        self._mailer.post(lambda: self._compose(email))

    async def reset(self, token: str, password: str, *, request_id: str | None = None) -> None:
        """Set a new password by a link; every session ends, a lock too.

        Raises Problem `reset-not-valid` (wrong, used, over, or the password was changed since: one answer),
        `bad-request` naming every rule the password breaks (the link stays good), and `busy`.
        """
        digest = token_hash(token)
        async with self._database.read() as connection:
            user = await self._whose(connection, digest)
        check_choice(password, user.email or "")
        password_hash = await self._hashing.hash(password)
        async with self._database.write() as connection:
            # The guard's row first, as at every sign-in: two transactions that wait for each other would both fail.
            await self._guard.clear(connection, user.email or "", actor=f"user:{user.id}", request_id=request_id)
            user = await self._whose(connection, digest, lock=True)
            if not await password_resets.take(connection, digest):
                raise Problem("reset-not-valid", cause="used at this moment")
            await self._accounts.store(
                connection,
                user,
                password_hash,
                name=AuditName.ACCOUNT_PASSWORD_RESET,
                actor=f"user:{user.id}",
                request_id=request_id,
            )

    async def _whose(self, connection: AsyncConnection, digest: bytes, *, lock: bool = False) -> User:
        reset = await password_resets.get(connection, digest, self._clock())
        # Locked before anything of theirs is touched, as by whoever deactivates them: nobody waits crosswise.
        user = None if reset is None else await users.get(connection, reset.user_id, lock=lock)
        if reset is None or user is None or not user.active or user.email != reset.email:
            raise Problem("reset-not-valid", cause="no such link, or no longer good")
        return user

    async def _compose(self, email: str) -> Letter | None:
        """Make a link for the login with this address and the letter that carries it; None if there is no such."""
        now, token = self._clock(), new_token(self._randomness)
        async with self._database.write() as connection:
            user = await users.by_email(connection, email)
            if user is None or not user.active or await accounts.get(connection, user.id) is None:
                return None
            await users.get(connection, user.id, lock=True)  # of many at once each counts the ones before
            if await password_resets.count(connection, user.id, now - RESET_SECONDS) >= MAILS_PER_HOUR:
                return None
            company = await companies.get(connection, user.company_id)
            reset = PasswordReset(
                token_hash=token_hash(token),
                user_id=user.id,
                email=email,
                created_at=now,
                expires_at=now + RESET_SECONDS,
            )
            await password_resets.add(connection, reset)
        return Letter(
            kind="password-reset",
            to=email,
            locale="en" if company is None else company.locale,
            link=f"{self._page_url}#token={token}",
            name=user.full_name,
        )
