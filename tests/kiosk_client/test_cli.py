from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import pty
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from kiosk_client.cli import app
from tests.gateway.forked import Forked
from tests.kiosk_client.conftest import CODE
from tests.kiosk_client.fake_gateway import FakeGateway, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from kiosk_client import KeyStore, StoredKey
    from tests.kiosk_client.conftest import Cli

NUMBER, PIN = "0042", "271828"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk_client.signed_http.PAUSES", (0.01, 0.02))


@pytest.fixture
def pin_on_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PIN}\n"))


async def test_status_says_that_all_is_well(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("status") == 0
    out = capsys.readouterr().out
    for part in ("Door 1 · Hall", "Brot & Co", gateway.url, "active", enrolled.key.keyid, "3 days old", "All is well"):
        assert part in out


async def test_status_as_json(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.clock_ahead = 30.0
    assert await cli("status", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"]
    assert told["clock_offset_seconds"] == pytest.approx(30, abs=1)
    assert told["key_expires_in_days"] == pytest.approx(90, abs=0.1)
    assert "clock is off" in told["advice"]


async def test_status_without_a_key_says_how_to_get_one(
    store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("status") == 3
    shown = capsys.readouterr().out
    assert "Gateway:     none yet\n" in shown
    assert "stampgate-kiosk enrol" in shown
    assert await cli("status", "--json") == 3
    assert json.loads(capsys.readouterr().out)["state"] == "none"


@pytest.mark.parametrize(
    ("state", "shown"), [("suspended", "suspended"), ("revoked", "revoked"), ("expired", "expired")]
)
async def test_status_says_what_is_wrong(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str], state: str, shown: str
) -> None:
    gateway.only_device().state = state
    assert await cli("status", "--json") == 5
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["reachable"], told["state"]) == (False, True, shown)
    assert await cli("status") == 5


async def test_status_of_a_pending_terminal_says_that_it_waits(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.only_device().state = "pending"
    gateway.clock_ahead = -120.0
    assert await cli("status") == 3
    out = capsys.readouterr().out
    assert "Waiting for approval" in out
    assert "120 s ahead of the gateway's" in out


@pytest.mark.usefixtures("pin_on_stdin")
async def test_a_terminal_approved_after_ctrl_c_asks_for_status_and_is_ready(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = ("stamp", "clock_in", "--number", NUMBER, "--pin-stdin")
    await cli("enrol", gateway.url, "--code", CODE, "--no-wait", "--insecure-http")
    assert await cli(*stamp) == 3
    assert "IT has to approve it. Then run: stampgate-kiosk status" in capsys.readouterr().err
    assert await cli("status") == 3
    gateway.approve()
    assert await cli("status") == 0
    kept = store.load()
    assert kept is not None
    assert (kept.state, kept.device_id) == ("active", gateway.only_device().device_id)
    assert await cli(*stamp) == 0


async def test_status_of_a_gateway_that_is_away(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    await gateway.stop()
    assert await cli("status") == 4
    out = capsys.readouterr().out
    assert "not reachable" in out
    assert f"The gateway cannot be reached ({gateway.url}). Check the network" in out


@pytest.mark.usefixtures("pin_on_stdin")
async def test_only_whoever_stamps_is_told_that_nothing_can_be_stamped(
    gateway: FakeGateway, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.faults.refuse["/enrolments"] = Refused("state-unavailable", 503, headers={"Retry-After": "60"})
    assert await cli("enrol", gateway.url, "--code", CODE, "--no-wait") == 4
    assert capsys.readouterr().err.startswith("stampgate-kiosk: The gateway is not ready at the moment. Please try")
    gateway.faults.refuse.clear()
    assert await cli("enrol", gateway.url, "--no-wait") == 0
    gateway.approve()
    assert await cli("status") == 0
    await gateway.stop()
    for command in (("change-key",), ("enrol", gateway.url, "--code", CODE, "--force")):
        assert await cli(*command) == 4
        assert "stamped" not in capsys.readouterr().err
    assert store.restore()
    assert await cli("stamp", "clock_in", "--number", NUMBER, "--pin-stdin") == 4
    err = capsys.readouterr().err
    assert f"cannot be reached ({gateway.url}). Nothing can be stamped now. Check the network" in err


async def test_a_key_that_expires_soon_is_told(
    gateway: FakeGateway,
    enrolled: StoredKey,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kiosk_client.presentation.KEY_WARNING_DAYS", 91)
    assert await cli("status") == 0
    assert "expires soon" in capsys.readouterr().out


@pytest.mark.usefixtures("pin_on_stdin")
async def test_a_stamp_prints_time_action_state_and_hours(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.people[NUMBER].worked = 27_180
    assert await cli("stamp", "clock-in", "--number", NUMBER, "--pin-stdin") == 0
    out = capsys.readouterr().out
    assert "Clock in: Ada Example is in, worked today 7 h 33 min" in out
    assert gateway.sessions == {}


async def test_a_stamp_as_json_with_a_pin_from_a_file(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "pin"
    file.write_text(f"{PIN}\n")
    file.chmod(0o644)
    gateway.faults.drop_after["/action"] = 1
    assert await cli("stamp", "clock_in", "-n", NUMBER, "--pin-file", str(file), "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["stamp"]["action"] == "clock_in"
    assert json.loads(told.out)["repeated"] is True
    assert json.loads(told.out)["status"]["state"] == "in"
    assert "chmod 600" in told.err


async def test_a_stamp_that_is_uncertain_can_be_finished_by_its_id(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "pin").write_text(PIN)
    call = ("stamp", "clock_in", "-n", NUMBER, "--pin-file", str(tmp_path / "pin"))
    gateway.faults.drop_after["/action"] = 3
    assert await cli(*call) == 1
    stamp_id = capsys.readouterr().err.strip().rpartition(" ")[2]
    assert await cli(*call, "--stamp-id", stamp_id) == 0
    assert "recorded already" in capsys.readouterr().out
    assert len(gateway.people[NUMBER].stamps) == 1


@pytest.mark.usefixtures("pin_on_stdin")
async def test_a_stamp_that_does_not_fit_says_what_would(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("stamp", "break_end", "-n", NUMBER, "--pin-stdin") == 1
    err = capsys.readouterr().err
    assert "Now: Out since" in err
    assert "Valid: clock_in" in err
    assert gateway.sessions == {}


@pytest.mark.usefixtures("pin_on_stdin")
async def test_a_failed_login_is_one_line_without_number_or_pin(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("stamp", "clock_in", "-n", "7777", "--pin-stdin") == 1
    err = capsys.readouterr().err
    assert err == "stampgate-kiosk: Number or PIN is wrong. Please try again.\n"


@pytest.mark.usefixtures("pin_on_stdin")
async def test_the_end_of_a_lock_is_told_in_the_companys_time(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.timezone = "Asia/Kathmandu"  # 5:45 h ahead of UTC: no machine that runs this is there
    gateway.faults.refuse["/auth"] = Refused("login-throttled", 429, headers={"Retry-After": "300"})
    before = datetime.now(UTC) + timedelta(seconds=300)
    assert await cli("stamp", "clock_in", "-n", NUMBER, "--pin-stdin") == 1
    zone = ZoneInfo(gateway.timezone)
    expected = {f"{(before + timedelta(seconds=59 + late)).astimezone(zone):%H:%M}" for late in (0, 10)}
    err = capsys.readouterr().err
    assert err.partition("Try again at ")[2] in {f"{minute}.\n" for minute in expected}


@pytest.mark.parametrize("pin", ["", "12a456", "1234567890123"])
async def test_what_is_no_pin_is_wrong_use(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, monkeypatch: pytest.MonkeyPatch, pin: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(pin))
    assert await cli("stamp", "clock_in", "-n", NUMBER, "--pin-stdin") == 2


async def test_a_pin_has_one_source(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = ("stamp", "clock_in", "-n", NUMBER)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert await cli(*call, "--pin-stdin", "--pin-file", str(tmp_path / "pin")) == 2
    assert await cli(*call, "--pin-file", str(tmp_path / "missing")) == 2
    assert await cli(*call) == 2


async def test_stamping_needs_a_finished_enrolment(store: KeyStore, cli: Cli) -> None:
    assert await cli("stamp", "clock_in", "-n", NUMBER, "--pin-stdin") == 3


async def test_the_clock_needs_a_terminal(enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert await cli("clock") == 2
    assert "needs a terminal" in capsys.readouterr().err


async def test_a_pin_typed_at_a_terminal_is_not_shown(
    gateway: FakeGateway, enrolled: StoredKey, tmp_path: Path
) -> None:
    master, slave = pty.openpty()
    process = Forked(
        ("stamp", "clock_in", "-n", NUMBER),
        environment=os.environ,
        terminal=slave,
        stdout=tmp_path / "out",
        program="stampgate-kiosk",
    )
    screen = await asyncio.to_thread(os.read, master, 100)
    assert screen.startswith(b"PIN")
    await asyncio.sleep(0.1)
    os.write(master, f"{PIN}\n".encode())
    assert await asyncio.to_thread(process.wait, 15) == 0
    os.set_blocking(master, False)
    with contextlib.suppress(OSError):
        screen += os.read(master, 1000)
    os.close(slave)
    os.close(master)
    assert "Clock in" in (tmp_path / "out").read_text("utf-8")
    assert PIN.encode() not in screen


async def test_a_private_ca_is_believed_only_when_given(
    gateway: FakeGateway,
    enrolled: StoredKey,
    store: KeyStore,
    cli: Cli,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    port = await _tls_front(gateway, context)
    gateway.codes["BCDF-GHJK"] = None
    gateway.verifier_authority = f"localhost:{port}"
    call = ("enrol", f"https://localhost:{port}", "--force", "--code", "BCDF-GHJK", "--no-wait")
    assert await cli(*call) == 1
    assert "certificate is not trusted" in capsys.readouterr().err
    assert await cli(*call, "--ca-file", str(key)) == 1
    assert "cannot be read as PEM" in capsys.readouterr().err
    assert await cli(*call, "--ca-file", str(certificate)) == 0
    gateway.approve()
    assert await cli("enrol", f"https://localhost:{port}") == 0  # the CA is remembered
    assert await cli("status") == 0
    await gateway.stop_front()
    plain = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port)
    async with plain:
        assert await cli("status") == 4


async def _tls_front(gateway: FakeGateway, context: ssl.SSLContext) -> int:
    return await gateway.start_front(context)


def _certificate(directory: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return directory / "cert.pem", directory / "key.pem"


async def test_an_unsafe_key_file_is_refused(
    enrolled: StoredKey, store: KeyStore, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    store.path.chmod(0o644)
    assert await cli("status") == 1
    assert "chmod 600" in capsys.readouterr().err


async def test_an_address_the_gateway_does_not_know_is_explained(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.verifier_authority = "stamp.example"
    assert await cli("status", "--json") == 1
    assert "STAMPGATE_EXTRA_AUTHORITIES" in json.loads(capsys.readouterr().out)["advice"]


async def test_every_command_shows_an_example(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    for name in names:
        assert await cli(name, "--help") == 0
        assert f"Example: stampgate-kiosk {name}" in capsys.readouterr().out
    assert await cli("--version") == 0
    assert capsys.readouterr().out.startswith("stampgate-kiosk ")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("enrol", "--cod", "WDJB-MJHT"), "stampgate-kiosk enrol"),
        (("enrol",), "stampgate-kiosk enrol"),
        (("stamp", "clock_in"), "stampgate-kiosk stamp"),
        (("clock", "--lang", "fr"), "stampgate-kiosk clock"),
        (("status", "now"), "stampgate-kiosk status"),
        (("enroll",), "stampgate-kiosk"),
        (("--verbose", "status"), "stampgate-kiosk"),
    ],
)
async def test_wrong_use_names_the_help_of_the_command_that_was_meant(
    cli: Cli, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], command: str
) -> None:
    assert await cli(*arguments) == 2
    assert capsys.readouterr().err.endswith(f" (see {command} --help)\n")


async def test_no_summary_of_a_command_is_cut_off_at_80_columns(
    cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert await cli("--help") == 0
    summaries = capsys.readouterr().out.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    assert len(summaries) == len(app.registered_commands)
    assert [line for line in summaries if not line.endswith(".") or line.endswith("...") or len(line) > 80] == []


async def test_an_unexpected_fault_is_one_line_without_what_was_typed(
    cli: Cli, enrolled: StoredKey, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret 271828")

    monkeypatch.setattr("kiosk_client.cli.store_of", broken)
    assert await cli("status") == 1
    assert capsys.readouterr().err == "stampgate-kiosk: Unexpected fault of this program: RuntimeError\n"


def test_a_pipe_closed_early_gives_no_traceback(store: KeyStore) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "kiosk_client", "status"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert b"Traceback" not in done.stderr
    assert done.returncode == 1


async def test_a_refusal_in_the_middle_is_told(
    gateway: FakeGateway, enrolled: StoredKey, cli: Cli, capsys: pytest.CaptureFixture[str], pin_on_stdin: None
) -> None:
    gateway.faults.refuse["/action"] = Refused("internal-error", 500)
    assert await cli("stamp", "clock_in", "-n", NUMBER, "--pin-stdin") == 1
    assert "not certain" in capsys.readouterr().err
