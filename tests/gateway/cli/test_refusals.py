"""Whatever goes wrong is one line on stderr and an exit code: 2 for wrong use, 1 for failure."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.cli.refusals import explain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.cli.command_line import Shell


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("device",), "Missing command. (see `stampgate device --help`)"),
        (("device", "add"), "Missing argument 'label'"),
        (("device", "list", "--nonsense"), "No such option: --nonsense"),
        (("user", "list", "--limit", "0"), "--limit must be at least 1 (see `stampgate user list --help`)"),
        (("user", "list", "--limit", "many"), "--limit must be a whole number"),
        (("company", "set", "--phone", "maybe"), "--phone"),
        (("--data-dir",), "--data-dir"),
    ],
)
def test_wrong_use(shell: Shell, arguments: tuple[str, ...], said: str) -> None:
    assert said in shell.refused(*arguments, code=2)


def test_without_arguments_the_help_is_shown(shell: Shell) -> None:
    ran = shell.run()
    assert (ran.code, ran.err) == (2, "")
    assert "Usage: stampgate" in ran.out


def test_the_version_is_one_line(shell: Shell) -> None:
    assert shell.ok("--version").out.startswith("stampgate ")


def test_a_mistyped_directory_does_not_become_a_gateway(shell: Shell, tmp_path: Path) -> None:
    said = shell.refused("company", "list", "--data-dir", str(tmp_path / "typo"))
    assert "run `stampgate init`" in said
    assert not (tmp_path / "typo").exists()


def test_the_directory_may_be_named_before_or_behind_the_command(shell: Shell, tmp_path: Path) -> None:
    other = str(tmp_path / "other")
    shell.ok("--data-dir", other, "init")
    shell.ok("company", "add", "There", "--data-dir", other)
    assert shell.ok("company", "list", "--data-dir", other, "--json").items[0]["name"] == "There"
    assert not shell.data_dir.exists()


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("STAMPGATE_PORT", "many", "STAMPGATE_PORT must be a whole number"),
        ("STAMPGATE_DATABASE_URL", "mysql://root:secret@db/x", "STAMPGATE_DATABASE_URL must start with"),
        ("STAMPGATE_WORKERS", "0", "STAMPGATE_WORKERS"),
        ("STAMPGATE_CONFIG", "/no/such/file", "STAMPGATE_CONFIG names a file that does not exist"),
    ],
)
def test_bad_settings_are_wrong_use(shell: Shell, setting: str, value: str, said: str) -> None:
    told = shell.refused("company", "list", code=2, **{setting: value})
    assert said in told
    assert "secret" not in told


def test_a_database_that_cannot_be_reached(ready: Shell) -> None:
    said = ready.refused("company", "list", STAMPGATE_DATABASE_URL="postgresql+asyncpg://u:secret@127.0.0.1:1/x")
    assert "secret" not in said


def test_a_database_that_is_locked(ready: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.sqlite.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(ready.data_dir / "stampgate.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in ready.refused("company", "add", "Meier")


def test_a_database_of_an_older_version(ready: Shell) -> None:
    ready.ok("db", "downgrade", "base")
    assert "run `stampgate db upgrade`" in ready.refused("company", "list")
    assert "Next: stampgate db upgrade" in ready.ok("db", "status").err
    assert ready.run("doctor").code == 1
    ready.ok("db", "upgrade")
    assert "There is no company yet" in ready.ok("company", "list").out


def test_a_database_of_other_secrets(ready: Shell) -> None:
    (ready.data_dir / "secrets.json").rename(ready.data_dir / "old.json")
    assert "other secrets" in ready.refused("init")
    assert "other secrets" in ready.refused("company", "list")
    assert "fault check value" in ready.run("doctor").out


def test_secrets_that_others_can_read(ready: Shell) -> None:
    (ready.data_dir / "secrets.json").chmod(0o644)
    assert "chmod 600" in ready.refused("company", "list")


def test_a_directory_that_is_a_file(shell: Shell) -> None:
    shell.data_dir.write_text("")
    said = shell.refused("init")
    assert "File exists" in said or "Not a directory" in said


def test_revisions_there_are_not(ready: Shell) -> None:
    assert "9999" in ready.refused("db", "upgrade", "9999")
    ready.ok("db", "downgrade", "base")
    assert "empty already" in ready.refused("db", "downgrade", "base")


def test_an_error_nobody_expected_is_named_without_its_values() -> None:
    text, code = explain(RuntimeError("PIN 739142"))
    assert code == 1
    assert "RuntimeError" in text
    assert "739142" not in text


def test_a_fault_of_the_system_is_told_with_its_file() -> None:
    assert explain(PermissionError(13, "Permission denied", "/data/x")) == ("/data/x: Permission denied", 1)
