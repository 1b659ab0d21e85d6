"""Which sessions have ended before their time: people deactivated, PINs reset, links rotated, devices blocked.

A session remembers the number of the latest trust change its gateway had seen when it began. It is over as soon as one
of its subjects (person, device, the company's link) has a later ending. No clocks are compared, nothing has to be found
and deleted in Redis, and a flushed or restored Redis brings no session back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.trust_feed import kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.trust_changes import TrustChange


class Endings:
    """The latest ending of each subject, by its trust change number. Follows the trust feed."""

    def __init__(self) -> None:
        self._latest: dict[str, int] = {}

    async def follow(self, connection: AsyncConnection, changes: Sequence[TrustChange]) -> None:
        """Remember the endings among `changes`."""
        for change in changes:
            ends = change.kind in (kinds.PERSON, kinds.DEVICE) or (
                change.kind == kinds.COMPANY and bool(change.detail.get("link"))
            )
            if ends:
                self._latest[change.subject] = max(change.seq, self._latest.get(change.subject, 0))

    def has_ended(self, trust_seq: int, *subjects: str) -> bool:
        """Whether a session begun at trust change `trust_seq` has been ended for one of its `subjects`."""
        latest = self._latest
        for subject in subjects:  # noqa: SIM110 - on every signed request, where a generator costs more than the look-ups
            if latest.get(subject, 0) > trust_seq:
                return True
        return False
