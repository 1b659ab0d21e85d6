"""A gateway that does TLS itself: real handshakes, a certificate renewed beside it, and the plain port."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import time
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization

from crypto.device_keys import DeviceKey
from gateway.listening import bind
from gateway.server import running
from gateway.settings import Settings, SettingsError
from gateway.tls.certificates import CertificateFault, read_certificate
from gateway.tls.serving import ServedCertificate
from kiosk_client.client import KioskClient
from kiosk_client.gateway_address import read_address
from tests.gateway.cheap_hash import CHEAP_HASH
from tests.gateway.serving_process import serving_process, stampgate
from tests.gateway.tls.pairs import pair, trusting
from tests.gateway.waiting import until
from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.app import Gateway
    from gateway.tls.trial import TrialFiles
    from tests.servers.redis import RedisServer

DAY = 86_400.0


@asynccontextmanager
async def over_tls(data_dir: Path, files: TrialFiles, **options: object) -> AsyncIterator[tuple[Gateway, int]]:
    """Run a gateway with this certificate; give it and its port."""
    listening = bind("127.0.0.1", 0)
    values = {**CHEAP_HASH, "data_dir": data_dir, "metrics_port": 0, "tls_cert": files.cert, "tls_key": files.key}
    async with running(Settings.load(**values, **options), listening) as gateway:
        yield gateway, listening.getsockname()[1]


def serial(port: int, context: ssl.SSLContext, host: str = "localhost") -> str:
    """The serial number of the certificate that a new connection gets; one to an address names no host (RFC 6066)."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        context.wrap_socket(plain, server_hostname=host) as protected,
    ):
        certificate = protected.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


async def test_a_terminal_enrols_and_signs_over_tls_by_the_names_in_the_certificate(tmp_path: Path) -> None:
    files = pair(tmp_path)
    async with over_tls(tmp_path, files) as (gateway, port):
        site = gateway.administration
        assert site.public_url == f"https://localhost:{port}"
        company = await site.companies.add("Rosenthal", actor="cli")
        registered = await site.devices.register(company.id, "Door", actor="cli")
        assert registered.enrolment_url.startswith(f"https://localhost:{port}/kiosk#enrol=")
        for host in ("localhost", "127.0.0.1"):
            address, _ = read_address(f"https://{host}:{port}", insecure_http=False)
            async with KioskClient(address, DeviceKey.generate(site.randomness), ca_file=str(files.root)) as client:
                code = registered.enrolment_code
                if host != "localhost":
                    code = (await site.devices.register(company.id, "Gate", actor="cli")).enrolment_code
                enrolled = await client.enrol(code)
                await site.devices.approve(enrolled.device_id, thumbprint=client.key.keyid, actor="cli")
                while (await client.device()).state != "active":
                    gateway.feed.wake()


@pytest.mark.filterwarnings("ignore:.*TLSv1.*is deprecated")
async def test_old_protocols_and_strangers_certificates_are_refused(tmp_path: Path) -> None:
    files = pair(tmp_path)
    async with over_tls(tmp_path, files) as (_, port), aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.get(f"https://localhost:{port}/health/live")
        old = trusting(files)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"https://localhost:{port}/health/live", ssl=old)
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await http.get(f"http://localhost:{port}/health/live")
        async with http.get(f"https://localhost:{port}/health/live", ssl=trusting(files)) as answer:
            assert answer.status == 200


async def test_a_renewed_certificate_is_taken_up_while_requests_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tls.serving.LOOK_SECONDS", 0.02)
    files, renewed = pair(tmp_path / "old"), pair(tmp_path / "new")
    both = trusting(files, renewed)
    served = read_certificate(renewed.cert)
    seen: Counter[int] = Counter()
    over = asyncio.Event()

    async def asks(port: int, *, anew: bool) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=both, force_close=anew)) as http:
            while not over.is_set():
                async with http.get(f"https://localhost:{port}/health/live") as answer:
                    seen[answer.status] += 1

    async with over_tls(tmp_path / "data", files) as (_, port), asyncio.TaskGroup() as asking:
        before = await asyncio.to_thread(serial, port, both)
        for number in range(4):
            asking.create_task(asks(port, anew=number % 2 == 0))
        shutil.copy(renewed.cert, files.cert)  # for a moment the pair does not match
        await asyncio.sleep(0.1)
        shutil.copy(renewed.key, files.key)

        async def is_renewed() -> bool:
            return await asyncio.to_thread(serial, port, both) != before

        await until(is_renewed)
        after = {await asyncio.to_thread(serial, port, both, host) for host in ("localhost", "127.0.0.1")}
        assert len(after) == 1
        over.set()
    assert set(seen) == {200}
    assert seen[200] >= 8
    assert read_certificate(files.cert) == served


def test_a_pair_that_cannot_be_used_is_said_once_and_the_old_one_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, other = pair(tmp_path / "a"), pair(tmp_path / "b")
    served = ServedCertificate(files.cert, files.key, time.time)
    before = served.certificate
    assert not served.look()
    files.cert.write_text("not a certificate")
    assert not served.look()
    assert not served.look()
    assert served.certificate == before
    lines = [line for line in capsys.readouterr().out.splitlines() if "not taken up" in line]
    assert len(lines) == 1
    assert "no certificate in PEM" in lines[0]
    shutil.copy(other.cert, files.cert)
    shutil.copy(other.key, files.key)
    assert served.look()
    assert served.certificate == read_certificate(other.cert)


def test_what_cannot_be_served_with_is_said_in_one_line(tmp_path: Path) -> None:
    good, other = pair(tmp_path / "a"), pair(tmp_path / "b")
    expired = pair(tmp_path / "c", at=time.time() - 400 * DAY)
    no_pem = tmp_path / "no.pem"
    no_pem.write_text("nothing")
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(good.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    cases = [
        (tmp_path / "missing", good.key, "missing: No such file or directory"),
        (good.cert, tmp_path / "missing", "missing: No such file or directory"),
        (no_pem, good.key, "holds no certificate in PEM"),
        (good.cert, no_pem, "cannot be used"),
        (good.cert, other.key, "does not belong to the certificate"),
        (expired.cert, expired.key, "has expired"),
        (good.cert, locked, "a key with a passphrase cannot be used"),
    ]
    for cert, private, said in cases:
        with pytest.raises(CertificateFault) as fault:
            ServedCertificate(cert, private, time.time)
        assert said in str(fault.value)
        assert "\n" not in str(fault.value)
    options = ["--tls-cert", str(good.cert), "--tls-key", str(other.key)]
    done = stampgate("serve", "--data-dir", str(tmp_path / "d"), *options)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"stampgate: the key in {other.key} does not belong to the certificate"]
    assert not (tmp_path / "d").exists()


def test_half_a_pair_and_a_plain_port_without_tls_are_faults_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="STAMPGATE_TLS_CERT and STAMPGATE_TLS_KEY must be set together"):
        Settings.load(tls_cert=tmp_path / "x")
    with pytest.raises(SettingsError, match="STAMPGATE_HTTP_PORT is for gateways that do TLS themselves"):
        Settings.load(http_port=80)


def test_a_certificate_says_whom_the_gateway_answers_to_unless_settings_do(tmp_path: Path) -> None:
    files = pair(tmp_path, names=["stamp.lan", "192.0.2.7"])
    pair_of = {"tls_cert": files.cert, "tls_key": files.key}
    settings = Settings.load(**pair_of)
    assert settings.authorities(8443) == {"stamp.lan:8443", "192.0.2.7:8443"}
    assert settings.authorities(443) == {"stamp.lan", "192.0.2.7"}
    assert settings.public_address(443) == "https://stamp.lan"
    named = Settings.load(**pair_of, public_url="https://time.example.com")
    assert named.authorities(8443) == {"time.example.com"}
    assert named.public_address(8443) == "https://time.example.com"


async def test_the_plain_port_shows_how_to_trust_and_sends_everything_else_to_https(tmp_path: Path) -> None:
    files, plain = pair(tmp_path), free_port()
    async with over_tls(tmp_path, files, http_port=plain) as (_, port), aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{plain}"
        for target in ("/", "/kiosk?lang=de", "/api/auth/me", "/console"):
            async with http.get(f"{url}{target}", allow_redirects=False) as answer:
                assert (answer.status, answer.headers["Location"]) == (308, f"https://localhost:{port}{target}")
        async with http.post(f"{url}/api/auth/login", json={"email": "a@b.example", "password": "x" * 12}) as answer:
            assert answer.status in (400, 413)
        reader, writer = await asyncio.open_connection("127.0.0.1", plain)
        writer.write(b"GET //evil.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        raw = (await reader.read()).decode()
        writer.close()
        assert raw.startswith("HTTP/1.1 400 ")
        assert "location" not in raw.lower()
        async with http.get(f"{url}/trust?lang=de") as answer:
            page = await answer.text()
            assert answer.status == 200
        assert read_certificate(files.root).fingerprint in page
        assert "Fingerabdruck vergleichen" in page
        assert f"https://localhost:{port}/kiosk" in page
        async with http.get(f"{url}/trust/{files.root.name}") as answer:
            assert answer.content_type == "application/x-x509-ca-cert"
            assert await answer.read() == files.root.read_bytes()
        async with http.get(f"https://localhost:{port}/trust", ssl=trusting(files)) as answer:
            assert answer.status == 200


async def test_several_processes_serve_with_one_certificate(tmp_path: Path, redis_server: RedisServer) -> None:
    files = pair(tmp_path / "pair")
    options = ["--workers", "2", "--tls-cert", str(files.cert), "--tls-key", str(files.key)]
    settings = {"STAMPGATE_REDIS_URL": redis_server.url}
    with serving_process(tmp_path / "data", *options, settings=settings) as process:
        await process.start(ready=2)
        connector = aiohttp.TCPConnector(ssl=trusting(files), force_close=True)
        async with aiohttp.ClientSession(connector=connector) as http:
            for _ in range(6):
                async with http.get(f"https://127.0.0.1:{process.port}/health/ready") as answer:
                    assert answer.status == 200


def test_a_plain_port_that_somebody_else_has_is_said_before_any_process_starts(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    files = pair(tmp_path / "pair")
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        options = ["--tls-cert", str(files.cert), "--tls-key", str(files.key), "--port", "0", "--metrics-port", "0"]
        for workers in ("1", "2"):
            done = stampgate(
                *("serve", "--data-dir", str(tmp_path / "data"), "--http-port", str(port), "--workers", workers),
                *options,
                settings={"STAMPGATE_REDIS_URL": redis_server.url},
            )
            assert done.returncode == 1
            reason = "it is in use already; choose another with --http-port"
            said = f"stampgate: cannot listen on 127.0.0.1 port {port}: {reason}"
            assert said in done.stderr.splitlines()
