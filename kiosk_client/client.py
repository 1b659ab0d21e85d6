"""The kiosk tier's calls, one method each, with typed answers and one family of errors."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING, Self

from crypto.device_keys import DeviceKey, to_jwk
from crypto.message_signatures import ENROL_TAG
from kiosk_client.answers import (
    DeviceAnswer,
    Enrolled,
    KeyOffered,
    SignIn,
    StampAnswer,
    Stamped,
    Status,
    read_answer,
    read_status,
    status_in,
)
from kiosk_client.errors import (
    ActionNotValid,
    GatewayChanged,
    GatewayRefused,
    KioskError,
    NotApproved,
    NotEnrolled,
    StampUncertain,
    UnexpectedAnswer,
)
from kiosk_client.gateway_address import GatewayAddress, read_address
from kiosk_client.gateway_connection import GatewayConnection, client_version
from kiosk_client.server_clock import Clock, ServerClock
from kiosk_client.signed_http import SignedHttp, Sleep

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from kiosk_client.key_store import StoredKey

CLIENT_NAME = "stampgate-kiosk"
_BASE = "/api/time/kiosk"


def new_stamp_id() -> str:
    """A stamp's identity: any UUID will do, unique per person."""
    return str(uuid.uuid4())


class KioskClient:
    """One terminal's conversation with its gateway.

    Use it as an async context manager. ``gateway_keyid`` pins the gateway's key: an answer that names another one is
    refused with ``GatewayChanged``. Clock and sleep are passed in, so that time can be moved in tests.
    """

    def __init__(
        self,
        address: GatewayAddress,
        key: DeviceKey,
        *,
        gateway_keyid: str | None = None,
        ca_file: str | None = None,
        platform: str = "unknown",
        clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
        new_id: Callable[[], str] = new_stamp_id,
    ) -> None:
        self.address = address
        self.key = key
        self.gateway_keyid = gateway_keyid
        self.server_clock = ServerClock(clock)
        self.new_id = new_id
        self._platform = platform[:64]
        self._connection = GatewayConnection(address, ca_file=ca_file)
        self._http = SignedHttp(self._connection, key, self.server_clock, sleep)

    @classmethod
    def of(
        cls,
        stored: StoredKey,
        *,
        ca_file: str | None = None,
        platform: str = "unknown",
        clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> KioskClient:
        """The client of a stored key, pinned to the gateway it was enrolled at."""
        address, _ = read_address(stored.url, insecure_http=stored.insecure_http)
        return cls(
            address,
            stored.key,
            gateway_keyid=stored.gateway_keyid,
            ca_file=ca_file or stored.ca_file,
            platform=platform,
            clock=clock,
            sleep=sleep,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def enrol(self, code: str) -> Enrolled:
        """Ask to be enrolled with a one-time code (``WDJB-MJHT``); the signature proves possession of the key.

        Repeatable: the gateway answers the same code with the same key alike while the enrolment is pending.
        """
        body = {"code": code, "jwk": to_jwk(self.key.public_key), "client": self._client()}
        reply = await self._http.send("POST", f"{_BASE}/enrolments", body=body, tag=ENROL_TAG, repeatable=True)
        enrolled = read_answer(Enrolled, reply.body)
        self._pin(enrolled.gateway_keyid)
        return enrolled

    async def device(self, *, attempts: int = 3) -> DeviceAnswer:
        """What the gateway says about this terminal; its exact time sets the clock."""
        sent = self.server_clock.local()
        reply = await self._http.send("GET", f"{_BASE}/device", repeatable=True, attempts=attempts)
        device = read_answer(DeviceAnswer, reply.body)
        self._pin(device.gateway_keyid)
        self.server_clock.learn_exact(device.server_time.timestamp(), sent, self.server_clock.local())
        return device

    async def offer_key(self, key: DeviceKey) -> KeyOffered:
        """Ask for ``key`` to follow the present one; it does from its first use on. Both sign.

        Repeatable: the gateway answers the same key alike while it waits for that use. The steps around this call are
        in ``key_change``.
        """
        body = {"jwk": to_jwk(key.public_key)}
        reply = await self._http.send("PUT", f"{_BASE}/device/key", body=body, next_key=key, repeatable=True)
        return read_answer(KeyOffered, reply.body)

    def use_key(self, key: DeviceKey) -> None:
        """Be the terminal by this key from now on."""
        self.key = key
        self._http.use_key(key)

    async def heartbeat(self) -> None:
        """Tell the gateway that this terminal is alive, what it runs, and what its clock lacks."""
        body = {"client": self._client(), "clock_offset_ms": self.server_clock.offset_ms}
        await self._http.send("POST", f"{_BASE}/heartbeat", body=body, repeatable=True)

    async def login(self, personnel_number: str, pin: str) -> SignIn:
        """Open an employee's session. Never sent again after a lost answer: a wrong PIN would count twice."""
        body = {"personnel_number": personnel_number, "pin": pin}
        reply = await self._http.send("POST", f"{_BASE}/auth", body=body)
        return read_answer(SignIn, reply.body)

    async def status(self, session: SignIn) -> Status:
        """What is true of the person now."""
        reply = await self._http.send("GET", f"{_BASE}/status", token=session.session_token, repeatable=True)
        return read_status(reply.body)

    async def stamp(self, session: SignIn, action: str, stamp_id: str | None = None) -> Stamped:
        """Record one action; after a lost answer the same ``stamp_id`` is sent again, so it counts once.

        Raises ``ActionNotValid`` with the present status, and ``StampUncertain`` when an answer was lost and could not
        be had again.
        """
        stamp_id = stamp_id or self.new_id()
        body = {"stamp_id": stamp_id, "action": action}
        try:
            reply = await self._http.send(
                "POST", f"{_BASE}/action", body=body, token=session.session_token, repeatable=True
            )
        except KioskError as fault:
            if fault.maybe_processed:
                raise StampUncertain(stamp_id, fault.problem) from fault
            if isinstance(fault, GatewayRefused) and fault.problem == "action-not-valid":
                raise ActionNotValid(fault, status_in(fault.members)) from fault
            raise
        try:
            answer = read_answer(StampAnswer, reply.body)
        except UnexpectedAnswer as fault:
            raise StampUncertain(stamp_id, fault.problem) from fault
        return Stamped(answer.stamp, answer.status, repeated=reply.status == 200)

    async def change_pin(self, session: SignIn, current_pin: str, new_pin: str) -> None:
        """Change the person's own PIN; never sent again, like a login."""
        body = {"current_pin": current_pin, "new_pin": new_pin}
        await self._http.send("POST", f"{_BASE}/pin", body=body, token=session.session_token)

    async def logout(self, session: SignIn) -> None:
        """End the session. Raises nothing: a session that cannot be ended now ends by itself within a minute."""
        try:
            await self._http.send("POST", f"{_BASE}/logout", token=session.session_token, repeatable=True, attempts=1)
        except KioskError:
            return

    def _client(self) -> dict[str, str]:
        return {"name": CLIENT_NAME, "version": client_version(), "platform": self._platform}

    def _pin(self, gateway_keyid: str) -> None:
        if self.gateway_keyid is None:
            self.gateway_keyid = gateway_keyid
        elif gateway_keyid != self.gateway_keyid:
            raise GatewayChanged(gateway_keyid)


def require_active(stored: StoredKey | None) -> StoredKey:
    """``stored`` if its enrolment is finished; raises ``NotEnrolled`` or ``NotApproved``."""
    if stored is None:
        raise NotEnrolled
    if stored.state != "active":
        raise NotApproved
    return stored
