"""A complete terminal for the gateway's tests: makes a key, enrols, signs, and can do each of it wrongly."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crypto import device_keys
from crypto.device_keys import DeviceKey
from crypto.message_signatures import ENROL_TAG, KIOSK_TAG, REKEY_TAG, OutgoingRequest, combine, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    import aiohttp

CLIENT = {"name": "test terminal", "version": "1.0", "platform": "pytest"}
KIOSK = "/api/time/kiosk"


@dataclass(frozen=True)
class Reply:
    """An answer of the gateway; `body` is the parsed JSON, `None` when there is none."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def problem(self) -> str:
        return str(self.body["type"]).rpartition("/")[2] if isinstance(self.body, dict) and "type" in self.body else ""


class Terminal:
    """One terminal. `clock` is the one the gateway under test lives by."""

    def __init__(self, http: aiohttp.ClientSession, url: str, clock: Callable[[], float]) -> None:
        self.http = http
        self.url = url
        self.authority = urlsplit(url).netloc
        self.clock = clock
        self.key = DeviceKey.generate(os.urandom)
        self.device_id = ""
        self.token: str | None = None

    async def nonce(self, key: DeviceKey | None = None) -> str:
        """A fresh nonce for its own key, or for the one it wants next."""
        async with self.http.head(f"{self.url}{KIOSK}/nonce?keyid={(key or self.key).keyid}") as answer:
            return answer.headers["Replay-Nonce"]

    def headers(
        self, method: str, target: str, body: bytes = b"", *, nonce: str, tag: str = KIOSK_TAG, token: str | None = None
    ) -> dict[str, str]:
        """The fields of a signed request."""
        authorization = None if token is None else f"Bearer {token}"
        request = OutgoingRequest(method, self.authority, target, body, authorization)
        fields = sign(request, self.key, created=int(self.clock()), nonce=nonce, tag=tag)
        return fields if authorization is None else {**fields, "Authorization": authorization}

    async def signed(
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        token: str | None = None,
        tag: str = KIOSK_TAG,
        nonce: str | None = None,
    ) -> Reply:
        """Sign and send one request; `body` is JSON-encoded unless it is bytes."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        fields = self.headers(method, target, raw, nonce=nonce or await self.nonce(), tag=tag, token=token)
        return await self.send(method, target, raw, fields)

    async def send(self, method: str, target: str, raw: bytes, fields: dict[str, str]) -> Reply:
        """Send exactly these fields."""
        async with self.http.request(
            method, f"{self.url}{target}", data=raw or None, headers=fields, skip_auto_headers=["Content-Type"]
        ) as answer:
            text = await answer.text()
            return Reply(answer.status, dict(answer.headers), json.loads(text) if text else None)

    async def enrol(self, code: str, **changes: object) -> Reply:
        body = {"code": code, "jwk": device_keys.to_jwk(self.key.public_key), "client": CLIENT, **changes}
        reply = await self.signed("POST", f"{KIOSK}/enrolments", body, tag=ENROL_TAG)
        if reply.status == 201:
            self.device_id = reply.body["device_id"]
        return reply

    async def device(self) -> Reply:
        return await self.signed("GET", f"{KIOSK}/device")

    async def device_again(self, last: Reply) -> Reply:
        """The same with the nonce of the last answer, as clients do."""
        return await self.signed("GET", f"{KIOSK}/device", nonce=last.headers.get("Replay-Nonce"))

    async def offer_key(self, new: DeviceKey, body: object = None, *, old: str = "", next_: str = "") -> Reply:
        """Ask for `new` to be the next key; it is used from the moment on that somebody sets `self.key`.

        `old` and `next_`: the nonces of the two signatures, instead of fresh ones.
        """
        raw = json.dumps(body or {"jwk": device_keys.to_jwk(new.public_key)}).encode()
        request = OutgoingRequest("PUT", self.authority, f"{KIOSK}/device/key", raw)
        created = int(self.clock())
        fields = combine(
            sign(request, self.key, created=created, nonce=old or await self.nonce()),
            sign(request, new, created=created, nonce=next_ or await self.nonce(new), tag=REKEY_TAG, label="new"),
        )
        return await self.send("PUT", request.target, raw, fields)

    async def change_key(self) -> DeviceKey:
        """Change the key as a client does, and return the old one."""
        old, new = self.key, DeviceKey.generate(os.urandom)
        assert (await self.offer_key(new)).status == 200
        self.key = new
        assert (await self.device()).status == 200
        return old

    async def sign_in(self, number: str, pin: str) -> Reply:
        """Sign somebody in; the session is used by what follows."""
        reply = await self.signed("POST", f"{KIOSK}/auth", {"personnel_number": number, "pin": pin})
        if reply.status == 200:
            self.token = reply.body["session_token"]
        return reply

    async def status(self) -> Reply:
        return await self.signed("GET", f"{KIOSK}/status", token=self.token)

    async def days(self) -> Reply:
        return await self.signed("GET", f"{KIOSK}/days", token=self.token)

    async def act(self, action: str, stamp_id: str | None = None) -> Reply:
        body = {"stamp_id": stamp_id or str(uuid.uuid4()), "action": action}
        return await self.signed("POST", f"{KIOSK}/action", body, token=self.token)

    async def change_pin(self, current: str, new: str) -> Reply:
        body = {"current_pin": current, "new_pin": new}
        return await self.signed("POST", f"{KIOSK}/pin", body, token=self.token)

    async def heartbeat(self, offset_ms: int = 0) -> Reply:
        return await self.signed("POST", f"{KIOSK}/heartbeat", {"client": CLIENT, "clock_offset_ms": offset_ms})

    async def sign_out(self) -> Reply:
        return await self.signed("POST", f"{KIOSK}/logout", token=self.token)
