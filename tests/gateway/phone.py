"""A complete phone for the gateway's tests: a poster's token and what the page does with it."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from tests.gateway.terminal import Reply

if TYPE_CHECKING:
    import aiohttp

PUBLIC = "/api/time/public"


class Phone:
    """One phone that scanned a poster."""

    def __init__(self, http: aiohttp.ClientSession, url: str, link: str, address: str | None = None) -> None:
        self.http = http
        self.url = url
        self.link = link
        self.address = address
        self.token: str | None = None

    async def call(self, method: str, path: str, body: object = None, *, with_token: bool = True) -> Reply:
        fields: dict[str, str] = {}
        if with_token and self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        if self.address is not None:
            fields["X-Forwarded-For"] = self.address
        arguments: dict[str, Any] = {} if body is None else {"json": body}
        async with self.http.request(method, f"{self.url}{PUBLIC}{path}", headers=fields, **arguments) as answer:
            text = await answer.text()
            return Reply(answer.status, dict(answer.headers), json.loads(text) if text else None)

    async def company(self) -> Reply:
        return await self.call("POST", "/company", {"token": self.link})

    async def sign_in(self, number: str, pin: str) -> Reply:
        reply = await self.call("POST", "/auth", {"token": self.link, "personnel_number": number, "pin": pin})
        if reply.status == 200:
            self.token = reply.body["session_token"]
        return reply

    async def status(self) -> Reply:
        return await self.call("GET", "/status")

    async def days(self) -> Reply:
        return await self.call("GET", "/days")

    async def act(self, action: str, stamp_id: str | None = None) -> Reply:
        return await self.call("POST", "/action", {"stamp_id": stamp_id or str(uuid.uuid4()), "action": action})

    async def sign_out(self) -> Reply:
        return await self.call("POST", "/logout")
