from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from kiosk_client.errors import (
    ActionNotValid,
    DeviceRefused,
    GatewayBusy,
    GatewayChanged,
    GatewayRefused,
    GatewayUnreachable,
    KioskError,
    LoginFailed,
    LoginThrottled,
    SessionEnded,
    StampUncertain,
    UnexpectedAnswer,
)
from kiosk_client.nonce_pool import POOL_SIZE, USABLE_SECONDS, NoncePool
from kiosk_client.server_clock import MOST_OFFSET_MS, ServerClock
from tests.kiosk_client.fake_gateway import FakeGateway, Refused

if TYPE_CHECKING:
    from kiosk_client import KioskClient, StoredKey
    from tests.kiosk_client.conftest import MovedClock

NUMBER, PIN = "0042", "271828"


async def test_a_person_signs_in_stamps_and_signs_out(gateway: FakeGateway, client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    assert session.employee.display_name == "Ada Example"
    assert session.status.actions == ("clock_in",)
    stamped = await client.stamp(session, "clock_in")
    assert (stamped.stamp.action, stamped.status.state, stamped.repeated) == ("clock_in", "in", False)
    assert (await client.status(session)).state == "in"
    await client.logout(session)
    assert gateway.sessions == {}
    with pytest.raises(SessionEnded):
        await client.status(session)


async def test_only_the_first_request_asks_for_a_nonce(gateway: FakeGateway, client: KioskClient) -> None:
    for _ in range(5):
        await client.device()
    assert gateway.seen("/nonce") == 1
    assert len(gateway.consumed) == 5


async def test_no_content_type_is_sent_without_a_body_and_no_cookie_ever(
    gateway: FakeGateway, client: KioskClient
) -> None:
    await client.device()
    await client.heartbeat()
    get, post = gateway.headers[-2:]
    assert "Content-Type" not in get
    assert post["Content-Type"] == "application/json"
    assert all("Cookie" not in headers for headers in gateway.headers)


async def test_a_token_is_never_shown(client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    assert session.session_token not in repr(session)


async def test_bad_nonce_is_signed_again_once_and_empties_the_pool(gateway: FakeGateway, client: KioskClient) -> None:
    await asyncio.gather(client.device(), client.device(), client.device())
    gateway.forget_nonces()
    before = gateway.seen("/device")
    await client.device()
    assert gateway.seen("/device") == before + 2  # not once for each old nonce
    await client.device()
    assert gateway.seen("/device") == before + 3


@pytest.mark.parametrize("fault", ["bad_nonce", "clock_skew"])
async def test_nothing_is_signed_again_twice(gateway: FakeGateway, client: KioskClient, fault: str) -> None:
    setattr(gateway.faults, fault, 2)
    with pytest.raises(GatewayRefused) as caught:
        await client.device()
    assert caught.value.problem == fault.replace("_", "-")
    assert gateway.seen("/device") == 2


async def test_both_refusals_together_are_not_signed_again_twice(gateway: FakeGateway, client: KioskClient) -> None:
    gateway.faults.bad_nonce = gateway.faults.clock_skew = 1
    with pytest.raises(GatewayRefused):
        await client.device()
    assert gateway.seen("/device") == 2


@pytest.mark.parametrize("ahead", [86_400.0, -86_400.0, 3_600_000.0])
async def test_a_terminal_without_the_right_time_learns_it_before_its_first_signature(
    gateway: FakeGateway, client: KioskClient, ahead: float
) -> None:
    gateway.clock_ahead = ahead
    await client.device()
    assert gateway.seen("/device") == 1
    assert client.server_clock.offset == pytest.approx(ahead, abs=1.0)
    await client.heartbeat()
    assert gateway.heartbeats[-1]["clock_offset_ms"] == pytest.approx(ahead * 1000, abs=1000)


async def test_a_clock_that_jumps_while_running_costs_one_more_signature(
    gateway: FakeGateway, client: KioskClient, clock: MovedClock
) -> None:
    await client.device()
    clock.behind = 100.0
    await client.device()
    assert gateway.seen("/device") in (2, 3)
    assert client.server_clock.offset == pytest.approx(100.0, abs=1.0)


async def test_nonces_that_grew_old_are_not_used(gateway: FakeGateway, client: KioskClient, clock: MovedClock) -> None:
    await client.device()
    clock.behind = -(USABLE_SECONDS + 1)
    await client.device()
    assert gateway.seen("/nonce") == 2


async def test_a_stamp_whose_answer_was_lost_is_sent_again_and_counts_once(
    gateway: FakeGateway, client: KioskClient, clock: MovedClock
) -> None:
    session = await client.login(NUMBER, PIN)
    gateway.faults.drop_after["/action"] = 2
    stamped = await client.stamp(session, "clock_in")
    assert stamped.repeated
    assert len(gateway.people[NUMBER].stamps) == 1
    assert gateway.seen("/action") == 3
    assert len(clock.slept) == 2


async def test_a_stamp_that_cannot_be_made_sure_of_says_so_and_can_be_finished_later(
    gateway: FakeGateway, client: KioskClient
) -> None:
    session = await client.login(NUMBER, PIN)
    gateway.faults.drop_after["/action"] = 3
    with pytest.raises(StampUncertain) as caught:
        await client.stamp(session, "clock_in")
    assert (await client.stamp(session, "clock_in", caught.value.stamp_id)).repeated
    assert len(gateway.people[NUMBER].stamps) == 1


async def test_a_lost_stamp_answered_by_a_refusal_is_uncertain(gateway: FakeGateway, client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    gateway.faults.drop_before["/action"] = 1
    gateway.faults.refuse["/action"] = Refused("session-expired", 401)
    with pytest.raises(StampUncertain):
        await client.stamp(session, "clock_in")


@pytest.mark.parametrize(
    "answer",
    [web.Response(status=201, text="{}"), web.Response(status=201, body=b"x" * 300_000)],
    ids=["other", "long"],
)
async def test_a_stamp_answered_with_nonsense_is_uncertain(
    gateway: FakeGateway, client: KioskClient, answer: web.Response
) -> None:
    session = await client.login(NUMBER, PIN)
    gateway.faults.answer["/action"] = answer
    with pytest.raises(StampUncertain):
        await client.stamp(session, "clock_in")


async def test_a_pin_is_never_sent_twice_when_its_answer_is_lost(gateway: FakeGateway, client: KioskClient) -> None:
    gateway.faults.drop_after["/auth"] = 1
    with pytest.raises(GatewayUnreachable) as caught:
        await client.login(NUMBER, PIN)
    assert caught.value.maybe_processed
    assert gateway.seen("/auth") == 1


async def test_the_http_library_does_not_send_again_behind_our_back(gateway: FakeGateway, client: KioskClient) -> None:
    await client.device()
    gateway.faults.drop_before["/device"] = 1
    with pytest.raises(GatewayUnreachable):
        await client.device(attempts=1)
    assert gateway.seen("/device") == 2


async def test_busy_is_waited_for_a_bounded_number_of_times(
    gateway: FakeGateway, client: KioskClient, clock: MovedClock
) -> None:
    await client.device()
    gateway.faults.busy, gateway.faults.busy_retry_after = 2, "1"
    await client.login(NUMBER, PIN)
    assert clock.slept == [1.0, 1.0]
    gateway.faults.busy = 3
    with pytest.raises(GatewayBusy):
        await client.login(NUMBER, PIN)


async def test_a_long_retry_after_is_told_instead_of_waited_for(
    gateway: FakeGateway, client: KioskClient, clock: MovedClock
) -> None:
    await client.device()
    gateway.faults.busy, gateway.faults.busy_retry_after = 1, "30"
    with pytest.raises(GatewayBusy) as caught:
        await client.device()
    assert caught.value.retry_after == 30
    assert clock.slept == []


async def test_busy_without_retry_after_is_waited_for_briefly(
    gateway: FakeGateway, client: KioskClient, clock: MovedClock
) -> None:
    gateway.faults.no_nonce = True
    gateway.faults.busy, gateway.faults.busy_retry_after = 3, None
    with pytest.raises(GatewayBusy):
        await client.device()
    gateway.faults.no_nonce = False
    clock.slept.clear()
    gateway.faults.busy = 1
    await client.device()
    assert clock.slept == []  # even a busy answer brings a nonce
    gateway.faults.busy = 1
    await client.device()
    assert len(clock.slept) == 1


async def test_a_gateway_that_is_away_is_told_and_found_again(gateway: FakeGateway, client: KioskClient) -> None:
    await client.device()
    await gateway.stop()
    with pytest.raises(GatewayUnreachable) as caught:
        await client.device()
    assert "cannot be reached" in caught.value.message
    await gateway.start()
    assert (await client.device()).state == "active"


async def test_a_proxy_whose_gateway_is_away_counts_as_unreachable(gateway: FakeGateway, client: KioskClient) -> None:
    await client.device()
    gateway.faults.answer["/device"] = web.Response(status=502, text="<h1>Bad gateway</h1>", content_type="text/html")
    with pytest.raises(GatewayUnreachable):
        await client.device(attempts=1)


async def test_a_redirect_is_not_followed(gateway: FakeGateway, client: KioskClient) -> None:
    gateway.faults.answer["/device"] = web.Response(status=302, headers={"Location": "https://elsewhere.example/"})
    with pytest.raises(UnexpectedAnswer) as caught:
        await client.device()
    assert "elsewhere.example" in caught.value.message
    assert gateway.seen("/device") == 1


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=200, text="hello"),
        web.Response(status=404, text="nothing here"),
        web.Response(status=400, text="nonsense", content_type="application/problem+json"),
    ],
    ids=["text", "404", "broken problem"],
)
async def test_what_is_not_the_gateway_is_named(
    gateway: FakeGateway, client: KioskClient, answer: web.Response
) -> None:
    gateway.faults.answer["/device"] = answer
    with pytest.raises(UnexpectedAnswer):
        await client.device()


async def test_no_nonce_at_all_is_named(gateway: FakeGateway, client: KioskClient) -> None:
    gateway.faults.no_nonce = True
    with pytest.raises(UnexpectedAnswer):
        await client.device()


async def test_something_that_speaks_no_http_is_named(gateway: FakeGateway, client: KioskClient) -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    await gateway.stop()
    server = await asyncio.start_server(mumble, "127.0.0.1", gateway.port)
    async with server:
        with pytest.raises(UnexpectedAnswer):
            await client.device()


async def test_a_gateway_that_never_answers_is_given_up(
    enrolled: StoredKey, gateway: FakeGateway, client: KioskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk_client.signed_http.REPEATABLE_SECONDS", 0.05)
    await gateway.stop()
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", gateway.port))
        silent.listen()
        with pytest.raises(GatewayUnreachable):
            await client.device()


async def test_another_gateway_key_than_the_pinned_one_is_refused(gateway: FakeGateway, client: KioskClient) -> None:
    gateway.other_keyid = "x" * 43
    with pytest.raises(GatewayChanged):
        await client.device()


@pytest.mark.parametrize(
    ("state", "problem"),
    [("suspended", "device-suspended"), ("revoked", "device-revoked"), ("expired", "key-expired")],
)
async def test_a_device_that_may_not_act_is_told_why(
    gateway: FakeGateway, client: KioskClient, state: str, problem: str
) -> None:
    gateway.only_device().state = state
    with pytest.raises(DeviceRefused) as caught:
        await client.device()
    assert caught.value.problem == problem


async def test_wrong_pins_and_locks_are_told_apart(gateway: FakeGateway, client: KioskClient) -> None:
    with pytest.raises(LoginFailed):
        await client.login(NUMBER, "000000")
    gateway.faults.refuse["/auth"] = Refused("login-throttled", 429, headers={"Retry-After": "300"})
    with pytest.raises(LoginThrottled) as caught:
        await client.login(NUMBER, PIN)
    assert caught.value.retry_at is not None
    assert caught.value.retry_at.timestamp() == pytest.approx(gateway.now() + 300, abs=3)
    assert "Try again at" in str(caught.value)


@pytest.mark.parametrize("hidden", [True, False])
async def test_an_action_that_does_not_fit_brings_the_present_state(
    gateway: FakeGateway, client: KioskClient, hidden: bool
) -> None:
    gateway.faults.hide_status = hidden
    session = await client.login(NUMBER, PIN)
    with pytest.raises(ActionNotValid) as caught:
        await client.stamp(session, "clock_out")
    assert (caught.value.current is None) == hidden
    assert hidden or caught.value.current is not None
    if caught.value.current is not None:
        assert caught.value.current.actions == ("clock_in",)


async def test_a_person_changes_the_pin(gateway: FakeGateway, client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    await client.change_pin(session, PIN, "314159")
    assert gateway.people[NUMBER].pin == "314159"


async def test_field_faults_are_told(gateway: FakeGateway, client: KioskClient) -> None:
    with pytest.raises(KioskError, match="pin: must be 6 to 12 digits"):
        await client.login(NUMBER, "1")


async def test_a_token_that_cannot_be_signed_is_refused_here(gateway: FakeGateway, client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    object.__setattr__(session, "session_token", "a\r\nb")
    with pytest.raises(UnexpectedAnswer):
        await client.status(session)


async def test_signing_out_never_fails(gateway: FakeGateway, client: KioskClient) -> None:
    session = await client.login(NUMBER, PIN)
    await gateway.stop()
    await client.logout(session)


def test_the_pool_keeps_few_nonces_and_gives_the_newest_first() -> None:
    pool = NoncePool()
    for number in range(POOL_SIZE + 5):
        pool.put(f"nonce-number-{number:04d}", 100.0)
    pool.put("not a nonce\n", 100.0)
    pool.put(None, 100.0)
    assert len(pool) == POOL_SIZE
    assert pool.take(100.0) == f"nonce-number-{POOL_SIZE + 4:04d}"


def test_the_reported_offset_is_bounded() -> None:
    clock = ServerClock(lambda: 0.0)
    clock.learn_exact(1.7e9, 0.0, 0.0)
    assert clock.offset_ms == MOST_OFFSET_MS
    assert clock.now() == 1.7e9
