"""The people of a company: who they are, their PINs, and whether they may sign in.

Every change is one transaction of the rows, their audit events and, where sessions end or counts are forgotten, the
trust changes that make every gateway follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crypto.pins import PIN_FAULT_TEXT, generate_pin, pin_faults
from gateway.accounts.roles import Role
from gateway.audit_events import AuditName, event
from gateway.http.field_faults import FieldError
from gateway.http.problems import Problem
from gateway.people.changes import Changing, anything_goes, check_whole, found, needed, taken
from gateway.people.fields import read_person
from gateway.people.importing import Imported, Importing
from gateway.pin_login.subjects import number_subject
from gateway.trust_feed import kinds
from storage import audit, companies, lockouts, trust_changes, users
from storage.errors import Conflict
from storage.users import User

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from crypto.pins import PinHasher
    from gateway.clock import Clock, NewId, Randomness
    from gateway.pin_login.hashing import HashPool
    from storage.database import Database

TIERS: Final = ("kiosk", "phone")
"""The tiers whose wrong tries are counted by personnel number."""


class People:
    """What may be done with people. Hashes run in `hashing`; `guard_key` names the counters of a personnel number."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        randomness: Randomness,
        new_id: NewId,
        pins: PinHasher,
        hashing: HashPool,
        guard_key: bytes,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._new_id = new_id
        self._pins = pins
        self._hashing = hashing
        self._guard_key = guard_key
        self._changed = changed

    async def list_(
        self,
        company_id: str | None,
        *,
        search: str | None = None,
        active: bool | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> list[User]:
        """People by name, at most `limit`, those behind the person with id `after`; `active` selects by that."""
        async with self._database.read() as connection:
            return await users.list_(connection, company_id, search, after, limit, active)

    async def get(self, user_id: str, company_id: str | None = None) -> User:
        """One person, of that company if one is named. Raises Problem `not-found`."""
        async with self._database.read() as connection:
            return await found(connection, user_id, company_id)

    async def add(
        self,
        company_id: str,
        *,
        full_name: str,
        personnel_number: str | None = None,
        email: str | None = None,
        role: str = "employee",
        active: bool = True,
        require: Callable[[str], None] = anything_goes,
        actor: str,
        request_id: str | None = None,
    ) -> User:
        """Add a person without PIN or password. `require` refuses, by raising, what whoever acts may not do.

        Raises Problem `not-found`, `bad-request` with every fault, or `conflict` when number or e-mail are taken.
        """
        for permission in needed(Role.EMPLOYEE, frozenset() if role == Role.EMPLOYEE else frozenset({"role"})):
            require(permission)
        given = {"full_name": full_name, "personnel_number": personnel_number, "email": email, "role": role}
        values = read_person({name: value for name, value in given.items() if value is not None})
        check_whole(role=values["role"], personnel_number=personnel_number, email=email)
        user = User(
            id=self._new_id(),
            company_id=company_id,
            created_at=self._clock(),
            full_name=values["full_name"],
            role=values["role"],
            personnel_number=values.get("personnel_number"),
            email=values.get("email"),
            active=active,
        )
        try:
            async with self._database.write() as connection:
                if await companies.get(connection, company_id) is None:
                    raise Problem("not-found", "There is no such company.")
                await users.add(connection, user)
                detail = {"role": user.role}
                await self._record(connection, AuditName.USER_CREATED, user, actor, detail, request_id)
        except Conflict as conflict:
            raise taken(conflict) from None
        return user

    async def set_pin(
        self,
        user_id: str,
        pin: str | None = None,
        *,
        company_id: str | None = None,
        by_oneself: bool = False,
        only_if_none: bool = False,
        also: Callable[[AsyncConnection, User, str, float], Awaitable[None]] | None = None,
        require: Callable[[str], None] = anything_goes,
        actor: str,
        request_id: str | None = None,
    ) -> str | None:
        """Give a person a PIN: the one chosen, or a generated one, which is returned to be shown this once.

        Ends the person's open sessions. Zeroes every count of that person in both tiers and ends their locks, unless it
        is `by_oneself` (policy, "Lockout"). `only_if_none`: whoever has a PIN by now, or is no longer active, gets none
        and None is returned. `also` is called inside the transaction with the person as they are then, the PIN and when
        it was set, to keep what must not be lost once the PIN counts. `require` refuses as in `change`, and is asked
        again if the role changes meanwhile: with the PIN of somebody one may not edit one could stamp for them. Raises
        Problem `not-found`, `bad-request` naming every rule the PIN breaks, `conflict` without a personnel number, and
        `busy`.
        """
        user = await self.get(user_id, company_id)
        for permission in () if by_oneself else needed(user.role, frozenset({"pin"})):
            require(permission)
        number = user.personnel_number
        if number is None:
            raise Problem("conflict", "Without a personnel number nobody can sign in with a PIN: give one first.")
        generated = None if pin is not None else generate_pin(self._randomness, number)
        chosen = pin if pin is not None else generated or ""
        faults = [FieldError("pin", PIN_FAULT_TEXT[code]) for code in pin_faults(chosen, number)]
        if faults:
            raise Problem("bad-request", errors=faults, cause="a PIN that may not be chosen")
        record = await self._hashing.run(self._pins.hash, chosen)
        now = self._clock()
        async with self._database.write() as connection:
            current = await found(connection, user_id, lock=True)
            if current.role != user.role:
                for permission in () if by_oneself else needed(current.role, frozenset({"pin"})):
                    require(permission)
            if only_if_none and (current.has_pin or not current.active):
                return None
            if current.personnel_number != number:
                raise Problem("conflict", "The personnel number was changed at the same moment: try again.")
            await users.set_pin(connection, user_id, record, now)
            detail = {"generated": pin is None} | ({"by": "oneself"} if by_oneself else {})
            await self._record(connection, AuditName.PIN_SET, current, actor, detail, request_id)
            if also is not None:
                await also(connection, current, chosen, now)
            if not by_oneself:
                await self._zero_counts(connection, current, number, actor, now, request_id)
            await trust_changes.append(connection, kinds.PERSON, user_id, {}, now)
        self._changed()
        return generated

    async def change(
        self,
        user_id: str,
        changes: Mapping[str, Any],
        *,
        company_id: str | None = None,
        require: Callable[[str], None] = anything_goes,
        actor: str,
        request_id: str | None = None,
    ) -> User:
        """Change `full_name`, `personnel_number`, `email`, `role` or `active`; null takes a number or an e-mail away.

        `require` is asked for each permission that the change needs (`gateway.people.changes`) and refuses by raising.
        A new role, or being active no longer, ends open sessions at once. Raises Problem `not-found` (also for somebody
        of another company than `company_id`), `bad-request` with every fault, `conflict` when number or e-mail are
        taken, or for the last active owner of a company.
        """
        changing = Changing(self._database, self._clock, self._new_id, self._changed)
        return await changing.run(company_id, user_id, changes, require=require, actor=actor, request_id=request_id)

    async def set_active(
        self,
        user_id: str,
        active: bool,
        *,
        actor: str,
        request_id: str | None = None,
    ) -> User:
        """Let a person sign in and stamp, or no longer; the latter ends open sessions at once. Raises as `change`."""
        return await self.change(user_id, {"active": active}, actor=actor, request_id=request_id)

    async def import_csv(
        self,
        company_id: str,
        data: bytes,
        *,
        actor: str,
        on_progress: Callable[[int, int], None] | None = None,
        dry_run: bool = False,
        request_id: str | None = None,
    ) -> Imported:
        """Add and change people as a CSV file says, all of them or, with any fault, nobody.

        `on_progress(done, total)` is told how many people are written; with `dry_run` it is only looked at what would
        be done. Sets no PIN and no role. Raises Problem `not-found`; what is wrong with the file is in the result.
        """
        importing = Importing(self._database, self._clock, self._new_id)
        return await importing.run(
            company_id,
            data,
            actor=actor,
            on_progress=on_progress or _in_silence,
            dry_run=dry_run,
            request_id=request_id,
        )

    async def _zero_counts(
        self,
        connection: AsyncConnection,
        user: User,
        number: str,
        actor: str,
        now: float,
        request_id: str | None,
    ) -> None:
        """Forget every wrong try against the person's number, in SQL here and in Redis by way of the trust feed."""
        subjects = {tier: number_subject(self._guard_key, user.company_id, tier, number) for tier in TIERS}
        await lockouts.forget_failures(connection, list(subjects.values()))
        locks = await lockouts.uncleared(connection, [subject.hex() for subject in subjects.values()])
        cleared = await lockouts.clear(connection, [lock.id for lock in locks], now)
        for lock in cleared:
            if lock.until is None or lock.until > now:
                detail = {"tier": lock.tier, "scope": lock.scope, "reason": lock.reason}
                await self._record(connection, AuditName.PIN_UNLOCKED, user, actor, detail, request_id)
        for tier, subject in subjects.items():
            # Also without a lock: four wrong tries of five are only in Redis.
            counters = {"company_id": user.company_id, "tier": tier, "scope": "number", "subject": subject.hex()}
            await trust_changes.append(connection, kinds.LOCKOUT, subject.hex(), counters, now)

    async def _record(
        self,
        connection: AsyncConnection,
        name: AuditName,
        user: User,
        actor: str,
        detail: Mapping[str, Any],
        request_id: str | None,
    ) -> None:
        await audit.append(
            connection,
            event(
                name,
                id=self._new_id(),
                at=self._clock(),
                actor=actor,
                company_id=user.company_id,
                subject=f"user:{user.id}",
                detail=detail,
                request_id=request_id,
            ),
        )


def _in_silence(done: int, total: int) -> None:
    """Nobody watches."""
