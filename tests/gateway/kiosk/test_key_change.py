"""A terminal changes its key: offered under two signatures, in force from its first use on, and found out if copied."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from crypto import device_keys
from crypto.device_keys import DeviceKey
from crypto.message_signatures import KIOSK_TAG, REKEY_TAG, OutgoingRequest, combine, sign
from gateway.kiosk.key_change import CHANGES_PER_HOUR
from storage import audit, devices, known_keys
from tests.gateway.house import House, open_house, serving
from tests.gateway.terminal import KIOSK, Reply, Terminal
from tests.servers.databases import fresh_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.servers.redis import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = 86_400


@pytest.fixture
def house(shared_house: House) -> House:
    return shared_house


def new_key() -> DeviceKey:
    return DeviceKey.generate(os.urandom)


def with_key(terminal: Terminal, key: DeviceKey, url: str | None = None) -> Terminal:
    """The same terminal with another of its keys, or at another gateway."""
    other = Terminal(terminal.http, url or terminal.url, terminal.clock)
    other.key, other.device_id = key, terminal.device_id
    return other


async def events(house: House, terminal: Terminal) -> list[str]:
    """The names of the audit events of a terminal."""
    async with house.gateway.administration.database.read() as connection:
        subject = f"device:{terminal.device_id}"
        return [event.name for event in await audit.list_(connection, house.company_id, subject=subject)]


async def key_states(house: House, terminal: Terminal) -> dict[str, str]:
    async with house.gateway.administration.database.read() as connection:
        return {key.keyid: key.key_state for key in await known_keys.of_device(connection, terminal.device_id)}


async def stored(house: House, terminal: Terminal) -> devices.Device:
    return await house.gateway.administration.devices.get(terminal.device_id)


@pytest.mark.asyncio(loop_scope="function")
async def test_the_new_key_is_in_force_from_its_first_use_and_the_old_one_until_then(any_house: House) -> None:
    house, person = any_house, await any_house.person("0101")
    terminal = await house.terminal()
    new = new_key()
    house.clock.move(30 * DAY)
    offered = await terminal.offer_key(new)
    assert (offered.status, offered.body["keyid"]) == (200, new.keyid)
    assert (await terminal.device()).status == 200
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    assert "device.key_changed" not in await events(house, terminal)

    renewed = with_key(terminal, new)
    answer = await renewed.device()
    assert (answer.status, answer.body["device_id"]) == (200, terminal.device_id)
    assert answer.body["key_expires_at"] == offered.body["key_expires_at"]
    assert (await terminal.device()).problem == "device-unknown"
    assert (await stored(house, terminal)).keyid == new.keyid
    assert (await renewed.sign_in("0101", person.pin)).status == 200
    assert (await renewed.act("clock_in")).status == 201
    async with house.gateway.administration.database.read() as connection:
        event = (await audit.list_(connection, house.company_id, name="device.key_changed"))[0]
    assert (event.actor, event.detail["keyid"]) == (f"device:{terminal.device_id}", new.keyid)
    assert event.detail["superseded_keyid"] == terminal.key.keyid


async def test_a_new_key_is_good_for_ninety_days(house: House) -> None:
    terminal = await house.terminal()
    house.clock.move(80 * DAY)
    await terminal.change_key()
    house.clock.move(89 * DAY)
    assert (await terminal.device()).status == 200
    house.clock.move(2 * DAY)
    assert (await terminal.device()).problem == "key-expired"


async def test_a_lost_answer_is_repeated_and_another_key_takes_the_place_of_one_that_waits(house: House) -> None:
    terminal, first, second = await house.terminal(), new_key(), new_key()
    answer = await terminal.offer_key(first)
    house.clock.move(60)
    assert (await terminal.offer_key(first)).body == answer.body
    assert (await terminal.offer_key(second)).status == 200
    assert (await with_key(terminal, first).device()).problem == "device-unknown"
    assert (await terminal.offer_key(first)).problem == "key-reused"
    assert (await with_key(terminal, second).device()).status == 200


async def test_without_a_use_within_ten_minutes_the_change_is_void_and_another_one_possible(house: House) -> None:
    terminal, late = await house.terminal(), new_key()
    await terminal.offer_key(late)
    for seconds in (601, 120):
        house.clock.move(seconds)
        assert (await with_key(terminal, late).device()).problem == "device-unknown"
        assert (await terminal.device()).status == 200
    assert (await terminal.offer_key(late)).problem == "key-reused"
    await terminal.change_key()
    assert (await with_key(terminal, late).device()).problem == "device-unknown"


async def test_a_key_used_in_the_last_second_counts(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    await terminal.offer_key(new)
    house.clock.move(598)
    assert (await with_key(terminal, new).device()).status == 200
    house.clock.move(DAY)
    assert (await with_key(terminal, new).device()).status == 200


async def test_requests_in_flight_at_the_change_get_a_plain_401(house: House) -> None:
    terminal = await house.terminal()
    nonces = [await terminal.nonce() for _ in range(2)]
    old = with_key(terminal, await terminal.change_key())
    reply = await old.signed("GET", f"{KIOSK}/device", nonce=nonces[0])
    assert (reply.status, reply.problem) == (401, "device-unknown")
    house.clock.move(9)
    assert (await old.device()).problem == "device-unknown"
    house.clock.move(100)
    assert (await old.signed("GET", f"{KIOSK}/device", nonce=nonces[1])).problem == "device-unknown"
    assert (await stored(house, terminal)).state == "active"
    assert "device.key_reused" not in await events(house, terminal)


async def test_a_superseded_key_used_later_suspends_the_terminal_and_says_so_once(house: House) -> None:
    terminal = await house.terminal()
    copied = with_key(terminal, await terminal.change_key())
    house.clock.move(12)
    reply = await copied.device()
    assert (reply.status, reply.problem) == (403, "device-suspended")
    await house.told()
    assert (await terminal.device()).problem == "device-suspended"
    assert (await copied.device()).problem == "device-suspended"
    names = await events(house, terminal)
    assert names.count("device.key_reused") == 1
    seen = await stored(house, terminal)
    assert (seen.state, seen.reason) == ("suspended", "an old key was used after the key change")

    await house.gateway.administration.devices.resume(terminal.device_id, actor="cli")
    await house.told()
    assert (await terminal.device()).status == 200
    assert (await copied.heartbeat()).problem == "device-suspended"
    assert (await events(house, terminal)).count("device.key_reused") == 2


async def test_many_late_uses_at_once_suspend_once(house: House) -> None:
    terminal = await house.terminal()
    copied = with_key(terminal, await terminal.change_key())
    house.clock.move(12)
    replies = await asyncio.gather(*(copied.device() for _ in range(8)))
    assert {reply.problem for reply in replies} <= {"device-suspended", "device-unknown"}
    assert (await events(house, terminal)).count("device.key_reused") == 1


async def test_a_copy_that_changes_the_key_first_is_found_by_the_genuine_terminals_next_request(house: House) -> None:
    terminal = await house.terminal()
    copy = with_key(terminal, terminal.key)
    await copy.change_key()
    house.clock.move(12)
    assert (await terminal.device()).problem == "device-suspended"
    assert (await copy.device()).problem == "device-suspended"


async def test_a_superseded_key_that_is_out_of_date_gives_a_copy_away_all_the_same(house: House) -> None:
    terminal = await house.terminal()
    house.clock.move(80 * DAY)
    copied = with_key(terminal, await terminal.change_key())
    house.clock.move(20 * DAY)
    assert (await copied.device()).problem == "device-suspended"


async def test_somebody_elses_request_under_a_superseded_key_suspends_nothing(house: House) -> None:
    terminal = await house.terminal()
    old = await terminal.change_key()
    house.clock.move(12)
    forged = with_key(terminal, new_key())
    forged.key.keyid = old.keyid
    assert (await forged.device()).problem == "signature-invalid"
    assert (await stored(house, terminal)).state == "active"


async def test_revoking_covers_both_keys_of_a_change_under_way(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    await terminal.offer_key(new)
    await house.gateway.administration.devices.revoke(terminal.device_id, actor="cli")
    await house.told()
    for key in (terminal.key, new):
        assert (await with_key(terminal, key).device()).problem == "device-revoked"
    assert set((await key_states(house, terminal)).values()) == {"blocked"}


async def test_revoking_ends_superseded_keys_too(house: House) -> None:
    terminal = await house.terminal()
    old = await terminal.change_key()
    await house.gateway.administration.devices.revoke(terminal.device_id, actor="cli")
    await house.told()
    house.clock.move(60)
    assert (await with_key(terminal, old).device()).problem == "device-revoked"
    assert "device.key_reused" not in await events(house, terminal)


async def test_replacing_blocks_both_keys_of_a_change_under_way(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    await terminal.offer_key(new)
    await house.gateway.administration.devices.replace(terminal.device_id, actor="cli")
    await house.told()
    for key in (terminal.key, new):
        assert (await with_key(terminal, key).device()).problem == "device-unknown"


async def test_suspending_voids_a_change_under_way(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    await terminal.offer_key(new)
    administration = house.gateway.administration.devices
    await administration.suspend(terminal.device_id, actor="cli")
    await house.told()
    assert (await terminal.offer_key(new_key())).problem == "device-suspended"
    await administration.resume(terminal.device_id, actor="cli")
    await house.told()
    assert (await with_key(terminal, new).device()).problem == "device-unknown"
    assert (await terminal.device()).status == 200
    await terminal.change_key()


async def test_an_offered_key_does_not_outlive_the_key_that_offered_it(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    house.clock.move(90 * DAY - 120)
    assert (await terminal.offer_key(new)).status == 200
    house.clock.move(180)
    assert (await with_key(terminal, new).device()).problem == "key-expired"
    assert (await stored(house, terminal)).state == "expired"


async def test_an_open_session_ends_with_the_change(house: House) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    await terminal.sign_in("0101", person.pin)
    await terminal.offer_key(new_key())
    await house.told()
    assert (await terminal.status()).problem == "session-expired"

    await terminal.sign_in("0101", person.pin)
    await terminal.change_key()
    assert (await terminal.act("clock_in")).problem == "session-expired"
    assert (await terminal.sign_in("0101", person.pin)).status == 200


async def test_only_a_terminal_that_may_act_changes_its_key(house: House) -> None:
    pending = await house.pending_terminal()
    assert (await pending.offer_key(new_key())).problem == "device-pending"
    elsewhere = await house.terminal(allowed_networks=["10.0.0.0/8"])
    assert (await elsewhere.offer_key(new_key())).problem == "network-not-allowed"
    stranger = Terminal(house.http, house.url, house.clock)
    assert (await stranger.offer_key(new_key())).problem == "device-unknown"


async def test_a_key_is_taken_only_if_it_was_never_seen(house: House) -> None:
    terminal, other = await house.terminal(), await house.terminal()
    revoked = await house.terminal()
    await house.gateway.administration.devices.revoke(revoked.device_id, actor="cli")
    for key in (terminal.key, other.key, revoked.key):
        assert (await terminal.offer_key(key)).problem == "key-reused"
    offered = new_key()
    await other.offer_key(offered)
    assert (await terminal.offer_key(offered)).problem == "key-reused"
    mine = new_key()
    await terminal.offer_key(mine)
    assert (await terminal.offer_key(other.key)).problem == "key-reused"
    assert (await with_key(terminal, mine).device()).status == 200


async def test_weak_points_are_refused(house: House) -> None:
    terminal = await house.terminal()
    for x in ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "A" * 43):
        reply = await terminal.offer_key(new_key(), {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}})
        assert (reply.status, reply.problem) == (400, "weak-key"), x


async def test_the_new_key_must_sign_itself_in(house: House) -> None:
    terminal, new, other = await house.terminal(), new_key(), new_key()
    reply = await terminal.offer_key(new, {"jwk": device_keys.to_jwk(other.public_key)})
    assert (reply.status, reply.problem) == (401, "signature-invalid")

    async def sent(*signatures: tuple[DeviceKey, str]) -> Reply:
        raw = json.dumps({"jwk": device_keys.to_jwk(new.public_key)}).encode()
        request = OutgoingRequest("PUT", terminal.authority, f"{KIOSK}/device/key", raw)
        created = int(house.clock())
        made = [
            sign(request, key, created=created, nonce=await terminal.nonce(key), tag=tag, label=f"s{at}")
            for at, (key, tag) in enumerate(signatures)
        ]
        return await terminal.send("PUT", request.target, raw, combine(*made) if len(made) == 2 else made[0])

    assert (await sent((terminal.key, KIOSK_TAG))).problem == "signature-missing"
    assert (await sent((new, REKEY_TAG))).problem == "signature-missing"
    assert (await sent((new, KIOSK_TAG), (terminal.key, REKEY_TAG))).problem == "device-unknown"
    forged = new_key()
    forged.keyid = new.keyid
    assert (await sent((terminal.key, KIOSK_TAG), (forged, REKEY_TAG))).problem == "signature-invalid"
    assert set((await key_states(house, terminal)).values()) == {"current"}


async def test_each_of_the_two_nonces_is_good_once(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    old, fresh = await terminal.nonce(), await terminal.nonce(new)
    assert (await terminal.offer_key(new, old=old, next_=fresh)).status == 200
    assert (await terminal.offer_key(new, old=old)).problem == "nonce-replayed"
    reply = await terminal.offer_key(new, next_=fresh)
    assert reply.problem == "nonce-replayed"
    assert (await terminal.offer_key(new, next_=await terminal.nonce())).problem == "bad-nonce"
    assert (await terminal.signed("GET", f"{KIOSK}/device", nonce=reply.headers["Replay-Nonce"])).status == 200


async def test_a_faulty_body_is_told_in_full_and_changes_nothing(house: House) -> None:
    terminal, new = await house.terminal(), new_key()
    bodies: tuple[dict[str, Any], ...] = ({"more": 1}, {"jwk": 5}, {"jwk": {"kty": "OKP"}})
    for body in bodies:
        reply = await terminal.offer_key(new, {"jwk": device_keys.to_jwk(new.public_key), **body})
        assert (reply.status, reply.problem) == (400, "bad-request"), body
        assert list(await key_states(house, terminal)) == [terminal.key.keyid], body


async def test_a_terminal_gone_wrong_cannot_fill_the_database_with_keys(house: House) -> None:
    terminal = await house.terminal()
    replies = [await terminal.offer_key(new_key()) for _ in range(CHANGES_PER_HOUR + 1)]
    assert [reply.status for reply in replies] == [200] * CHANGES_PER_HOUR + [429]
    assert "Retry-After" in replies[-1].headers
    house.clock.move(3601)
    assert (await terminal.offer_key(new_key())).status == 200


@pytest_asyncio.fixture(params=["sqlite", "postgresql"], loop_scope="module")
async def two_gateways(
    request: pytest.FixtureRequest, tmp_path: Path, redis_server: RedisServer
) -> AsyncIterator[tuple[House, str]]:
    """A house on either database and a second gateway beside it."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh_url(request.param, tmp_path))
        shared = {"database_url": url, "redis_url": redis_server.url}
        house = await stack.enter_async_context(open_house(tmp_path / "data", **shared))
        options: dict[str, Any] = {"clock": house.clock, **shared}
        gateway, other = await stack.enter_async_context(serving(tmp_path / "data", **options))
        house.others.append(gateway)
        yield house, other


async def test_two_gateways_are_of_one_mind_about_a_change(two_gateways: tuple[House, str]) -> None:
    house, other = two_gateways
    terminal, new = await house.terminal(), new_key()
    assert (await terminal.offer_key(new)).status == 200
    # The other gateway may not have heard of the key yet; it asks before it says so.
    uses = [with_key(terminal, new, url).device() for url in (other, house.url) * 4]
    assert {reply.status for reply in await asyncio.gather(*uses)} == {200}
    assert (await events(house, terminal)).count("device.key_changed") == 1
    await house.told()
    house.clock.move(12)
    late = [with_key(terminal, terminal.key, url).device() for url in (other, house.url) * 4]
    assert {reply.problem for reply in await asyncio.gather(*late)} <= {"device-suspended", "device-unknown"}
    assert (await events(house, terminal)).count("device.key_reused") == 1
    await house.told()
    for url in (house.url, other):
        assert (await with_key(terminal, new, url).device()).problem == "device-suspended"


async def test_of_two_changes_at_once_one_key_is_left(two_gateways: tuple[House, str]) -> None:
    house, other = two_gateways
    terminal, keys = await house.terminal(), [new_key() for _ in range(4)]
    places = zip((other, house.url) * 2, keys, strict=True)
    offers = [with_key(terminal, terminal.key, url).offer_key(key) for url, key in places]
    assert {reply.status for reply in await asyncio.gather(*offers)} == {200}
    await house.told()
    states = await key_states(house, terminal)
    assert sorted(states.values()) == ["blocked", "blocked", "blocked", "current", "offered"]
    assert [(await with_key(terminal, key).device()).status for key in keys].count(200) == 1
    assert sorted((await key_states(house, terminal)).values()) == ["blocked"] * 3 + ["current", "superseded"]
