"""One gateway with `memory://` per data directory, and where it is reached."""

from __future__ import annotations

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
    with in_service(several, HERE), in_service(several, THERE):
        assert address_in_service(tmp_path) == THERE
        with pytest.raises(DataDirectoryInUse), in_service(settings(tmp_path), HERE):
            pytest.fail("it would count alone")


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


def test_a_look_does_not_keep_a_gateway_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    (tmp_path / FILE_NAME).touch()
    looking = os.open(tmp_path / FILE_NAME, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_EX)
    monkeypatch.setattr("gateway.in_service.time.sleep", lambda _: os.close(looking))  # while the start waits
    with in_service(settings(tmp_path), HERE):
        assert address_in_service(tmp_path) == HERE


def test_the_file_is_readable_for_its_owner_alone(tmp_path: Path) -> None:
    with in_service(settings(tmp_path), HERE):
        assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_where_the_file_cannot_be_made_the_gateway_serves_all_the_same(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with in_service(settings(tmp_path), HERE):
        assert address_in_service(tmp_path) is None
