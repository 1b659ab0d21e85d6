"""The one way to check a password: reserve, hash, settle. Signing in, confirming and changing all go through it.

One answer for an unknown address, a wrong password, a person without one and a person who is not active, after the same
queries and the same hash (policy, "Lockout").
"""

from __future__ import annotations

import contextlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.accounts.guard import REASON, SCOPE, TIER
from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from storage import accounts, audit, users
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.accounts.guard import AccountGuard, Try
    from gateway.accounts.password_hashing import PasswordHashing
    from gateway.clock import Clock, NewId
    from gateway.metrics import Metrics
    from storage.database import Database
    from storage.users import User


@dataclass(slots=True)
class Proof:
    """Somebody entered the right password. It counts once `PasswordCheck.settle` is part of a committed transaction."""

    user: User
    password_hash: str
    attempt: Try
    is_late: bool = False


class PasswordCheck:
    """Checks passwords. Every check of one anywhere goes through here and counts."""

    def __init__(
        self,
        *,
        database: Database,
        guard: AccountGuard,
        hashing: PasswordHashing,
        metrics: Metrics,
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._database = database
        self._guard = guard
        self._hashing = hashing
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id

    @asynccontextmanager
    async def proved(
        self, email: str, password: str, *, request_id: str | None, source: str | None = None
    ) -> AsyncIterator[Proof]:
        """Check a password and give the proof, to be settled inside the block within ten seconds.

        `source`: the address key of whoever has no session yet. A block that ends in an exception leaves the try
        uncounted. Raises Problem `login-throttled` and `too-many-requests` (nothing was hashed), `login-failed`,
        `busy`, and `StorageUnavailable`.
        """
        try:
            attempt = await self._guard.reserve(email, request_id, source)
        except Problem:
            self._metrics.login(TIER, "throttled")
            raise
        try:
            async with self._database.read() as connection:
                user = await users.by_email(connection, email)
                stored = await accounts.password_hash(connection, email)
            is_right = await self._hashing.verify(stored, password)
        except BaseException:
            await self._release(attempt)
            raise
        if not is_right or user is None or stored is None or not user.active:
            await self._record_wrong(attempt, user)
            raise Problem("login-failed")
        proof = Proof(user, stored, attempt)
        try:
            yield proof
        except BaseException:
            if proof.is_late:
                await self._record_wrong(attempt, user)
            else:
                await self._release(attempt)
            raise
        self._metrics.login(TIER, "right")

    async def settle(self, connection: AsyncConnection, proof: Proof) -> None:
        """Count the try as right, in the transaction of what it allows.

        Raises Problem `login-failed` when it came too late, or the password was changed or the person deactivated
        meanwhile; the account's row is held, so that neither can happen until the transaction ends.
        """
        if not await self._guard.right(connection, proof.attempt):
            proof.is_late = True
            raise Problem("login-failed", cause="the hash came too late")
        if not await accounts.hold(connection, proof.user.id, proof.password_hash):
            raise Problem("login-failed", cause="changed meanwhile")

    async def _record_wrong(self, attempt: Try, user: User | None) -> None:
        async with self._database.write() as connection:
            has_locked = await self._guard.wrong(connection, attempt)
            if await self._guard.tells(connection, user):
                failed = event(
                    AuditName.LOGIN_FAILED,
                    id=self._new_id(),
                    at=self._clock(),
                    actor=TIER,
                    company_id=None if user is None else user.company_id,
                    subject=None if user is None else f"user:{user.id}",
                    detail={"tier": TIER},
                    request_id=attempt.request_id,
                )
                await audit.append(connection, failed)
        self._metrics.login(TIER, "wrong")
        if has_locked:
            self._metrics.lock(TIER, SCOPE, REASON)

    async def _release(self, attempt: Try) -> None:
        # The database away now: the reservation expires and counts as wrong, the safe side.
        with contextlib.suppress(StorageError):
            await self._guard.release(attempt)
