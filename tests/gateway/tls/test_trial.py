"""`stampgate tls trial`, and the page that tells a tablet to trust it."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from gateway.pages.trust import ROOT_PATH
from gateway.tls.certificates import read_certificate
from gateway.tls.trial import TrialFiles, read_name
from tests.gateway.cli.command_line import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


def test_it_makes_a_root_for_one_certificate_and_keeps_no_key_of_the_root(shell: Shell) -> None:
    said = shell.ok("tls", "trial", "--host", "stamp.lan", "--host", "192.0.2.77").out
    files = TrialFiles.of(shell.data_dir)
    assert sorted(path.name for path in files.key.parent.iterdir()) == sorted(path.name for path in files)
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert files.key.read_text().count("PRIVATE KEY") == 2  # one key: its first line and its last
    root = x509.load_pem_x509_certificate(files.root.read_bytes())
    leaf = x509.load_pem_x509_certificates(files.cert.read_bytes())[0]
    assert root.public_key() != leaf.public_key()
    for name in ("localhost", "stamp.lan"):
        verifier = PolicyBuilder().store(Store([root])).build_server_verifier(x509.DNSName(name))
        assert verifier.verify(leaf, []) == [leaf, root]
    assert "192.0.2.77" in read_certificate(files.cert).names
    assert read_certificate(files.root).fingerprint in said
    assert f"--tls-cert {files.cert} --tls-key {files.key}" in said


def test_a_second_run_shows_what_is_there_and_only_renew_makes_another(shell: Shell) -> None:
    first = shell.ok("tls", "trial", "--json").json
    again = shell.ok("tls", "trial", "--json").json
    assert (first["made"], again["made"]) == (True, False)
    assert {**first, "made": False} == again
    assert "--renew" in shell.refused("tls", "trial", "--host", "other.lan", code=1)
    renewed = shell.ok("tls", "trial", "--renew", "--host", "other.lan", "--json").json
    assert renewed["fingerprint"] != first["fingerprint"]
    assert "other.lan" in renewed["names"]


def test_a_damaged_one_says_how_to_get_another(shell: Shell) -> None:
    shell.ok("tls", "trial")
    TrialFiles.of(shell.data_dir).cert.write_text("gone")
    assert "--renew makes a new one" in shell.refused("tls", "trial", code=1)
    shell.ok("tls", "trial", "--renew")


@pytest.mark.parametrize("name", ["", "a b", "-", "ä.example", "*.lan", "host_1", "a..b", "x" * 64, "http://x"])
def test_what_is_no_name_is_refused(shell: Shell, name: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        read_name(name)
    assert "no host name" in shell.refused("tls", "trial", "--host", name, code=2)
    assert not TrialFiles.of(shell.data_dir).exist


async def test_without_a_trial_the_page_says_what_to_do(house: House) -> None:
    async with house.http.get(f"{house.url}/trust") as answer:
        page = await answer.text()
    assert answer.status == 200
    assert "no certificate of its own" in page
    assert "stampgate tls trial" in page
    async with house.http.get(f"{house.url}{ROOT_PATH}") as answer:
        assert answer.status == 404
