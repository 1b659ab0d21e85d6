"""`stampgate demo` as a process of its own: everything that it prints can be used, and is the same on every start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from typing import TYPE_CHECKING

import aiohttp

from gateway.listening import bind
from tests.gateway.forked import Forked
from tests.gateway.phone import Phone
from tests.gateway.serving_process import environment, stampgate
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READY = "Ctrl-C stops it."
ADD = r"^Add yours +(.*)$"


class Demo:
    """A demo that is running, by what it has printed."""

    def __init__(self, process: Forked, log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        return self._log.read_text("utf-8")

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.said, re.MULTILINE)
        assert match is not None, self.said
        return match[1]

    @property
    def url(self) -> str:
        return self.found(r"^Stampgate demo .* (http://\S+)$")

    async def stopped(self) -> int:
        """Return its exit code after Ctrl-C."""
        os.kill(self.process.pid, signal.SIGINT)
        return await asyncio.to_thread(self.process.wait, 20)


@contextlib.contextmanager
def demo(directory: Path, port: str = "0") -> Iterator[Demo]:
    directory.mkdir(exist_ok=True)
    log = directory / "log"
    log.write_bytes(b"")
    command = ["--data-dir", str(directory / "data"), "demo", "--port", port]
    process = Forked(command, environment=environment(), stdout=log)
    try:
        yield Demo(process, log)
    finally:
        if process.poll() is None:
            process.kill()


async def started(running: Demo) -> None:
    await until(lambda: READY in running.said or running.process.poll() is not None, 30)
    assert running.process.poll() is None, running.said


async def test_all_that_is_printed_works_and_comes_back(tmp_path: Path) -> None:
    with demo(tmp_path) as first:
        await started(first)
        url, people = first.url, re.findall(r"^(\S+ \S+) +(\d{4}) +(\d{6,12}) *$", first.said, re.MULTILINE)
        assert len(people) == 5
        assert re.search(
            r"signed stamp .*: .* · clock_in · tier kiosk\n +at [0-9:]{8} CES?T · [0-9a-f-]{36}$",
            first.said,
            re.MULTILINE,
        )
        async with aiohttp.ClientSession() as http:
            for path in ("/console/sign-in", "/kiosk", "/openapi.json", "/health/ready"):
                async with http.get(url + path) as answer:
                    assert answer.status == 200, path
            owner = {
                "email": first.found(r"^Owner +(\S+@\S+)"),
                "password": first.found(r"^Owner .*password (\S+)$"),
            }
            async with http.post(f"{url}/api/auth/login", json=owner) as answer:
                assert answer.status == 200
            phone = Phone(http, url, first.found(r"^Phone +\S+#t=(\S+)$"))
            assert (await phone.sign_in(people[3][1], people[3][2])).status == 200
            assert (await phone.act("clock_in")).status == 201
        _, *add = shlex.split(first.found(ADD))
        added = await asyncio.to_thread(stampgate, *add)
        assert f"{url}/kiosk#enrol=" in added.stdout  # another port than the usual one
        _, *approve = shlex.split(re.findall(r"^Then: (.*)$", added.stderr, re.MULTILINE)[0])
        early = await asyncio.to_thread(stampgate, *approve, "--word", "1=apple")
        assert "there is no" not in early.stderr  # the line finds gateway and terminal; nobody has enrolled there
        lan = shlex.split(first.found(r"^For a real phone end this one, then: (.*)$"))
        assert lan[1:] == ["--data-dir", str(tmp_path / "data"), "demo", "--lan", "--port", url.rpartition(":")[2]]
        beside = await asyncio.to_thread(stampgate, "demo", "--port", "0", "--data-dir", str(tmp_path / "data"))
        assert beside.returncode == 1
        assert beside.stderr.splitlines() == [
            f"stampgate: {tmp_path / 'data'} is served already, at {url}: end that gateway first, or choose another "
            "--data-dir"
        ]
        same = await asyncio.to_thread(
            stampgate, "demo", "--port", url.rpartition(":")[2], "--data-dir", str(tmp_path / "data")
        )
        assert (same.returncode, same.stderr) == (1, beside.stderr)
        assert await first.stopped() == 0
        assert "Stopped." in first.said
        kept = [line for line in first.said.splitlines() if line.startswith(("Ada", "Owner", "Phone"))]
    with demo(tmp_path, url.rpartition(":")[2]) as second:
        await started(second)
        assert [line for line in second.said.splitlines() if line.startswith(("Ada", "Owner", "Phone"))] == kept
        async with aiohttp.ClientSession() as http:
            phone = Phone(http, url, second.found(r"^Phone +\S+#t=(\S+)$"))
            assert (await phone.sign_in(people[3][1], people[3][2])).status == 200
            assert (await phone.act("clock_in")).status == 409  # it knows what was stamped before
        assert await second.stopped() == 0


async def test_a_busy_port_is_said_in_one_line(tmp_path: Path) -> None:
    with bind("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        ended = await asyncio.to_thread(stampgate, "demo", "--port", port, "--data-dir", str(tmp_path / "data"))
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        f"stampgate: cannot listen on 127.0.0.1 port {port}: it is in use already; choose another with --port"
    ]
    assert not (tmp_path / "data" / "stampgate.db").exists()
