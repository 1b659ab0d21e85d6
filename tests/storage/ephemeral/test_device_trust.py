"""Admission: each nonce once, whatever happens to the store, and the terminal's session beside it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.commands import Command, pack
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable
from storage.ephemeral.device_trust import BUCKETS, Admission, DeviceTrust, KioskSession, bucket_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.redis import RedisServer

FLUSHALL = Command(pack("FLUSHALL"), "")
NOW = 1_700_000_000.25
KEYID = "poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U"
TOKEN, OTHER_TOKEN = b"\x01" * 32, b"\x02" * 32
SESSION = KioskSession("019a0000-0000-7000-8000-000000000001", "019a0000-0000-7000-8000-000000000002", 17, NOW)
ADMITTED = Admission("admitted")
SIGNED_IN = Admission("admitted", SESSION)


class Terminal:
    """An honest terminal: every request with a nonce of its own, minted as a gateway would."""

    def __init__(self, trust: DeviceTrust, keyid: str = KEYID) -> None:
        self.trust = trust
        self.keyid = keyid
        self.numbers: Iterator[int] = itertools.count()

    def nonce(self, now: float) -> tuple[str, int]:
        return f"{self.keyid}-{next(self.numbers):06d}", max(int(now), self.trust.nonce_floor)

    async def request(self, now: float, token: bytes | None = None, *, stamping: bool = False) -> Admission:
        return await self.trust.admit(self.keyid, *self.nonce(now), now, token, stamping)


@pytest.fixture
async def trust(ephemeral: Ephemeral) -> DeviceTrust:
    trust = DeviceTrust(ephemeral)
    await trust.announce(NOW - 100)
    return trust


@pytest.fixture
def terminal(trust: DeviceTrust) -> Terminal:
    return Terminal(trust)


async def test_of_five_hundred_uses_of_one_nonce_at_once_exactly_one_is_admitted(trust: DeviceTrust) -> None:
    uses = await asyncio.gather(*(trust.admit(KEYID, "one", int(NOW), NOW) for _ in range(500)))
    assert sorted(use.outcome for use in uses) == ["admitted", *["replayed"] * 499]


async def test_two_gateways_share_what_is_consumed(url: str, ephemeral: Ephemeral, trust: DeviceTrust) -> None:
    if ephemeral.is_memory:
        second = DeviceTrust(ephemeral)
        uses = await asyncio.gather(*(each.admit(KEYID, "one", int(NOW), NOW) for each in [trust, second] * 50))
    else:
        other = Ephemeral.open(url)
        second = DeviceTrust(other)
        uses = await asyncio.gather(*(each.admit(KEYID, "one", int(NOW), NOW) for each in [trust, second] * 50))
        await other.close()
    assert sorted(use.outcome for use in uses) == ["admitted", *["replayed"] * 99]


async def test_many_terminals_of_one_moment_share_a_round_trip(ephemeral: Ephemeral) -> None:
    sizes: list[int] = []
    trust = DeviceTrust(ephemeral, observe=sizes.append)
    await trust.announce(NOW - 100)
    before = ephemeral.round_trips
    keyids = [f"{number:043d}" for number in range(64)]
    answers = await asyncio.gather(*(trust.admit(keyid, f"n{keyid}", int(NOW), NOW) for keyid in keyids))
    assert answers == [ADMITTED] * 64
    assert sizes == [64]
    assert ephemeral.round_trips - before <= (3 if ephemeral.is_cluster else 1)


async def test_each_of_a_batch_has_its_own_outcome(trust: DeviceTrust) -> None:
    await trust.admit(KEYID, "used", int(NOW), NOW)
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    born = int(NOW) - 98
    answers = await asyncio.gather(
        trust.admit(KEYID, "used", int(NOW), NOW, TOKEN),
        trust.admit(KEYID, "new", int(NOW), NOW, TOKEN),
        trust.admit("another" + KEYID[7:], "new", int(NOW), NOW, TOKEN),
        trust.admit(KEYID, "early", born - 1, NOW),
        trust.admit(KEYID, "first", born, NOW),
    )
    assert [answer.outcome for answer in answers] == ["replayed", "admitted", "admitted", "unborn", "admitted"]
    assert [answer.session for answer in answers] == [None, SESSION, None, None, None]


async def flush(ephemeral: Ephemeral) -> None:
    for outcome in await ephemeral._server.every_node(FLUSHALL):
        assert not isinstance(outcome, Exception)


async def test_after_a_flush_nothing_captured_is_admitted_and_an_honest_terminal_signs_once_more(
    ephemeral: Ephemeral, trust: DeviceTrust, terminal: Terminal
) -> None:
    now = NOW
    for _ in range(3):
        captured = [terminal.nonce(now) for _ in range(6)]
        for nonce in captured:
            assert (await trust.admit(KEYID, *nonce, now)).outcome == "admitted"
        unused = terminal.nonce(now)
        await flush(ephemeral)
        # Also those minted in this very second.
        assert {(await trust.admit(KEYID, *nonce, now)).outcome for nonce in captured} == {"unborn"}
        assert (await trust.admit(KEYID, *unused, now)).outcome == "unborn"
        fresh = terminal.nonce(now)
        assert fresh[1] - now <= 5 or now > NOW  # a nonce is accepted up to 5 s from the future
        assert await trust.admit(KEYID, *fresh, now) == ADMITTED
        assert (await trust.admit(KEYID, *fresh, now)).outcome == "replayed"
        assert {(await trust.admit(KEYID, *nonce, now + 170)).outcome for nonce in captured} == {"unborn"}
        now += 1


async def test_another_gateway_that_knows_no_floor_admits_nothing_captured_either(
    ephemeral: Ephemeral, trust: DeviceTrust, terminal: Terminal
) -> None:
    captured = [terminal.nonce(NOW) for _ in range(5)]
    for nonce in captured:
        await trust.admit(KEYID, *nonce, NOW)
    await flush(ephemeral)
    other = DeviceTrust(ephemeral)
    behind = NOW - 0.9  # its clock
    assert {(await other.admit(KEYID, *nonce, behind)).outcome for nonce in captured} == {"unborn"}
    assert await Terminal(other).request(behind) == ADMITTED


async def test_nonces_minted_ahead_by_another_clock_do_not_survive_a_flush(
    ephemeral: Ephemeral, trust: DeviceTrust
) -> None:
    captured = [("first", int(NOW)), ("ahead", int(NOW) + 5)]
    for nonce in captured:
        assert await trust.admit(KEYID, *nonce, NOW) == ADMITTED
    await flush(ephemeral)
    replays = await asyncio.gather(*(trust.admit(KEYID, *nonce, NOW) for nonce in captured))
    assert [replay.outcome for replay in replays] == ["unborn", "unborn"]


async def test_a_restarted_redis_admits_nothing_captured(own_redis_server: RedisServer) -> None:
    store = Ephemeral.open(own_redis_server.url)
    trust = DeviceTrust(store)
    await trust.announce(NOW - 100)
    terminal = Terminal(trust)
    captured = terminal.nonce(NOW)
    assert await trust.admit(KEYID, *captured, NOW) == ADMITTED
    own_redis_server.stop()
    with pytest.raises(EphemeralUnavailable):
        await trust.admit(KEYID, *captured, NOW)
    own_redis_server.start()
    assert (await trust.admit(KEYID, *captured, NOW)).outcome == "unborn"
    assert await terminal.request(NOW) == ADMITTED
    await store.close()


async def test_a_nonce_minted_before_the_first_gateway_started_is_unborn(ephemeral: Ephemeral) -> None:
    trust = DeviceTrust(ephemeral)
    await trust.announce(NOW)
    for keyid in (f"{number:043d}" for number in range(20)):
        assert (await trust.admit(keyid, f"n{keyid}", int(NOW), NOW)).outcome == "unborn"
        assert await Terminal(trust, keyid).request(NOW) == ADMITTED


async def test_announcing_never_moves_a_birth(trust: DeviceTrust, terminal: Terminal) -> None:
    floor = trust.nonce_floor
    await trust.announce(NOW + 1000, floor=int(NOW) + 2000)
    assert trust.nonce_floor == floor
    assert await terminal.request(NOW) == ADMITTED


async def test_a_session_is_read_by_its_token_on_its_terminal_only(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    assert await terminal.request(NOW, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW, OTHER_TOKEN) == ADMITTED
    assert await terminal.request(NOW) == ADMITTED
    assert await Terminal(trust, "elsewhere" + KEYID[9:]).request(NOW, TOKEN) == ADMITTED
    assert await terminal.request(NOW, TOKEN) == SIGNED_IN


async def test_a_session_ends_after_a_minute_without_a_request(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    assert await terminal.request(NOW + 59.999, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW + 119.998, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW + 179.999, TOKEN) == ADMITTED
    assert await terminal.request(NOW + 180, TOKEN) == ADMITTED


async def test_another_token_or_a_replay_does_not_keep_a_session_alive(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    await trust.admit(KEYID, "one", int(NOW), NOW, TOKEN)
    await trust.admit(KEYID, "one", int(NOW), NOW + 30, TOKEN)
    await terminal.request(NOW + 30, OTHER_TOKEN)
    assert await terminal.request(NOW + 60, TOKEN) == ADMITTED


async def test_a_session_ends_after_fifteen_minutes_whatever_happens(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    for second in range(55, 900, 55):
        assert await terminal.request(NOW + second, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW + 899.999, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW + 900, TOKEN) == ADMITTED


async def test_a_stamp_ends_the_session_ten_seconds_later(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    assert await terminal.request(NOW + 1, TOKEN, stamping=True) == SIGNED_IN
    assert await terminal.request(NOW + 8, TOKEN, stamping=True) == SIGNED_IN  # no later end by a second stamp
    assert await terminal.request(NOW + 10.999, TOKEN) == SIGNED_IN
    assert await terminal.request(NOW + 11, TOKEN) == ADMITTED


async def test_a_stamp_near_the_end_never_moves_it(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    for second in range(50, 900, 50):
        await terminal.request(NOW + second, TOKEN)
    assert await terminal.request(NOW + 895, TOKEN, stamping=True) == SIGNED_IN
    assert await terminal.request(NOW + 900, TOKEN) == ADMITTED


async def test_a_new_sign_in_ends_the_session_before(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    await trust.open_session(KEYID, OTHER_TOKEN, SESSION, NOW + 1)
    assert await terminal.request(NOW + 2, TOKEN) == ADMITTED
    assert await terminal.request(NOW + 2, OTHER_TOKEN) == SIGNED_IN


async def test_signing_out_ends_ones_own_session_only(trust: DeviceTrust, terminal: Terminal) -> None:
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    await trust.end_session(KEYID, OTHER_TOKEN)
    assert await terminal.request(NOW, TOKEN) == SIGNED_IN
    await trust.end_session(KEYID, TOKEN)
    assert await terminal.request(NOW, TOKEN) == ADMITTED
    await trust.open_session(KEYID, TOKEN, SESSION, NOW)
    await trust.end_session(KEYID)
    assert await terminal.request(NOW, TOKEN) == ADMITTED
    await trust.end_session(KEYID, TOKEN)


async def test_arguments_of_other_alphabets_fail_their_own_request_alone(trust: DeviceTrust) -> None:
    answers = await asyncio.gather(
        trust.admit("käyid", "one", int(NOW), NOW),
        trust.admit(KEYID, "two", int(NOW), NOW),
        return_exceptions=True,
    )
    assert isinstance(answers[0], ValueError)
    assert answers[1] == ADMITTED


def test_buckets_are_stable_and_all_used() -> None:
    assert bucket_of(KEYID) == "{b3e}"
    assert {bucket_of(f"{number:043d}") for number in range(2000)} == set(BUCKETS)


async def test_a_redis_that_comes_back_from_an_old_snapshot_admits_nothing_captured(
    own_redis_server: RedisServer,
) -> None:
    store = Ephemeral.open(own_redis_server.url)
    trust = DeviceTrust(store)
    await trust.announce(NOW - 100)
    terminal = Terminal(trust)
    assert await terminal.request(NOW) == ADMITTED
    own_redis_server.command("SAVE")  # births are in the snapshot, what is consumed from here on is not
    captured = terminal.nonce(NOW)
    assert await trust.admit(KEYID, *captured, NOW) == ADMITTED
    own_redis_server.kill()
    own_redis_server.start()
    assert own_redis_server.command("KEYS", "*:born")
    with contextlib.suppress(EphemeralUnavailable):  # the broken connection
        await trust.admit(KEYID, *terminal.nonce(NOW), NOW)
    assert (await trust.admit(KEYID, *captured, NOW)).outcome == "unborn"
    assert await terminal.request(NOW) == ADMITTED
    await store.close()
