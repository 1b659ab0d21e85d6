"""The route by which a terminal changes its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.http.bodies import parse
from gateway.http.models import Answer, Body, Rfc3339
from gateway.http.plain import json_answer
from gateway.http.problems import Problem
from gateway.http.routes import Route
from gateway.kiosk.enrolment_body import Jwk

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.http.plain import PlainAnswer, PlainRequest
    from gateway.trust_feed.device_registry import KnownDevice

CHANGES_PER_HOUR: Final = 10
"""Key changes of one terminal: a key is kept for ever, so a terminal gone wrong must not make them by the thousand."""


@dataclass(frozen=True, slots=True)
class KeyChangeRequest:
    """A request that both keys have signed: the device's own, and the new `public_key` that is inside it."""

    device: KnownDevice
    public_key: bytes
    body: bytes
    now: float


class KeyChangeBody(Body):
    """`PUT /api/time/kiosk/device/key`."""

    jwk: Jwk


class KeyChangeAnswer(Answer):
    """The key that is in force from its first use on, if that comes within ten minutes."""

    keyid: str
    key_expires_at: Rfc3339


class KeyChangeRoute:
    """The one handler."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Return the route."""
        return [
            Route(
                method="PUT",
                path="/api/time/kiosk/device/key",
                handler=self._gateway.gate.changing_key(self.change),
                summary="Change this terminal's key, signed by the old one and by the new one",
                tag="kiosk",
                access="signed",
                body=KeyChangeBody,
                answers={200: KeyChangeAnswer},
                problems=("weak-key", "key-reused", "too-many-requests"),
            )
        ]

    async def change(self, request: PlainRequest, signed: KeyChangeRequest) -> PlainAnswer:
        """Take the terminal's next key."""
        gateway, source = self._gateway, signed.device.device_id
        retry_after = await gateway.key_change_quota.reserve(source, request.id, signed.now)
        if retry_after:
            raise Problem(
                "too-many-requests",
                "This terminal has changed its key too often.",
                retry_after=retry_after,
                cause="key changes",
            )
        parse(KeyChangeBody, signed.body)  # the gate has read the key alone
        offered = await gateway.key_changes.offer(signed.device, signed.public_key)
        return json_answer(KeyChangeAnswer(keyid=offered.keyid, key_expires_at=offered.key_expires_at))
