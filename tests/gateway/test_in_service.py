"""One gateway with `memory://` per data directory, and where it is reached."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from gateway.in_service import FILE_NAME, DataDirectoryInUse, address_in_service, in_service
from gateway.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

HERE, THERE = "http://localhost:8081", "http://localhost:8082"
HOLDS = """
import sys, time
from pathlib import Path
from gateway.in_service import in_service
from gateway.settings import Settings
with in_service(Settings(data_dir=Path(sys.argv[1])), "http://localhost:8081"):
    print("in service", flush=True)
    time.sleep(60)
"""


def settings(data_dir: Path, redis_url: str = "memory://") -> Settings:
    return Settings(data_dir=data_dir, redis_url=redis_url)


def test_with_memory_there_is_one(tmp_path: Path) -> None:
    with in_service(settings(tmp_path), HERE):
        for second in (settings(tmp_path), settings(tmp_path, "redis://localhost")):
            with pytest.raises(DataDirectoryInUse, match=f"served already, at {HERE}"), in_service(second, THERE):
                pytest.fail("two of them")
        assert address_in_service(tmp_path) == HERE


def test_with_a_redis_there_may_be_several_but_none_with_memory_beside_them(tmp_path: Path) -> None:
    several = settings(tmp_path, "redis://localhost")
    with in_service(several, HERE):
        with in_service(several, THERE):
            assert address_in_service(tmp_path) == HERE
            with pytest.raises(DataDirectoryInUse), in_service(settings(tmp_path), HERE):
                pytest.fail("it would count alone")
        assert address_in_service(tmp_path) == HERE


def test_nobody_is_in_service_after_the_end(tmp_path: Path) -> None:
    assert address_in_service(tmp_path) is None
    with in_service(settings(tmp_path), HERE):
        pass
    assert address_in_service(tmp_path) is None


def test_a_killed_gateway_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert address_in_service(tmp_path) == HERE
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with in_service(settings(tmp_path), THERE):
        assert address_in_service(tmp_path) == THERE


def test_a_look_does_not_keep_a_gateway_from_telling_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / FILE_NAME).touch()
    looking = os.open(tmp_path / FILE_NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("gateway.in_service.time.sleep", lambda _: os.close(looking))  # while the start waits
    with in_service(settings(tmp_path), HERE):
        assert address_in_service(tmp_path) == HERE


def test_two_commands_that_look_at_the_same_moment_take_each_other_for_no_gateway(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(HERE)
    looking = os.open(tmp_path / FILE_NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    assert address_in_service(tmp_path) is None
    os.close(looking)


def test_the_file_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    with in_service(settings(tmp_path), HERE):
        assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_deleting_the_file_lets_no_second_gateway_in(tmp_path: Path) -> None:
    with in_service(settings(tmp_path), HERE):
        (tmp_path / FILE_NAME).unlink()
        with pytest.raises(DataDirectoryInUse, match="at another port"), in_service(settings(tmp_path), THERE):
            pytest.fail("two of them")


def test_where_the_file_cannot_be_made_one_gateway_serves_and_no_command_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with in_service(settings(tmp_path), HERE):
        assert address_in_service(tmp_path) is None
        with pytest.raises(DataDirectoryInUse), in_service(settings(tmp_path), THERE):
            pytest.fail("two of them")
    assert "commands cannot be told the address" in capsys.readouterr().out


def test_a_link_or_a_pipe_under_that_name_is_neither_followed_nor_waited_for(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("do not overwrite")
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / FILE_NAME).symlink_to(precious)
    with in_service(settings(data_dir), HERE):
        assert address_in_service(data_dir) is None
    assert precious.read_text() == "do not overwrite"
    (data_dir / FILE_NAME).unlink()
    os.mkfifo(data_dir / FILE_NAME)
    with in_service(settings(data_dir), HERE):
        assert address_in_service(data_dir) is None


@pytest.mark.parametrize(
    "told",
    [
        b"http://x';touch /tmp/owned;'",
        b"http://localhost\x1b]0;owned\x07",
        b"http://localhost:8081/kiosk?next=",
        b"http://me:secret@localhost",
        b"javascript:alert(1)",
        b"\xff\xfe",
        b"",
    ],
)
def test_what_somebody_else_wrote_there_is_an_address_or_nothing(tmp_path: Path, told: bytes) -> None:
    with in_service(settings(tmp_path), HERE):
        (tmp_path / FILE_NAME).write_bytes(told)
        assert address_in_service(tmp_path) is None


def test_a_file_system_without_such_locks_is_served_and_that_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flock(_: int, __: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    (tmp_path / FILE_NAME).write_text(HERE)
    monkeypatch.setattr(fcntl, "flock", flock)
    with in_service(settings(tmp_path), THERE):
        assert address_in_service(tmp_path) is None
    assert "data directory cannot be locked" in capsys.readouterr().out
