from __future__ import annotations

import asyncio
import json
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crypto.enrolment_words import enrolment_words
from tests.gateway.forked import Forked
from tests.kiosk_client.conftest import CODE, Cli
from tests.kiosk_client.fake_gateway import FakeGateway, Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kiosk_client import KeyStore, StoredKey


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk_client.enrolment.POLL_SECONDS", 0.02)
    monkeypatch.setattr("kiosk_client.enrolment.LONGEST_PAUSE", 0.05)
    monkeypatch.setattr("kiosk_client.signed_http.PAUSES", (0.01, 0.02))


def the_key(store: KeyStore) -> StoredKey:
    stored = store.load()
    assert stored is not None
    return stored


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)


async def test_a_terminal_is_enrolled_and_says_what_comes_next(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    running = asyncio.create_task(cli("enrol", gateway.url, "--code", "wdjb mjht"))
    await until(lambda: gateway.seen("/device") >= 3)
    gateway.approve()
    assert await running == 0
    stored, device = the_key(store), gateway.only_device()
    out = capsys.readouterr().out
    words = enrolment_words(stored.key.keyid, gateway.key.keyid, device.enrolment_id)
    assert f"Words: {' '.join(words)}" in out
    assert stored.key.keyid in out
    assert "█" in out
    assert out.count("Waiting for approval") == 1
    assert "stampgate-kiosk clock" in out
    assert (stored.state, stored.code, stored.device_id) == ("active", None, device.device_id)
    assert stored.gateway_keyid == gateway.key.keyid


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (40, 0)])
async def test_all_that_it_is_told_is_to_be_seen_at_once_on_a_console(
    gateway: FakeGateway,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: int,
    lines: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    running = asyncio.create_task(cli("enrol", gateway.url, "--code", CODE))
    await until(lambda: gateway.seen("/device") >= 2)
    shown = capsys.readouterr().out.splitlines()
    gateway.approve()
    assert await running == 0
    assert "Waiting for approval" in shown[-1]
    if lines:
        assert len(shown) < lines  # the cursor has one too
        assert max(map(len, shown)) <= columns
    words = next(line for line in shown if line.startswith("Words: ")).split()[1:]
    places = [shown.index(line) for word in words for line in shown if line.endswith(" ".join(word.upper()))]
    assert len(places) == 5
    assert all(len(shown) - place < 24 for place in places)


async def test_json_is_one_object_per_step(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("enrol", f"{gateway.url}/kiosk#enrol={CODE}", "--no-wait", "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["state"] == "pending"
    assert len(json.loads(line)["words"]) == 5
    gateway.approve()
    assert await cli("enrol", gateway.url, "--json") == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["state"] == "active"


async def test_a_lost_answer_burns_nothing(gateway: FakeGateway, store: KeyStore, cli: Cli) -> None:
    gateway.faults.drop_after["/enrolments"] = 3
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 4
    assert the_key(store).state == "new"
    keyid = the_key(store).key.keyid
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
    assert (the_key(store).state, the_key(store).key.keyid) == ("pending", keyid)
    assert len(gateway.devices) == 1


async def test_a_request_that_never_arrived_is_sent_again_with_the_same_key_and_no_code_typed(
    gateway: FakeGateway, store: KeyStore, cli: Cli
) -> None:
    gateway.faults.drop_before["/enrolments"] = 3
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 4
    keyid = the_key(store).key.keyid
    assert await cli("enrol", gateway.url, "--no-wait") == 0
    assert the_key(store).key.keyid == keyid


async def test_waiting_goes_on_without_a_code_and_shows_the_same_words(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    await cli("enrol", gateway.url, "--code", CODE, "--no-wait")
    first = capsys.readouterr().out
    await cli("enrol", gateway.url, "--no-wait")
    assert capsys.readouterr().out == first
    assert gateway.seen("/enrolments") == 1


async def test_ctrl_c_burns_nothing(gateway: FakeGateway, store: KeyStore, cli: Cli, tmp_path: Path) -> None:
    said = tmp_path / "said"
    process = Forked(
        ("enrol", gateway.url, "--code", CODE), environment=os.environ, stdout=said, program="stampgate-kiosk"
    )
    await until(lambda: gateway.seen("/device") >= 1)
    os.kill(process.pid, signal.SIGINT)
    assert await asyncio.to_thread(process.wait, 15) == 130
    assert "Nothing is lost" in said.read_text("utf-8")
    assert "Traceback" not in said.read_text("utf-8")
    gateway.approve()
    assert await cli("enrol", gateway.url) == 0


async def test_waiting_survives_a_gateway_that_is_away_or_busy(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    running = asyncio.create_task(cli("enrol", gateway.url, "--code", CODE))
    await until(lambda: gateway.seen("/device") >= 1)
    await gateway.stop()
    await asyncio.sleep(0.3)
    gateway.faults.busy = 2
    await gateway.start()
    await until(lambda: gateway.faults.busy == 0)
    gateway.approve()
    assert await running == 0
    assert "cannot be reached" in capsys.readouterr().err


async def test_a_denied_enrolment_ends_and_a_new_code_makes_a_new_key(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    running = asyncio.create_task(cli("enrol", gateway.url, "--code", CODE))
    await until(lambda: gateway.seen("/device") >= 1)
    denied = the_key(store).key.keyid
    gateway.devices.clear()
    assert await running == 1
    assert "The enrolment has ended" in capsys.readouterr().err
    assert await cli("enrol", gateway.url) == 1
    gateway.codes["BCDF-GHJK"] = None
    assert await cli("enrol", gateway.url, "--code", "BCDF-GHJK", "--no-wait") == 0
    assert the_key(store).key.keyid != denied


async def test_a_revoked_terminal_stops_waiting(gateway: FakeGateway, store: KeyStore, cli: Cli) -> None:
    running = asyncio.create_task(cli("enrol", gateway.url, "--code", CODE))
    await until(lambda: gateway.seen("/device") >= 1)
    gateway.only_device().state = "revoked"
    assert await running == 1


async def test_a_wrong_code_is_told_and_leaves_no_key(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("enrol", gateway.url, "--code", "BBBB-BBBB") == 1
    err = capsys.readouterr().err
    assert "wrong, used or older than 30 minutes" in err
    assert len(err.splitlines()) == 1
    assert store.load() is None


async def test_another_code_after_a_lost_request_makes_another_key(
    gateway: FakeGateway, store: KeyStore, cli: Cli
) -> None:
    gateway.faults.drop_before["/enrolments"] = 3
    await cli("enrol", gateway.url, "--code", "BBBB-BBBB", "--no-wait")
    keyid = the_key(store).key.keyid
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
    assert the_key(store).key.keyid != keyid


async def test_an_enrolled_key_is_not_overwritten(
    gateway: FakeGateway, store: KeyStore, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("enrol", gateway.url, "--code", CODE) == 1
    assert "has a key for" in capsys.readouterr().err
    assert the_key(store).key.keyid == enrolled.key.keyid


async def test_force_gives_it_up_but_a_refused_code_brings_it_back(
    gateway: FakeGateway, store: KeyStore, enrolled: StoredKey, cli: Cli
) -> None:
    assert await cli("enrol", gateway.url, "--force") == 2
    assert await cli("enrol", gateway.url, "--code", "BBBB-BBBB", "--force") == 1
    assert the_key(store).key.keyid == enrolled.key.keyid
    assert await cli("enrol", gateway.url, "--code", CODE, "--force", "--no-wait") == 0
    assert the_key(store).key.keyid != enrolled.key.keyid
    assert store.previous_path.exists()
    gateway.approve()
    assert await cli("enrol", gateway.url) == 0
    assert not store.previous_path.exists()


async def test_an_enrolment_begun_elsewhere_is_not_mixed_up(
    gateway: FakeGateway, store: KeyStore, enrolled: StoredKey, cli: Cli
) -> None:
    store.save(replace(enrolled, state="pending", url="https://elsewhere.example"))
    assert await cli("enrol", gateway.url) == 1
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
    assert the_key(store).url == gateway.url


async def test_a_suspended_half_enrolment_is_told(
    gateway: FakeGateway, store: KeyStore, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    store.save(replace(enrolled, state="pending"))
    gateway.only_device().state = "suspended"
    assert await cli("enrol", gateway.url) == 5
    assert "suspended" in capsys.readouterr().err


async def test_too_many_wrong_codes_keep_the_key(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.faults.refuse["/enrolments"] = Refused("too-many-requests", 429, headers={"Retry-After": "600"})
    assert await cli("enrol", gateway.url, "--code", CODE) == 1
    assert "Try again at" in capsys.readouterr().err
    assert the_key(store).state == "new"


@pytest.mark.parametrize(
    "arguments",
    [
        ("enrol", "http://192.0.2.1", "--code", CODE),
        ("enrol", "nonsense", "--code", CODE),
        ("enrol", "https://stamp.example", "--code", "ABC"),
        ("enrol", "https://stamp.example"),
        ("enrol",),
        ("enrole",),
        (),
        ("stamp", "clock_in"),
        ("stamp", "dance", "--number", "42"),
        ("stamp", "clock_in", "--number", "4x2"),
        ("clock", "--lang", "fr"),
        ("status", "--state-dir"),
    ],
)
async def test_wrong_use_is_one_line_and_exit_code_2(
    store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert await cli(*arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


async def test_a_gateway_without_tls_is_told_apart_and_plain_http_advised_where_it_is_taken(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    https = f"https://127.0.0.1:{gateway.port}"
    assert await cli("enrol", https, "--code", CODE) == 1
    err = capsys.readouterr().err
    assert err == f"stampgate-kiosk: The gateway at {https} does not speak TLS. Try {gateway.url}\n"
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("kiosk_client.gateway_address.is_loopback", lambda host: False)
        assert await cli("enrol", https, "--code", CODE) == 1
        err = capsys.readouterr().err
        assert "does not speak TLS. Give the https address of the proxy" in err
        assert f"for a test {gateway.url} with --insecure-http" in err
        assert await cli("enrol", https, "--code", CODE, "--insecure-http") == 1
        assert f"Try {gateway.url}" in capsys.readouterr().err
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 0
    gateway.approve()
    assert await cli("status") == 0
    store.save(replace(the_key(store), url=https))
    capsys.readouterr()
    assert await cli("status") == 1
    out = capsys.readouterr().out
    assert f"{https} (not reachable)" in out
    assert f"The gateway at {https} does not speak TLS. It, or a proxy before it, has to: tell IT." in out


async def test_plain_http_is_warned_about_each_time(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk_client.gateway_address.is_loopback", lambda host: False)
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait", "--insecure-http") == 0
    assert "PINs travel readable" in capsys.readouterr().err
    gateway.approve()
    assert await cli("status") == 0
    assert "PINs travel readable" in capsys.readouterr().err
