"""Recording stamps: those of one moment share one committed transaction, each with an outcome of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from gateway.http.problems import Problem
from gateway.stamping.actions import Action
from gateway.stamping.batch import StampBatch, presence_of
from gateway.stamping.corrections import stamped_actions
from gateway.stamping.days import Day, summarise, window
from gateway.stamping.records import Recorded, StampRequest, Status, status_of
from gateway.stamping.remembered import RememberedPresence
from storage import corrections, stamps
from storage.batching import Batcher
from storage.database import Conflict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from gateway.clock import Clock
    from gateway.trust_feed.companies import CompanyRegistry
    from storage.database import Database
    from storage.direct import DirectTransaction
    from storage.stamps import PresenceRow, Stamp

MAX_BATCH: Final = 32
"""Stamps that share one transaction at most: while some are written, the next ones are verified. With 128, all that had
come at once waited for the database together, and a busy gateway on PostgreSQL recorded a fifth less; with 24, stamps
waited longer beside sign-ins."""

CONFLICT_RETRIES: Final = 5
"""Tries of a stamp that met another gateway's; each loses only to one that was recorded."""


class Stamping:
    """Records stamps and answers what is true of a person.

    Each item of a batch is judged alone: a person deactivated meanwhile, an action that is not valid or a `stamp_id`
    used twice fails that stamp and no other. Stamps of one person are applied in the order they came.
    """

    def __init__(
        self,
        *,
        database: Database,
        companies: CompanyRegistry,
        clock: Clock,
        new_id: Callable[[], str],
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._database = database
        self._companies = companies
        self._clock = clock
        self._new_id = new_id
        self._zones: dict[str, ZoneInfo] = {}
        self._remembered = RememberedPresence()
        self._batcher: Batcher[StampRequest, Recorded] = Batcher(
            self._flush, max_batch=MAX_BATCH, name="stamps", observe=observe
        )

    def record(self, request: StampRequest) -> Awaitable[Recorded]:
        """Record one stamp; what is returned is awaited until it is durably committed.

        Raises `Problem` (`action-not-valid` with the status, `stamp-id-reused`, `session-expired` for a person who was
        deactivated) and `StorageUnavailable`, after which nothing or everything was recorded: the same `stamp_id`
        again finds out.
        """
        return self._batcher.submit(request)

    async def status(self, user_id: str, company_id: str) -> Status:
        """Return what is true of a person now. Raises `Problem("session-expired")` for one who is not active."""
        asked_at = self._database.rows_connection_number
        async with self._database.read() as connection:
            row = await stamps.read_presence(connection, user_id)
        if row is None or not row.active:
            raise Problem("session-expired", cause="person not active")
        self._remembered.keep((row,), asked_at)  # who asks is about to stamp
        return status_of(presence_of(row), self._clock(), self._zone(company_id))

    async def days(self, user_id: str, company_id: str) -> list[Day]:
        """Return the person's last seven local days, oldest first."""
        now, zone = self._clock(), self._zone(company_id)
        start = window(now, zone)
        async with self._database.read() as connection:
            # The stretch that was open when the first day began started with an earlier clock-in.
            rows = await corrections.in_effect_since(connection, user_id, start, Action.CLOCK_IN)
        return summarise(stamped_actions(rows), now, zone)

    async def drain(self) -> None:
        """Wait until everything accepted has been recorded."""
        await self._batcher.drain()

    def _zone(self, company_id: str) -> ZoneInfo:
        name = self._companies.get(company_id).timezone
        zone = self._zones.get(name)
        if zone is None:
            zone = self._zones[name] = ZoneInfo(name)
        return zone

    async def _flush(self, requests: list[StampRequest]) -> list[Recorded | Exception]:
        try:
            return await self._record(requests)
        except Conflict:
            # Another process recorded between our read and our write (possible where rows are not locked, or when two
            # gateways meet the same new stamp_id): judge anew, against what is true now.
            return await self._record_apart(requests)

    async def _record_apart(self, requests: list[StampRequest]) -> list[Recorded | Exception]:
        """Halve until whoever meets another gateway is alone: one person's haste holds up the others but little."""
        if len(requests) == 1:
            return [await self._record_alone(requests[0])]
        outcomes: list[Recorded | Exception] = []
        for half in (requests[: len(requests) // 2], requests[len(requests) // 2 :]):
            try:
                outcomes += await self._record(half)
            except Conflict:
                outcomes += await self._record_apart(half)
            except Exception as error:  # noqa: BLE001 - the outcome of this half; the other may be recorded
                outcomes += [error] * len(half)
        return outcomes

    async def _record_alone(self, request: StampRequest) -> Recorded | Exception:
        for _ in range(CONFLICT_RETRIES):
            try:
                return (await self._record([request]))[0]
            except Conflict as error:
                conflict: Exception = error
            except Exception as error:  # noqa: BLE001 - the outcome of this item, raised to its own caller
                return error
        return Problem("busy", retry_after=1, cause=str(conflict))

    async def _record(self, requests: Sequence[StampRequest]) -> list[Recorded | Exception]:
        people = [request.user_id for request in requests]
        if remembered := self._remembered.of(people):
            try:
                return await self._record_after(requests, remembered)
            except Conflict:
                self._remembered.forget(people)  # somebody has changed meanwhile: look at all of them
        return await self._record_after(requests, {})

    async def _record_after(
        self, requests: Sequence[StampRequest], remembered: Mapping[str, PresenceRow]
    ) -> list[Recorded | Exception]:
        """Record what is valid after what is `remembered`, and after what is read of all others. Raises `Conflict`."""
        async with self._database.write_rows() as transaction:
            if self._remembered.forget_before(transaction.connection_number):
                remembered = {}
            unknown = [request for request in requests if request.user_id not in remembered]
            batch, outcomes = await self._judge(transaction, requests, unknown, remembered)
            if remembered and len(batch.inserts) < len(requests):
                # A refusal, or a stamp recorded already: nothing is written that would prove it, so it is looked up.
                batch, outcomes = await self._judge(transaction, requests, requests, {})
            if batch.inserts:
                await stamps.commit_batch(transaction, batch.inserts, batch.changed())
        self._remembered.keep(batch.after(), transaction.connection_number)
        return outcomes

    async def _judge(
        self,
        transaction: DirectTransaction,
        requests: Sequence[StampRequest],
        read: Sequence[StampRequest],
        remembered: Mapping[str, PresenceRow],
    ) -> tuple[StampBatch, list[Recorded | Exception]]:
        rows: Mapping[str, PresenceRow] = remembered
        repeats: Mapping[tuple[str, str], Stamp] = {}
        if read:
            found, repeats = await stamps.read_batch(transaction, [(item.user_id, item.stamp_id) for item in read])
            rows = {**found, **remembered}
        batch = StampBatch(rows, repeats, self._clock(), self._zone, self._new_id)
        return batch, [_judged(batch, request) for request in requests]


def _judged(batch: StampBatch, request: StampRequest) -> Recorded | Exception:
    try:
        return batch.judge(request)
    except Exception as error:  # noqa: BLE001 - its own outcome, for example a time zone that this machine lacks
        return error
