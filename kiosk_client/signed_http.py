"""Signed requests and their answers: RFC 9421 signatures, nonces, the clock, and what may be sent again.

1. Every request is signed anew; a nonce is used once, whatever becomes of the request.
2. ``bad-nonce`` and ``clock-skew`` are signed again once, never twice.
3. After a lost answer only what is *repeatable* (reads, a stamp with its ``stamp_id``) is sent again, a bounded number
   of times; never a PIN, which might be counted twice.
4. 503 means that nothing was done: anything may be sent again after ``Retry-After``, a bounded number of times.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crypto.errors import CryptoError
from crypto.message_signatures import KIOSK_TAG, REKEY_TAG, OutgoingRequest, combine, sign
from kiosk_client.errors import GatewayRefused, GatewayUnreachable, KioskError, UnexpectedAnswer, refusal
from kiosk_client.nonce_pool import NoncePool
from kiosk_client.wording import moment

if TYPE_CHECKING:
    from crypto.device_keys import DeviceKey
    from kiosk_client.gateway_connection import GatewayConnection, Reply
    from kiosk_client.server_clock import ServerClock

Sleep = Callable[[float], Awaitable[None]]

ATTEMPTS = 3
"""With the pauses below a stamp is given up after some 10 s: longer nobody waits at a door, and a session lasts no
longer after a stamp."""

PAUSES = (0.3, 1.0)
"""Seconds before the second and third attempt after a lost answer."""

LONGEST_WAIT = 3.0
"""A longer ``Retry-After`` is told to the person instead of waited for."""

REPEATABLE_SECONDS = 3.0
ONCE_SECONDS = 10.0
"""What cannot be sent again gets more patience: a PIN may wait for its turn to be hashed."""

RESIGNED = frozenset({"bad-nonce", "clock-skew"})


class _FieldFault(BaseModel):
    model_config = ConfigDict(extra="ignore")

    field: str = ""
    message: str = ""


class _ProblemDocument(BaseModel):
    """RFC 9457, as far as a client needs it."""

    model_config = ConfigDict(extra="allow")

    type: str
    detail: str | None = None
    title: str | None = None
    errors: list[_FieldFault] = Field(default_factory=list)
    server_time: datetime | None = None

    @property
    def name(self) -> str:
        return self.type.rstrip("/").rsplit("/", 1)[-1]

    @property
    def cause(self) -> str:
        faults = "; ".join(f"{fault.field}: {fault.message}" for fault in self.errors)
        return faults or self.detail or self.title or ""


def problem_of(reply: Reply) -> _ProblemDocument | None:
    """The problem document in ``reply``, or None when it carries none."""
    if reply.content_type != "application/problem+json":
        return None
    try:
        return _ProblemDocument.model_validate_json(reply.body)
    except ValidationError:
        return None


def _pause_before_repeating(fault: KioskError, attempt: int, *, repeatable: bool) -> float | None:
    """Seconds to wait before the next attempt, or None when there must be none."""
    if isinstance(fault, GatewayUnreachable):
        may_repeat = repeatable or not fault.maybe_processed
        return PAUSES[min(attempt, len(PAUSES)) - 1] if may_repeat else None
    # `busy` says that nothing was done. `state-unavailable` may have come after a PIN was checked and counted.
    if isinstance(fault, GatewayRefused) and fault.status == 503 and (repeatable or fault.problem == "busy"):
        pause = PAUSES[0] if fault.retry_after is None else fault.retry_after
        return pause if pause <= LONGEST_WAIT else None
    return None


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    body: bytes
    authorization: str | None
    tag: str
    next_key: DeviceKey | None


class SignedHttp:
    """Signs with one device key and talks to one gateway."""

    def __init__(self, connection: GatewayConnection, key: DeviceKey, server_clock: ServerClock, sleep: Sleep) -> None:
        self.nonces = NoncePool()
        self.server_clock = server_clock
        self._connection = connection
        self._key = key
        self._sleep = sleep

    def use_key(self, key: DeviceKey) -> None:
        """Sign with another key from now on."""
        self._key = key
        self.nonces.clear()

    async def send(
        self,
        method: str,
        target: str,
        *,
        body: Mapping[str, object] | None = None,
        token: str | None = None,
        tag: str = KIOSK_TAG,
        next_key: DeviceKey | None = None,
        repeatable: bool = False,
        attempts: int = ATTEMPTS,
    ) -> Reply:
        """The gateway's answer of the 2xx kind.

        ``token`` is an employee's session token; ``next_key`` signs too, at a key change. Raises ``GatewayRefused``
        (or its kind) for a problem document, ``GatewayUnreachable`` when no answer came, ``UnexpectedAnswer`` when
        something else answered.
        """
        request = _Request(
            method,
            target,
            b"" if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode(),
            None if token is None else f"Bearer {token}",
            tag,
            next_key,
        )
        resigned = maybe_processed = False
        attempt = 1
        while True:
            try:
                return self._accepted(await self._exchange(request, repeatable=repeatable))
            except KioskError as fault:
                if fault.problem in RESIGNED and not resigned:
                    resigned = True
                    continue
                pause = _pause_before_repeating(fault, attempt, repeatable=repeatable)
                fault.maybe_processed = maybe_processed = maybe_processed or fault.maybe_processed
                if pause is None or attempt >= attempts:
                    raise
            attempt += 1
            await self._sleep(pause)

    async def fetch_nonce(self) -> str:
        """A fresh nonce by ``HEAD``, unsigned; the clock is learnt on the way."""
        target = f"/api/time/kiosk/nonce?keyid={self._key.keyid}"
        reply = await self._timed("HEAD", target, {}, b"", timeout=REPEATABLE_SECONDS)
        nonce = self.nonces.take(self.server_clock.local())
        if nonce is not None:
            return nonce
        if reply.status == 503:
            raise refusal("state-unavailable", status=503, retry_after=reply.retry_after)
        raise UnexpectedAnswer(f"status {reply.status} without a nonce")

    async def _next_nonce(self, key: DeviceKey) -> str:
        """A nonce for the next key; it has no pool, for it signs beside another one once."""
        target = f"/api/time/kiosk/nonce?keyid={key.keyid}"
        reply = await self._connection.exchange("HEAD", target, {}, b"", timeout=REPEATABLE_SECONDS)
        if reply.replay_nonce is None:
            raise UnexpectedAnswer(f"status {reply.status} without a nonce")
        return reply.replay_nonce

    async def _exchange(self, request: _Request, *, repeatable: bool) -> Reply:
        try:
            next_nonce = None if request.next_key is None else await self._next_nonce(request.next_key)
            nonce = self.nonces.take(self.server_clock.local()) or await self.fetch_nonce()
        except GatewayUnreachable as lost:
            lost.maybe_processed = False  # only a question for a nonce was lost
            raise
        outgoing = OutgoingRequest(
            method=request.method,
            authority=self._connection.address.authority,
            target=request.target,
            body=request.body,
            authorization=request.authorization,
        )
        created = max(1, int(self.server_clock.now()))  # a clock before 1970 is answered as any other skew
        try:
            headers = sign(outgoing, self._key, created=created, nonce=nonce, tag=request.tag)
            if request.next_key is not None and next_nonce is not None:
                second = sign(
                    outgoing, request.next_key, created=created, nonce=next_nonce, tag=REKEY_TAG, label="next"
                )
                headers = combine(headers, second)
        except CryptoError as fault:  # only what the gateway gave can be unfit: its nonce or its session token
            raise UnexpectedAnswer(str(fault)) from None
        if request.authorization is not None:
            headers = {**headers, "Authorization": request.authorization}
        timeout = REPEATABLE_SECONDS if repeatable else ONCE_SECONDS
        return await self._timed(request.method, request.target, headers, request.body, timeout=timeout)

    async def _timed(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> Reply:
        """One exchange; the nonce and the time in the answer are kept."""
        sent = self.server_clock.local()
        reply = await self._connection.exchange(method, target, headers, body, timeout=timeout)
        received = self.server_clock.local()
        problem = problem_of(reply)
        if problem is not None and problem.name == "bad-nonce":
            self.nonces.clear()
        if reply.replay_nonce is not None:  # only the gateway's own answers carry one, a proxy's do not
            self.nonces.put(reply.replay_nonce, received)
            if reply.date is not None:
                self.server_clock.learn_date(reply.date, sent, received)
            if problem is not None and problem.server_time is not None:
                self.server_clock.learn_exact(problem.server_time.timestamp(), sent, received)
        return reply

    def _accepted(self, reply: Reply) -> Reply:
        """``reply`` itself when it is of the 2xx kind, else the error that it means."""
        if 200 <= reply.status < 300:
            return reply
        if 300 <= reply.status < 400:
            raise UnexpectedAnswer(f"a redirect to {reply.location}; use that address if it is the gateway's")
        problem = problem_of(reply)
        if problem is None:
            if reply.status in (502, 503, 504):  # a proxy whose gateway is away; it may have passed the request on
                raise GatewayUnreachable(f"proxy: {reply.status}", maybe_processed=reply.status != 503)
            raise UnexpectedAnswer(f"status {reply.status}", maybe_processed=reply.status >= 500)
        retry_at = None
        if reply.status == 429 and reply.retry_after is not None:
            retry_at = moment(self.server_clock.now() + reply.retry_after)
        raise refusal(
            problem.name,
            status=reply.status,
            cause=problem.cause,
            retry_after=reply.retry_after,
            retry_at=retry_at,
            members=problem.model_extra,
        )
