from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from gateway.cli import checks
from gateway.settings import Settings

if TYPE_CHECKING:
    import pytest

    from tests.gateway.cli.command_line import Shell


def lines(shell: Shell, **settings: str | None) -> dict[str, str]:
    """What doctor says, by what it is about."""
    ran = shell.run("doctor", settings=settings)
    said = dict(line[6:].split(": ", 1) for line in ran.out.splitlines())
    levels = {line[:6].strip() for line in ran.out.splitlines()}
    assert levels <= {"ok", "note", "fault"}
    assert ran.code == (1 if "fault" in levels else 0)
    assert not ran.err
    return said


def test_all_is_well(ready: Shell) -> None:
    said = lines(ready)
    assert said["database"].startswith("sqlite, at revision")
    assert said["public URL"] == "https://stamp.example.com"
    assert said["Redis"].startswith("memory://")


def test_nothing_is_there_yet_and_nothing_is_made(shell: Shell) -> None:
    said = lines(shell)
    assert "stampgate init" in said["data directory"]
    assert "secrets.json" in said["secrets"]
    assert "db upgrade" in said["database"]
    assert not shell.data_dir.exists()


def test_a_directory_open_to_others_is_noted(ready: Shell) -> None:
    ready.data_dir.chmod(0o755)
    assert "chmod 700" in lines(ready)["data directory"]


def test_a_redis_that_is_away_is_a_fault(ready: Shell) -> None:
    assert "refused without it" in lines(ready, STAMPGATE_REDIS_URL="redis://127.0.0.1:1/0")["Redis"]
    assert lines(ready, STAMPGATE_REDIS_URL="redis://127.0.0.1:port/0")["Redis"]


def test_a_database_that_is_away_is_a_fault(ready: Shell) -> None:
    said = lines(ready, STAMPGATE_DATABASE_URL="postgresql+asyncpg://u:hidden@127.0.0.1:1/x")
    assert said["database"].startswith("postgresql: ")
    assert "hidden" not in str(said)


def test_a_misspelt_setting_is_noted(ready: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPGATE_PUBLIC_ULR", "https://x")
    assert "STAMPGATE_PUBLIC_ULR" in lines(ready)["settings"]


def test_an_address_without_https_is_noted(ready: Shell) -> None:
    assert "https" in lines(ready, STAMPGATE_PUBLIC_URL="http://stamp.example.com")["public URL"]
    assert "STAMPGATE_PUBLIC_URL" in lines(ready, STAMPGATE_PUBLIC_URL=None)["public URL"]


def test_a_clock_that_lags_behind_what_was_written_is_a_fault(ready: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert "behind the latest audit event" in lines(ready)["clock"]


async def test_a_clock_that_differs_from_the_database_server_is_a_fault(
    database_url: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = await asyncio.to_thread(shell.run, "init", settings={"STAMPGATE_DATABASE_URL": database_url})
    assert ran.code == 0
    settings = Settings.load(data_dir=shell.data_dir, database_url=database_url)
    levels = {finding.about: finding.level for finding in await checks.examine(settings)}
    assert levels["clock"] == "ok"
    if database_url.startswith("postgresql"):
        now = time.time()
        for shift, text in ((3600, "ahead of the database server"), (-3600, "behind the database server")):
            monkeypatch.setattr(time, "time", lambda shift=shift: now + shift)
            found = {finding.about: finding for finding in await checks.examine(settings)}
            assert text in found["clock"].text
            assert found["clock"].level == "fault"


def test_mail_is_off_on_or_readable_on_its_way(ready: Shell) -> None:
    assert "STAMPGATE_SMTP_URL" in lines(ready)["mail"]
    said = lines(ready, STAMPGATE_SMTP_URL="smtp://user:hidden@mail.example.com")
    assert said["mail"] == "mail.example.com port 587, from stampgate@stamp.example.com"
    assert "readable" in lines(ready, STAMPGATE_SMTP_URL="smtp://mail.example.com?starttls=never")["mail"]
