from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer

from gateway.cli import build
from tests.gateway.cli.command_line import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its path, groups left out."""
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *path, name)
    if not hasattr(command, "commands"):
        yield path, command


ALL = dict(commands(typer.main.get_command(build())))


@pytest.fixture(scope="module")
def helps(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], str]:
    """What each command shows about itself."""
    shell = Shell(tmp_path_factory.mktemp("help"))
    return {path: shell.ok(*path, "--help").out for path in ALL}


def test_everything_asked_for_is_there() -> None:
    assert {" ".join(path) for path in ALL} >= {
        "init", "serve", "doctor proxy", "company add", "company list", "company set", "company show",
        "user add", "user list", "user set-pin", "user set-password", "user activate", "user deactivate", "user import",
        "device add", "device list", "device approve", "device deny", "device suspend", "device resume",
        "device revoke", "device new-code", "public-link rotate", "public-link disable", "public-link show",
        "stamp list", "lockout list", "lockout clear", "audit list", "db upgrade", "db downgrade", "db status",
        "backup", "restore",
    }  # fmt: skip


def test_every_command_says_what_it_does_and_gives_an_example(helps: dict[tuple[str, ...], str]) -> None:
    for path, command in ALL.items():
        assert command.help, path
        assert f"stampgate {' '.join(path)}" in command.epilog, path
        assert "Example" in helps[path], path
        assert "--data-dir" in helps[path], path


def test_examples_use_only_what_there_is() -> None:
    for path, command in ALL.items():
        options = {option for parameter in command.params for option in parameter.opts}
        words = command.epilog.split()
        for word in words:
            assert not word.startswith("--") or word in options, (path, word)


def test_everything_that_lists_or_creates_speaks_json() -> None:
    for path, command in ALL.items():
        if path[-1] in ("list", "show", "status", "add", "rotate", "set-pin", "new-code", "proxy", "import"):
            assert any("--json" in parameter.opts for parameter in command.params), path


def test_what_stands_in_brackets_is_shown(helps: dict[tuple[str, ...], str]) -> None:
    """Brackets are markup to what draws the help, and a default that it takes for a tag is gone."""
    for path, command in ALL.items():
        shown = re.sub(r"[│\s]+", " ", helps[path])
        for parameter in command.params:
            for told in re.findall(r"\[[^\]]+\]", getattr(parameter, "help", None) or ""):
                assert told in shown, (path, parameter.name, told)
