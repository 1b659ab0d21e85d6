"""A process that does not know what is true about trust now lets nobody in."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

from gateway.trust_feed.feed import STALE_AFTER_SECONDS
from storage.database import Database, StorageUnavailable
from tests.faults.site import open_site
from tests.gateway.raw_http import on_the_wire, read_reply
from tests.gateway.waiting import until
from tests.protocol.signed_requests import COMPONENTS, Forge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from tests.gateway.house import House


async def test_a_process_that_was_paused_does_not_let_in_what_was_revoked_meanwhile(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data") as site:
        terminal = await site.terminal()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.process.port)
        nonce = await terminal.nonce()
        site.process.signal(signal.SIGSTOP)
        paused = time.monotonic()
        await site.administration.devices.revoke(terminal.device_id, actor="cli")
        forge = Forge(
            key=terminal.key,
            method="GET",
            host=terminal.authority,
            target="/api/time/kiosk/device",
            body=b"",
            content_type=None,
            authorization=None,
            components=COMPONENTS[:5],
            created=int(time.time()),
            nonce=nonce,
        )
        # The request is there when the process wakes: it is looked at before any time has passed for it.
        writer.write(on_the_wire(forge.request()))
        await writer.drain()
        await asyncio.sleep(max(0.0, paused + STALE_AFTER_SECONDS + 0.1 - time.monotonic()))
        site.process.signal(signal.SIGCONT)
        async with asyncio.timeout(10):
            reply = await read_reply(reader)
        writer.close()
        assert (reply.status, reply.problem) in ((503, "state-unavailable"), (403, "device-revoked"))
        await site.seen(terminal, "device-revoked")


async def test_kiosks_and_phones_are_refused_while_the_feed_cannot_be_read_and_let_in_again_afterwards(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, terminal, phone = await house.person("0101"), await house.terminal(), house.phone()
    await terminal.sign_in("0101", person.pin)
    await phone.sign_in("0101", person.pin)
    with monkeypatch.context() as patched:
        patched.setattr(Database, "read", _away)
        monotonic = house.gateway.feed._monotonic
        patched.setattr(house.gateway.feed, "_monotonic", lambda: monotonic() + STALE_AFTER_SECONDS)
        await until(lambda: not house.gateway.feed.is_fresh)
        for reply in (
            await terminal.device(),
            await terminal.act("clock_in"),
            await terminal.sign_in("0101", person.pin),
            await phone.company(),
            await phone.sign_in("0101", person.pin),
            await phone.status(),
            await phone.act("clock_in"),
        ):
            assert (reply.status, reply.problem) == (503, "state-unavailable")
            assert "Retry-After" in reply.headers
        async with house.http.get(f"{house.url}/health/ready") as answer:
            assert "trust-feed" in (await answer.json(content_type=None))["down"]
    await until(lambda: house.gateway.feed.is_fresh)
    assert (await terminal.act("clock_in")).status == 201
    assert (await phone.act("clock_out")).status == 201


def _away(self: Database) -> AsyncIterator[None]:
    raise StorageUnavailable("away")
