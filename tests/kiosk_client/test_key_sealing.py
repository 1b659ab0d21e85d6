from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk_client import KeyStore, StoredKey
from kiosk_client.cli import app
from kiosk_client.errors import KeyStoreFault
from kiosk_client.key_sealing import CREDENTIAL, wrap_of
from kiosk_client.next_key import NextKey
from kiosk_client.state_directory import default_state_dir

if TYPE_CHECKING:
    from tests.kiosk_client.conftest import Cli
    from tests.kiosk_client.fake_gateway import FakeGateway


@pytest.fixture
def credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As systemd hands it to the service."""
    path = tmp_path / "credentials" / CREDENTIAL
    path.parent.mkdir()
    path.write_bytes(os.urandom(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(path.parent))
    return path


async def test_a_key_from_before_is_sealed_once_and_serves_on(
    gateway: FakeGateway,
    enrolled: StoredKey,
    store: KeyStore,
    cli: Cli,
    credential: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await cli("status") == 0
    assert await cli("seal") == 0
    content = store.path.read_bytes()
    assert enrolled.key.keyid.encode() not in content
    assert b"seed" not in content
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert await cli("seal") == 0
    assert store.path.read_bytes() == content
    capsys.readouterr()
    assert await cli("status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["key_sealed"] is True


async def test_a_key_change_of_a_sealed_key_writes_a_sealed_key(
    gateway: FakeGateway, enrolled: StoredKey, store: KeyStore, cli: Cli, credential: Path
) -> None:
    assert await cli("seal") == 0
    assert await cli("change-key") == 0
    assert store.sealed() is True
    changed = KeyStore(store.directory, wrap_of(os.environ, os.urandom)).load()
    assert changed is not None
    assert changed.key.keyid != enrolled.key.keyid
    assert await cli("status") == 0


def test_the_next_key_is_sealed_too(enrolled: StoredKey, store: KeyStore, credential: Path) -> None:
    following = NextKey(KeyStore(store.directory, wrap_of(os.environ, os.urandom)))
    following.create(enrolled)
    assert following.sealed() is True


async def test_without_the_credential_it_is_refused(
    enrolled: StoredKey,
    cli: Cli,
    credential: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await cli("seal") == 0
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert await cli("status") == 1
    assert f"credential {CREDENTIAL} that opens it is missing" in capsys.readouterr().err
    assert await cli("seal") == 1
    assert "There is no credential" in capsys.readouterr().err


async def test_another_credential_is_refused(
    enrolled: StoredKey, cli: Cli, credential: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("seal") == 0
    credential.write_bytes(os.urandom(32))
    assert await cli("status") == 1
    assert "sealed with another credential" in capsys.readouterr().err


@pytest.mark.parametrize("secret", [b"", b"short", b"x" * 1025])
def test_what_is_no_wrapping_secret_is_refused(credential: Path, secret: bytes) -> None:
    credential.write_bytes(secret)
    with pytest.raises(KeyStoreFault, match="no wrapping secret"):
        wrap_of(os.environ, os.urandom)


def test_other_credentials_seal_nothing(credential: Path) -> None:
    credential.rename(credential.with_name("something-else"))
    assert wrap_of(os.environ, os.urandom) is None


async def test_there_is_nothing_to_seal_before_enrolment(
    store: KeyStore, cli: Cli, credential: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await cli("seal") != 0
    assert "not enrolled" in capsys.readouterr().err


def test_the_unit_names_commands_and_credentials_that_exist() -> None:
    lines = (Path(__file__).parents[2] / "deploy" / "stampgate-kiosk.service").read_text().splitlines()
    settings = dict(line.lstrip("#").split("=", 1) for line in lines if "=" in line and not line.startswith("# "))
    program, command = shlex.split(settings["ExecStart"])
    assert Path(program).name == "stampgate-kiosk"
    assert command in [known.name or known.callback.__name__ for known in app.registered_commands if known.callback]
    assert settings["LoadCredentialEncrypted"].split(":")[0] == CREDENTIAL
    assert "STAMPGATE_KIOSK_STATE_DIR=/var/lib/" + settings["StateDirectory"] in "\n".join(lines)
    assert default_state_dir({"XDG_STATE_HOME": "/x"}).name == settings["StateDirectory"]
