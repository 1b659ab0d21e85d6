"""The gateway's time, learnt from its answers: a terminal without a real-time clock can sign all the same."""

from __future__ import annotations

from collections.abc import Callable

Clock = Callable[[], float]

DATE_SLACK = 2.0
"""``Date`` has whole seconds, and servers may cache it for one more."""


MOST_OFFSET_MS = 10 * 365 * 86_400_000
"""A terminal without a clock begins in 1970; more than this is reported as this."""


class ServerClock:
    """The local clock plus an offset in seconds.

    Each answer bounds the offset: the gateway's time was read between sending and receiving. The offset is moved only
    when it falls outside those bounds, so it does not tremble with the resolution of ``Date``.
    """

    def __init__(self, local: Clock) -> None:
        self.local = local
        self.offset = 0.0

    def now(self) -> float:
        """The gateway's time, Unix seconds."""
        return self.local() + self.offset

    @property
    def offset_ms(self) -> int:
        """What the local clock lacks to the gateway's, in milliseconds (negative: it is ahead), within 10 years."""
        return max(-MOST_OFFSET_MS, min(round(self.offset * 1000), MOST_OFFSET_MS))

    def learn_date(self, date: float, sent: float, received: float) -> None:
        """From a ``Date`` field (Unix seconds) of an answer; ``sent`` and ``received`` by the local clock."""
        self._keep_between(date - received, date + DATE_SLACK - sent)

    def learn_exact(self, server_time: float, sent: float, received: float) -> None:
        """From a ``server_time`` with milliseconds."""
        self._keep_between(server_time - received, server_time - sent)

    def _keep_between(self, low: float, high: float) -> None:
        if not low <= self.offset <= high:
            self.offset = (low + high) / 2
