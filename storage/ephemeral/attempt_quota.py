"""Quotas of wrong tries per source, as of enrolment codes: each counts from its reservation until it proves right."""

from __future__ import annotations

from storage.ephemeral.commands import Argument, Script
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable

ENROLMENT_TRIES = 5
"""Wrong enrolment codes from one source address within the window (protocol, enrolment step 1)."""

ENROLMENT_WINDOW_SECONDS = 15 * 60

SCRIPT = Script.load("attempt_quota")


class AttemptQuota:
    """At most ``limit`` wrong or undecided tries per source within ``window`` seconds.

    ``name`` keeps quotas apart. Reserving first leaves no gap for parallel guesses; a try that ends wrong needs no
    further call. All methods raise ``EphemeralUnavailable``.
    """

    def __init__(
        self,
        ephemeral: Ephemeral,
        name: str = "enrolment",
        limit: int = ENROLMENT_TRIES,
        window: float = ENROLMENT_WINDOW_SECONDS,
    ) -> None:
        self._ephemeral = ephemeral
        self._name = name
        self._limit = limit
        self._window = round(window * 1000)

    async def reserve(self, source: str, attempt_id: str, now: float) -> int:
        """0 when the try may go on, else the whole seconds to wait for the next one; a refused try is not counted."""
        arguments: list[Argument] = [int(now * 1000), self._limit, self._window, attempt_id]
        wait = await self._ephemeral.call(SCRIPT, [self._key(source)], arguments)
        if not isinstance(wait, int):
            raise EphemeralUnavailable("the ephemeral store gave an answer of another shape")
        return -(-wait // 1000)

    async def right(self, source: str, attempt_id: str) -> None:
        """The try was right: it no longer counts."""
        await self._ephemeral.command("ZREM", self._key(source), attempt_id)

    def _key(self, source: str) -> str:
        return f"quota:{self._name}:{{{source}}}"
