"""Requests whose bodies need not be JSON."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

from tests.gateway.terminal import Reply

if TYPE_CHECKING:
    from tests.gateway.house import House


async def send(
    house: House,
    method: str,
    path: str,
    body: object = None,
    *,
    token: str | None = None,
    content_type: str = "application/json",
) -> Reply:
    """Send a body, JSON unless it is bytes; an answer that is no JSON comes back as text."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    if data is not None:
        headers["Content-Type"] = content_type
    file = None if data is None else io.BytesIO(data)
    async with house.http.request(
        method, house.url + path, data=file, headers=headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        raw = await answer.read()
        is_json = answer.content_type.endswith("json")
        text = raw.decode() if not is_json else ""
        return Reply(answer.status, dict(answer.headers), json.loads(raw) if is_json else text)


def filled(path: str, *ids: str) -> str:
    """The path of a route with `ids` in its places, the last one in all that are left."""
    left = list(ids)
    return re.sub(r"\{[a-z_]+\}", lambda _: left.pop(0) if len(left) > 1 else left[0], path)
