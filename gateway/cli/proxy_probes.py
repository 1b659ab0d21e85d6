"""The probes of `doctor proxy`: how one is sent, and how its answer is known for the gateway's own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from pydantic import ValidationError

from gateway.cli.proxy_advice import advice
from gateway.proxy_probe.models import Seen
from gateway.proxy_probe.tokens import ASK, PROBE

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.deployment import Deployment, Fields, Reply
    from gateway.proxy_probe.tokens import ProbeTokens

BASE: Final = "/.well-known/stampgate-probe"
"""Under this path there is nothing: probes are known by their token."""

PROBES_AT_ONCE: Final = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was tried. A note is worth reading, a fault must be mended; `change` says how."""

    level: Literal["ok", "note", "fault"]
    about: str
    sent: str
    seen: str
    change: str = ""


class NotOurAnswer(Exception):
    """What came back was not written by this gateway."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} from elsewhere")
        self.reply = reply


class Probes:
    """Sends probes through one deployment. `clock` must be right: tokens are good for three minutes."""

    def __init__(self, deployment: Deployment, tokens: ProbeTokens, clock: Callable[[], float] = time.time) -> None:
        self._deployment = deployment
        self._tokens = tokens
        self._clock = clock
        self._server = ""
        self._at_once = asyncio.Semaphore(PROBES_AT_ONCE)

    async def _probe(
        self, method: str, target: str, fields: Fields = (), body: bytes = b"", *, ask: str = ""
    ) -> tuple[Reply, Seen]:
        """Send one probe. Raises `NoAnswer`, and `NotOurAnswer` when somebody else answered."""
        reply, token = await self._send(method, target, fields, body, ask=ask)
        try:
            seen = Seen.model_validate_json(reply.body)
        except ValidationError:
            raise NotOurAnswer(reply) from None
        if seen.probe != self._tokens.fingerprint(token):
            raise NotOurAnswer(reply)
        return reply, seen

    async def _send(
        self, method: str, target: str, fields: Fields = (), body: bytes = b"", *, ask: str = ""
    ) -> tuple[Reply, str]:
        token = self._tokens.mint(self._clock())
        asked = [(str(ASK), ask)] if ask else []
        length = [("Content-Length", str(len(body)))] if body else []
        head = [(str(PROBE), token), *asked, *fields, *length]
        async with self._at_once:
            return await self._deployment.send(method, target, head, body), token

    def _judge(self, good: bool, about: str, sent: str, seen: str, topic: str) -> Row:
        return Row("ok", about, sent, seen) if good else Row("fault", about, sent, seen, advice(topic, self._server))


def values(seen: Seen, name: str) -> list[str]:
    """Return the values of a field, one for each line that arrived."""
    return [held.value for held in seen.fields if held.name == name.lower()]


def value(seen: Seen, name: str) -> str:
    """Return the values of a field as one, empty when none arrived."""
    return ", ".join(values(seen, name))
