"""Posters that are scanned although they are not valid: one that still hangs, or one that somebody photographed.

Whoever scans one is told what every wrong link is told, at once. Here it is counted, and for the company written down:
one audit event for each poster and hour, however many scans and gateways there are. Links that were never given out are
in the metrics alone, so that nobody fills the audit trail with invented ones.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from gateway.audit_events import AuditName, event
from gateway.background import BackgroundTask
from storage import audit, phone_links
from storage.errors import StorageError

if TYPE_CHECKING:
    from gateway.clock import Clock, NewId
    from gateway.metrics import Metrics
    from gateway.trust_feed.companies import DeadLink
    from storage.database import Database

REPORT_SECONDS: Final = 3600.0
"""Between two events of one poster."""

LOOK_SECONDS: Final = 60.0
"""How often it is looked whether something waits for its hour to end."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Tally:
    """The scans of one poster that no event tells of yet, and the request that the latest came with."""

    scans: int = 0
    request_id: str = ""
    due: float = 0.0


class DeadPosters:
    """Counts and writes down. `note` costs an entry in a dictionary, so its time tells one link from another to nobody.

    What a killed gateway had counted of an hour is lost; the metrics are as exact as all metrics.
    """

    def __init__(self, *, database: Database, metrics: Metrics, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id
        self._tallies: dict[DeadLink, _Tally] = {}
        self._noted = asyncio.Event()
        self._task = BackgroundTask(self._run, "dead-posters")

    def note(self, link: DeadLink | None, request_id: str) -> None:
        """A link that is not valid was used; None for one that nobody was ever given."""
        self._metrics.dead_poster("unknown" if link is None else link.why)
        if link is None:
            return
        tally = self._tallies.setdefault(link, _Tally())
        tally.scans += 1
        tally.request_id = request_id
        if tally.scans == 1:
            self._noted.set()

    async def start(self) -> None:
        """Begin to write down."""
        self._task.start()

    async def stop(self) -> None:
        """Write down what is due, and end."""
        await self._task.stop()
        await self.write_down()

    async def write_down(self) -> None:
        """Write an event for each poster whose hour is over. While the database is away the count goes on."""
        now = self._clock()
        for link, tally in list(self._tallies.items()):
            if not tally.scans or now < tally.due:
                continue
            scans, told = tally.scans, False
            try:
                async with self._database.write() as connection:
                    told = await phone_links.report(
                        connection, link.company_id, link.version, now, now - REPORT_SECONDS
                    )
                    if told:
                        await audit.append(connection, self._event(link, scans, tally.request_id, now))
            except StorageError as error:
                log.warning("the use of a dead poster could not be written down", cause=str(error))
                return
            if told:
                tally.scans -= scans  # others may have come meanwhile
            # Of several gateways one tells of this hour; the others keep their count for a later one.
            tally.due = now + REPORT_SECONDS

    def _event(self, link: DeadLink, scans: int, request_id: str, now: float) -> audit.AuditEvent:
        return event(
            AuditName.PUBLIC_LINK_REFUSED,
            id=self._new_id(),
            at=now,
            actor="phone",
            company_id=link.company_id,
            subject=f"company:{link.company_id}",
            detail={"link_version": link.version, "why": link.why, "scans": scans},
            request_id=request_id,
        )

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._noted.wait()
            self._noted.clear()
            await self.write_down()
