"""PINs for everybody who has none: set one after the other in the background, and one PDF of slips, offered once.

Each slip is sealed and written in the transaction that sets its PIN, and the job's row says how far it is, so every
gateway shows the progress, and whatever ends the work early, the slips of the PINs set by then are there. Whoever
started a job fetches its slips; that deletes them. PINs whose slips nobody gets any more are taken back, so that nobody
is left with a PIN that nobody knows.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway.accounts.roles import allows
from gateway.audit_events import AuditName, event
from gateway.http.problems import Problem
from gateway.people.changes import needed
from gateway.people.pin_slips import Recipient, pin_slips_pdf
from gateway.stamping.local_day import date_of, zone_named
from storage import audit, pin_slips, users
from storage.errors import Conflict, StorageError
from storage.pin_slips import SealedSlip, SlipJob

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from crypto.sealing import Seal
    from gateway.accounts.roles import Role
    from gateway.clock import Clock, NewId
    from gateway.people.service import People
    from storage.companies import Company
    from storage.database import Database
    from storage.users import User

KEEP_SECONDS: Final = 24 * 3600.0
"""Slips nobody fetches are deleted then, and their PINs taken back."""

STALLED_SECONDS: Final = 60.0
"""A job without a sign of life for so long has no gateway any more that works on it."""

WAIT_SECONDS: Final = 1.0
"""How long a job steps aside when people who sign in fill the queue of hashes."""

TAKEN_BACK_AT_ONCE: Final = 200
"""PINs of one transaction, which others who write to SQLite wait for."""

EVERYBODY: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Starter:
    """Who started a job, in which role, and by which request, as its audit events say."""

    user_id: str
    role: Role
    actor: str
    request_id: str | None


class _Over(Exception):
    """The job was ended or deleted meanwhile: no further PIN is set for it."""


class SlipJobs:
    """The jobs of one gateway process; `seal` hides their slips."""

    def __init__(self, *, database: Database, people: People, seal: Seal, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._people = people
        self._seal = seal
        self._clock = clock
        self._new_id = new_id
        self._running: set[asyncio.Task[None]] = set()
        self._closing = False
        self._drawing = asyncio.Lock()
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

    async def without_pin(self, company_id: str, role: Role) -> list[User]:
        """Who is active, has a personnel number and no PIN, and may be given one by somebody in `role`; by name."""
        people = await self._people.list_(company_id, active=True, limit=EVERYBODY)
        return [
            user for user in people if user.personnel_number is not None and not user.has_pin and _may(role, user.role)
        ]

    async def of(self, user_id: str) -> SlipJob | None:
        """The job somebody has started and not fetched yet."""
        async with self._database.read() as connection:
            job = await pin_slips.started_by(connection, user_id)
        return None if job is None or job.created_at + KEEP_SECONDS <= self._clock() else job

    def is_running(self, job: SlipJob) -> bool:
        """Tell whether more slips are to be expected."""
        return job.finished_at is None and job.touched_at + STALLED_SECONDS > self._clock()

    async def start(self, company_id: str, starter: Starter) -> SlipJob | None:
        """Begin to set PINs; a job of the same person that was not fetched yet stays, and is returned.

        None: there is nobody to set one for. Raises Problem `busy` while the gateway is being stopped.
        """
        if self._closing:
            raise Problem("busy", retry_after=5)
        await self.forget_old()
        people = await self.without_pin(company_id, starter.role)
        if (there := await self.of(starter.user_id)) is not None or not people:
            return there
        now = self._clock()
        job = SlipJob(
            id=self._new_id(),
            company_id=company_id,
            started_by=starter.user_id,
            created_at=now,
            touched_at=now,
            total=len(people),
        )
        try:
            async with self._database.write() as connection:
                await pin_slips.add(connection, job)
        except Conflict:  # the same click twice
            return await self.of(starter.user_id)
        task = asyncio.create_task(self._run(job, people, starter), name="pin-slips")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return job

    async def take(
        self, company: Company, starter: Starter, *, is_there: Callable[[], bool] = lambda: True
    ) -> bytes | None:
        """Return the PDF of somebody's job and delete its slips: of several at once one gets it. None: no PIN was set.

        `is_there` is asked at the last moment: for somebody who has gone, as the first of two clicks, the slips stay.
        Slips of people whom the role of now may not give a PIN any more are left out, and their PINs taken back; left
        out are also those of people who got another PIN meanwhile.
        Raises Problem `not-found` without slips (of two who fetch, the slower), `conflict` while they are being made,
        and when nobody is there.
        """
        async with self._drawing:  # a thousand pages are some work: one after the other
            return await self._take(company, starter, is_there)

    async def forget_old(self) -> None:
        """Delete the slips that nobody fetched in time, and take their PINs back. Raises `StorageError`."""
        async with self._database.read() as connection:
            jobs = await pin_slips.too_old(connection, self._clock() - KEEP_SECONDS)
        for job in jobs:
            while await self._forget_some(job):
                pass

    async def _forget_some(self, job: SlipJob) -> bool:
        """Take some PINs of a job back; False when nothing is left of it."""
        async with self._database.write() as connection:
            await pin_slips.finish(connection, job.id, self._clock())
            if await pin_slips.hold(connection, job.id) is None:
                return False
            slips = await pin_slips.sealed_slips(connection, job.id, TAKEN_BACK_AT_ONCE)
            await self._take_back(connection, job, slips)
            await pin_slips.drop_slips(connection, job.id, [slip.position for slip in slips])
            if not slips:
                await pin_slips.take(connection, job.id)
        return bool(slips)

    async def _take_back(self, connection: AsyncConnection, job: SlipJob, slips: Sequence[SealedSlip]) -> None:
        """Remove PINs that nobody will ever know. Whoever got another one meanwhile keeps that."""
        for slip in sorted(slips, key=lambda slip: slip.user_id or ""):
            if slip.user_id is None or slip.set_at is None:
                continue
            if await users.withdraw_pin(connection, slip.user_id, slip.set_at):
                withdrawn = event(
                    AuditName.PIN_WITHDRAWN,
                    id=self._new_id(),
                    at=self._clock(),
                    actor="gateway",
                    company_id=job.company_id,
                    subject=f"user:{slip.user_id}",
                )
                await audit.append(connection, withdrawn)

    async def _take(self, company: Company, starter: Starter, is_there: Callable[[], bool]) -> bytes | None:
        job = await self.of(starter.user_id)
        if job is None:
            raise Problem("not-found", "These slips have been fetched, or deleted after a day.")
        if self.is_running(job):
            raise Problem("conflict", "The PINs are still being set.")
        async with self._database.write() as connection:
            # First of all no more: a gateway that was held up must not add slips that nobody gets.
            await pin_slips.finish(connection, job.id, self._clock())
        async with self._database.read() as connection:
            slips = await pin_slips.sealed_slips(connection, job.id)
        given, denied = await self._sorted_out(job, slips, starter.role)
        recipients = [self._opened(job.id, slip) for slip in given]
        document = None
        if recipients:
            issued = date_of(job.created_at, zone_named(company.timezone))
            document = await asyncio.to_thread(pin_slips_pdf, company.name, company.locale, recipients, issued)
        if not is_there():
            raise Problem("conflict", "Whoever asked for the slips has gone: they stay.")
        async with self._database.write() as connection:
            # All of them or none: what is taken back meanwhile must not be printed.
            if await pin_slips.hold(connection, job.id) != len(slips):
                raise Problem("not-found", "These slips have been fetched, or deleted after a day.")
            await self._take_back(connection, job, denied)
            await pin_slips.take(connection, job.id)
            if recipients:
                await audit.append(connection, self._event(AuditName.PIN_SLIPS_FETCHED, job, starter, len(recipients)))
        return document

    async def _sorted_out(
        self, job: SlipJob, slips: Sequence[SealedSlip], role: Role
    ) -> tuple[list[SealedSlip], list[SealedSlip]]:
        """The slips to be printed, and those of people whom `role` may not give a PIN (any more).

        In neither are those of people who got another PIN meanwhile: a slip with a dead one would only mislead.
        """
        people = {user.id: user for user in await self._people.list_(job.company_id, limit=EVERYBODY)}
        given: list[SealedSlip] = []
        denied: list[SealedSlip] = []
        for slip in slips:
            user = people.get(slip.user_id or "")
            if user is None:  # a slip of a version that did not note whose it is
                given.append(slip)
            elif user.pin_set_at == slip.set_at:
                (given if _may(role, user.role) else denied).append(slip)
        return given, denied

    async def close(self) -> None:
        """Let every job end behind the person of this moment; its slips stay to be fetched."""
        self._closing = True
        await asyncio.gather(*self._running)

    async def _run(self, job: SlipJob, people: list[User], starter: Starter) -> None:
        try:
            for user in people:
                if self._closing or not await self._may_go_on(starter):
                    break
                await self._set_pin(job, user, starter)
        except _Over:
            return
        except Exception as error:  # noqa: BLE001 whatever ends it, the slips that are there are offered
            self._log.warning("setting PINs ended early", cause=type(error).__name__)
        with suppress(StorageError):  # else it counts as ended when it gives no sign of life any more
            async with self._database.write() as connection:
                await pin_slips.finish(connection, job.id, self._clock())
                await pin_slips.drop_empty(connection, job.id)

    async def _set_pin(self, job: SlipJob, user: User, starter: Starter) -> None:
        """Set one PIN and keep its slip, in one transaction. Who has one by now, or may not get one, is left out."""

        async def keep(connection: AsyncConnection, person: User, pin: str, at: float) -> None:
            position = await pin_slips.next_position(connection, job.id, self._clock())
            if position is None:
                raise _Over
            recipient = [person.full_name, person.personnel_number, pin]
            sealed = self._seal.close(json.dumps(recipient).encode(), _place(job.id, position))
            slip = SealedSlip(position=position, sealed=sealed, user_id=person.id, set_at=at)
            await pin_slips.add_slip(connection, job.id, slip)

        def require(permission: str) -> None:
            if not allows(starter.role, permission):
                raise Problem("not-allowed")

        while True:
            try:
                pin = await self._people.set_pin(
                    user.id,
                    company_id=job.company_id,
                    only_if_none=True,
                    require=require,
                    also=keep,
                    actor=starter.actor,
                    request_id=starter.request_id,
                )
            except Problem as problem:
                if problem.name == "busy" and not self._closing:
                    async with self._database.write() as connection:
                        await pin_slips.touch(connection, job.id, self._clock())
                    await asyncio.sleep(WAIT_SECONDS)
                    continue
                if problem.name == "busy":
                    return
                pin = None  # changed at this moment: asked for again the next time
            if pin is None:
                async with self._database.write() as connection:
                    await pin_slips.skip(connection, job.id, self._clock())
            return

    async def _may_go_on(self, starter: Starter) -> bool:
        """Whoever is deactivated, or loses the role, gets no further PINs."""
        async with self._database.read() as connection:
            user = await users.get(connection, starter.user_id)
        return user is not None and user.active and user.role == starter.role

    def _opened(self, job_id: str, slip: SealedSlip) -> Recipient:
        return Recipient(*json.loads(self._seal.open(slip.sealed, _place(job_id, slip.position))))

    def _event(self, name: AuditName, job: SlipJob, starter: Starter, count: int) -> audit.AuditEvent:
        return event(
            name,
            id=self._new_id(),
            at=self._clock(),
            actor=starter.actor,
            company_id=job.company_id,
            detail={"count": count},
            request_id=starter.request_id,
        )


def _may(role: Role, of: str) -> bool:
    return all(allows(role, permission) for permission in needed(of, frozenset({"pin"})))


def _place(job_id: str, position: int) -> bytes:
    """What a sealed slip is bound to."""
    return f"{job_id}:{position}".encode()
