"""The mailer: mail goes out after the answer, in the background, so that a slow mail server slows nobody.

Each letter has a task that tries until the server takes it or the last pause is over. What is outstanding is bounded:
more is refused at once. At the end of the process every letter that waits gets one last try, briefly; what then is
still not delivered is given up and counted in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from gateway.http.problems import Problem
from gateway.mail.letters import Letter, Letters
from gateway.mail.smtp import Undeliverable, deliver
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gateway.clock import Clock
    from gateway.mail.server import SmtpServer
    from gateway.metrics import Metrics

    Compose = Callable[[], Awaitable[Letter | None]]

OUTSTANDING: Final = 200
"""Letters waiting or under way; a company's whole staff could be invited at once."""

CONNECTIONS: Final = 4
"""Deliveries at the same moment: few servers like more from one client."""

PAUSES_SECONDS: Final = (2.0, 10.0, 60.0, 300.0, 900.0)
"""Between tries. Together twenty minutes, a third of what a link to set a password is good for."""

LAST_TRY_SECONDS: Final = 5.0
"""How long letters may still take when the process ends."""

log = structlog.get_logger(__name__)


class Mailer:
    """Writes letters and delivers them. Without a `server` the link of each letter goes to the log at WARNING."""

    def __init__(
        self,
        *,
        server: SmtpServer | None,
        sender: str,
        clock: Clock,
        metrics: Metrics,
        pauses: Sequence[float] = PAUSES_SECONDS,
    ) -> None:
        self._server = server
        self._letters = Letters(sender)
        self._clock = clock
        self._metrics = metrics
        self._pauses = pauses
        self._delivering = asyncio.Semaphore(CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = asyncio.Event()

    @property
    def is_on(self) -> bool:
        """Whether there is a mail server; pages say so when there is none."""
        return self._server is not None

    @property
    def outstanding(self) -> int:
        """How many letters are waiting or under way."""
        return len(self._tasks)

    def post(self, compose: Compose) -> None:
        """Have a letter written and delivered; `compose` may find that there is none to write.

        Raises Problem `busy` when too many are outstanding, or the process is ending.
        """
        if len(self._tasks) >= OUTSTANDING or self._closing.is_set():
            raise Problem("busy", cause="too many letters are outstanding")
        task = asyncio.create_task(self._carry(compose), name="letter")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def post_letter(self, letter: Letter) -> None:
        """Have a letter delivered. Raises as `post`."""

        async def ready() -> Letter:
            return letter

        self.post(ready)

    async def close(self) -> None:
        """Give every letter one last try, then give up."""
        self._closing.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=LAST_TRY_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        if late:
            log.warning("letters were given up at the end", letters=len(late))

    async def _carry(self, compose: Compose) -> None:
        letter: Letter | None = None
        for pause in (*self._pauses, None):
            is_ending = self._closing.is_set()
            try:
                letter = letter or await compose()
                if letter is None:
                    return
                await self._deliver(letter)
            except StorageError as error:
                cause, is_final = str(error), False
            except Undeliverable as error:
                cause, is_final = str(error), error.is_final
            except Exception:
                log.exception("a letter could not be written")
                return
            else:
                self._metrics.mail(letter.kind, "delivered")
                return
            kind = "unknown" if letter is None else letter.kind
            if is_final or is_ending or pause is None:
                self._metrics.mail(kind, "given-up")
                log.error("a letter was given up", letter=kind, cause=cause)
                return
            self._metrics.mail(kind, "again")
            log.warning("a letter is tried again", letter=kind, cause=cause, in_seconds=pause)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()

    async def _deliver(self, letter: Letter) -> None:
        if self._server is None:
            log.warning("mail is off, so the link is here", letter=letter.kind, link=letter.link)
            return
        message = self._letters.write(letter, datetime.fromtimestamp(self._clock(), UTC))
        async with self._delivering:
            await deliver(self._server, message)
