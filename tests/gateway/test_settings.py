from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from gateway.settings import Settings, SettingsError, unknown_variables

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in os.environ:
        if name.startswith("STAMPGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def fault(**arguments: object) -> str:
    with pytest.raises(SettingsError) as refused:
        Settings.load(**arguments)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    settings = Settings.load()
    assert settings.redis_url == "memory://"
    assert settings.workers == 1
    assert settings.registration == "first"
    assert settings.forwarded_header == "x-forwarded-for"
    assert settings.effective_database_url == f"sqlite+aiosqlite:///{tmp_path}/data/stampgate.db"
    assert settings.secrets_path.name == "secrets.json"
    assert settings.authorities(8080) == {"localhost:8080", "127.0.0.1:8080", "[::1]:8080"}
    assert settings.authorities(80) == {"localhost", "127.0.0.1", "[::1]"}


def test_the_environment_is_read_with_lists_between_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPGATE_PUBLIC_URL", "https://Stamp.Example.com:443/")
    monkeypatch.setenv("STAMPGATE_EXTRA_AUTHORITIES", "kiosk.lan:8443, OTHER.lan ,")
    monkeypatch.setenv("STAMPGATE_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1,2001:db8::/32")
    monkeypatch.setenv("STAMPGATE_PORT", "9000")
    monkeypatch.setenv("STAMPGATE_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("STAMPGATE_SMTP_URL", "")
    settings = Settings.load()
    assert settings.public_url == "https://stamp.example.com"
    assert settings.authorities(9000) == {"stamp.example.com", "kiosk.lan:8443", "other.lan"}
    assert settings.trusted_proxies == [ip_network(text) for text in ("10.0.0.0/8", "192.0.2.1", "2001:db8::/32")]
    assert settings.port == 9000
    assert settings.log_level == "warning"
    assert settings.smtp_url is None


def test_arguments_win_over_the_environment_over_secret_files_over_the_toml_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stampgate.toml").write_text(
        'port = 1\nhost = "192.0.2.1"\nworkers = 1\nredis_url = "redis://toml"\ntrusted_proxies = ["10.0.0.0/8"]\n'
    )
    (tmp_path / "redis").write_text("redis://:geheim@file\n")
    monkeypatch.setenv("STAMPGATE_REDIS_URL_FILE", str(tmp_path / "redis"))
    monkeypatch.setenv("STAMPGATE_PORT", "2")
    settings = Settings.load(port=3, host=None)
    assert settings.port == 3
    assert settings.host == "192.0.2.1"
    assert settings.redis_url == "redis://:geheim@file"
    assert settings.trusted_proxies == [ip_network("10.0.0.0/8")]
    assert Settings.load().port == 2


def test_the_toml_file_may_be_elsewhere_but_then_it_must_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAMPGATE_CONFIG", str(tmp_path / "there.toml"))
    assert fault() == "STAMPGATE_CONFIG names a file that does not exist"
    (tmp_path / "there.toml").write_text("port = 7")
    assert Settings.load().port == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"port = 1\nredis_url = geheim", "there.toml is not valid TOML (line 2, column 13)"),
        (b"\xff", "there.toml is not valid TOML (not UTF-8)"),
        (b"prot = 1", "prot: is not a known field"),
        (b"[tools]\nx = 1", "tools: is not a known field"),
    ],
)
def test_a_broken_toml_file_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: bytes, said: str
) -> None:
    (tmp_path / "there.toml").write_bytes(text)
    monkeypatch.setenv("STAMPGATE_CONFIG", str(tmp_path / "there.toml"))
    assert fault() == said


def test_a_directory_is_no_toml_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAMPGATE_CONFIG", str(tmp_path))
    assert "cannot be read" in fault()


def test_memory_serves_one_worker_only() -> None:
    said = fault(workers=2)
    assert said.startswith("STAMPGATE_WORKERS must be 1 with STAMPGATE_REDIS_URL=memory://")
    assert Settings.load(workers=2, redis_url="redis://127.0.0.1").workers == 2


@pytest.mark.parametrize(
    "url",
    [
        "stamp.example.com",
        "ftp://stamp.example.com",
        "https://",
        "https://stamp.example.com/app",
        "https://stamp.example.com//",
        "https://stamp.example.com/?a=1",
        "https://stamp.example.com?",
        "https://stamp.example.com#x",
        "https://me@stamp.example.com",
        "https://me:geheim@stamp.example.com",
        "https://stamp.example.com:99999",
        "https://stamp.example.com:x",
        "https://[::1",
        "https://stamp example.com",
        "https://stamp.example.com\n",
        "https://bücher.example",
        "https://a_b!.example",
    ],
)
def test_the_public_address_is_a_scheme_and_a_host_only(url: str) -> None:
    said = fault(public_url=url)
    assert said.startswith("STAMPGATE_PUBLIC_URL must ")
    assert "geheim" not in said


@pytest.mark.parametrize(("url", "kept"), [("http://127.0.0.1:80", "http://127.0.0.1"), ("https://[::1]:8443", None)])
def test_the_public_address_is_kept_in_canonical_form(url: str, kept: str | None) -> None:
    assert Settings.load(public_url=url).public_url == (kept or url)


@pytest.mark.parametrize("name", ["https://a.lan", "a.lan/x", "me@a.lan", "a.lan?x", ":80", "a b"])
def test_an_extra_authority_is_a_host_with_an_optional_port(name: str) -> None:
    assert fault(extra_authorities=[name]).startswith("STAMPGATE_EXTRA_AUTHORITIES must ")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("database_url", "mysql://root:geheim@db/x"),
        ("database_url", "geheim"),
        ("redis_url", "http://:geheim@redis"),
        ("redis_url", "memory"),
        ("smtp_url", "https://me:geheim@mail"),
    ],
)
def test_an_unknown_scheme_is_refused_without_repeating_the_address(field: str, value: str) -> None:
    said = fault(**{field: value})
    assert said.startswith(f"STAMPGATE_{field.upper()} must start with ")
    assert "geheim" not in said


@pytest.mark.parametrize(
    "value", ["10.0.0.1/8", "300.0.0.0/8", "proxy.lan", "0.0.0.0/0", "::/0", "10.0.0.0/8;10.1.0.0/16"]
)
def test_a_trusted_proxy_is_a_network_and_not_everybody(value: str) -> None:
    assert fault(trusted_proxies=value).startswith("STAMPGATE_TRUSTED_PROXIES must ")


def test_a_trusted_proxy_is_text() -> None:
    assert fault(trusted_proxies=7).startswith("STAMPGATE_TRUSTED_PROXIES must be networks")


def test_every_fault_is_in_the_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPGATE_DATABASE_URL", "mysql://root:geheim@db")
    monkeypatch.setenv("STAMPGATE_PORT", "many")
    monkeypatch.setenv("STAMPGATE_REGISTRATION", "maybe")
    monkeypatch.setenv("STAMPGATE_TRUSTED_PROXIES", "x")
    said = fault(workers=0)
    for part in (
        "STAMPGATE_DATABASE_URL must start with sqlite+aiosqlite://",
        "STAMPGATE_PORT must be a whole number",
        "STAMPGATE_REGISTRATION must be one of: first, open, closed",
        "STAMPGATE_TRUSTED_PROXIES must be addresses",
        "STAMPGATE_WORKERS must be at least 1",
    ):
        assert part in said
    assert "geheim" not in said


def test_a_secret_shows_in_no_repr() -> None:
    settings = Settings.load(
        database_url="postgresql+asyncpg://u:geheim@db/x", redis_url="redis://:geheim@r", smtp_url="smtp://u:geheim@m"
    )
    assert settings.effective_database_url == "postgresql+asyncpg://u:geheim@db/x"
    assert "geheim" not in repr(settings) + str(settings)


def test_a_secret_file_must_be_readable_and_the_only_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STAMPGATE_SMTP_URL_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("STAMPGATE_REDIS_URL_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("STAMPGATE_REDIS_URL", "redis://:geheim@r")
    assert fault() == (
        "STAMPGATE_REDIS_URL_FILE and STAMPGATE_REDIS_URL must not both be set; "
        "STAMPGATE_SMTP_URL_FILE names a file that cannot be read"
    )


def test_misspelt_variables_are_found() -> None:
    environment = {
        "STAMPGATE_PORT": "",
        "STAMPGATE_SMTP_URL_FILE": "",
        "STAMPGATE_CONFIG": "",
        "STAMPGATE_KIOSK_STATE_DIR": "",
        "STAMPGATE_PROT": "",
        "X": "",
    }
    assert unknown_variables(environment) == ["STAMPGATE_PROT"]
