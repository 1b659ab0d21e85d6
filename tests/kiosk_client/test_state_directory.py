from __future__ import annotations

import asyncio
import os
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kiosk_client import KeyStore
from kiosk_client.state_directory import default_state_dir, state_dir_option, way_to
from kiosk_client.wording import PROGRAM, CommandLine, wording_for
from tests.gateway.forked import Forked
from tests.gateway.waiting import until
from tests.kiosk_client.conftest import CODE
from tests.kiosk_client.test_clock import Terminal

if TYPE_CHECKING:
    from tests.kiosk_client.conftest import Cli
    from tests.kiosk_client.fake_gateway import FakeGateway

XDG = {"XDG_STATE_HOME": "/state"}


@pytest.fixture
def elsewhere(store: KeyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory that is not the default, and has to be quoted."""
    monkeypatch.delenv("STAMPGATE_KIOSK_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "default"))
    return tmp_path / "Gate 1"


def test_the_environment_decides_where_state_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(default_state_dir(XDG)) == "/state/stampgate-kiosk"
    monkeypatch.setenv("HOME", "/home/kiosk")
    assert str(default_state_dir({"XDG_STATE_HOME": "relative"})) == "/home/kiosk/.local/state/stampgate-kiosk"
    assert default_state_dir({}).is_absolute()


@pytest.mark.parametrize(
    ("directory", "option"),
    [
        (None, ""),
        ("/state/stampgate-kiosk", ""),
        ("/srv/gate", " --state-dir /srv/gate"),
        ("/srv/Gate 1", " --state-dir '/srv/Gate 1'"),
        ("gate", f" --state-dir {shlex.quote(str(Path('gate').absolute()))}"),
    ],
)
def test_a_directory_is_named_unless_it_is_the_default(directory: str | None, option: str) -> None:
    assert state_dir_option(None if directory is None else Path(directory), XDG) == option


def test_a_program_that_no_shell_finds_by_its_name_is_advised_by_the_way_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "a venv" / "bin"
    there.mkdir(parents=True)
    (there / PROGRAM).write_text("#!/bin/sh\n")
    (there / PROGRAM).chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert way_to(f"a venv/bin/{PROGRAM}") == f"'a venv/bin/{PROGRAM}'"
    monkeypatch.chdir(there)
    assert way_to(PROGRAM) == f"./{PROGRAM}"
    assert way_to("/somewhere/kiosk_client/__main__.py") == PROGRAM
    assert way_to(f"/gone/{PROGRAM}") == PROGRAM
    monkeypatch.setenv("PATH", str(there))
    assert way_to(str(there / PROGRAM)) == PROGRAM


@pytest.mark.parametrize("language", ["en", "de"])
def test_advised_commands_lead_to_the_program(language: str) -> None:
    here = wording_for(language, CommandLine(".venv/bin/stampgate-kiosk"))
    told = [here.fault(problem) for problem in here.faults] + list(here.steps_to_enrol) + [here.command("clock")]
    commands = [text for text in told if PROGRAM in text]
    assert [text for text in commands if ".venv/bin/stampgate-kiosk " not in text] == []
    cause = "Another stampgate-kiosk {options} is at work"
    assert here.fault("key-store", cause) == cause


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_command_that_is_advised_ends_with_the_options(language: str) -> None:
    here = wording_for(language, CommandLine(options=" --state-dir /srv/gate"))
    told = [here.fault(problem) for problem in here.faults] + list(here.steps_to_enrol) + [here.command("clock")]
    commands = [text for text in told if "stampgate-kiosk" in text]
    assert len(commands) >= 5
    assert [text for text in commands if not text.endswith(" --state-dir /srv/gate")] == []
    assert not any("{" in text for text in told)


async def test_what_is_advised_without_a_key_enrols_into_the_directory_that_was_given(
    gateway: FakeGateway, elsewhere: Path, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--state-dir", str(elsewhere))
    assert await cli("status", *given) == 3
    advised = capsys.readouterr().out.rpartition("Run: ")[2]
    for command in (("stamp", "clock_in", "-n", "42", "--pin-stdin"), ("change-key",)):
        assert await cli(*command, *given) == 3
        assert capsys.readouterr().err.endswith(f"Run: {advised}")
    program, *words = shlex.split(advised.replace("URL", gateway.url).replace("CODE", CODE))
    assert program == "stampgate-kiosk"
    assert await cli(*words, "--no-wait") == 0
    capsys.readouterr()
    assert KeyStore(elsewhere).load() is not None
    assert await cli("status", *given) == 3
    program, *words = shlex.split(capsys.readouterr().out.rpartition("The words are shown by: ")[2])
    gateway.approve()
    assert await cli(*words) == 0
    out = capsys.readouterr().out
    assert f"Next: stampgate-kiosk clock --state-dir '{elsewhere}'\n" in out
    assert f"How it stands: stampgate-kiosk status --state-dir '{elsewhere}'\n" in out
    assert await cli("enrol", gateway.url, "--code", CODE, *given) == 1
    assert capsys.readouterr().err.endswith(f"stampgate-kiosk status --state-dir '{elsewhere}'\n")


async def test_the_default_is_not_named(elsewhere: Path, cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    assert await cli("status") == 3
    assert capsys.readouterr().out.endswith("Run: stampgate-kiosk enrol URL --code CODE\n")


async def test_going_on_after_ctrl_c_finds_the_same_directory(
    gateway: FakeGateway, elsewhere: Path, cli: Cli, tmp_path: Path
) -> None:
    process = Forked(
        ("enrol", gateway.url, "--code", CODE, "--state-dir", str(elsewhere)),
        environment=os.environ,
        stdout=tmp_path / "out",
        stderr=tmp_path / "err",
        program="stampgate-kiosk",
    )
    await until(lambda: gateway.seen("/device") > 0)
    os.kill(process.pid, signal.SIGINT)
    await asyncio.to_thread(process.wait, 15)
    _, *words = shlex.split((tmp_path / "err").read_text("utf-8").rpartition("To go on: ")[2])
    gateway.approve()
    assert await cli(*words) == 0


async def test_the_clock_says_how_to_enrol_into_the_directory_that_was_given(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.setenv("COLUMNS", "250")  # so that nothing is wrapped
    terminal = Terminal("clock", "--state-dir", str(elsewhere))
    await terminal.shows(f"stampgate-kiosk enrol URL --code CODE --state-dir '{elsewhere}'")
    terminal.press("\x04")
    assert await terminal.exit_code() == 0
