"""The page "write your own client": its programs are taken from it and run as they stand, against a real gateway."""

from __future__ import annotations

import ast
import asyncio
import json
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crypto.enrolment_words import word_list
from tests.gateway.conftest import house, patience
from tests.protocol.vector_files import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.house import House

__all__ = ["house", "patience"]

PAGE = (Path(__file__).parents[2] / "docs" / "write-your-own-client.md").read_text("utf-8")
CLIENT, WORDS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SHORT_WAITS = """\
import time
wait = time.sleep
time.sleep = lambda seconds: wait(min(seconds, 0.1))
"""
A_WRONG_CLOCK = """\
import time
now = time.time
time.time = lambda: now() - 86_400
"""
A_WRONG_DATE_AT_FIRST = """\
import datetime, email.utils
read, wrong = email.utils.parsedate_to_datetime, [datetime.timedelta(hours=1)]
email.utils.parsedate_to_datetime = lambda text: read(text) + (wrong.pop() if wrong else datetime.timedelta())
"""
A_LOST_ANSWER_TO_THE_FIRST_STAMP = """\
import http.client
asked, answered, lost = http.client.HTTPConnection.request, http.client.HTTPConnection.getresponse, []
def request(self, method, target, *rest):
    self.target = target
    asked(self, method, target, *rest)
def getresponse(self):
    answer = answered(self)
    if self.target.endswith("/action") and not lost:
        lost.append(answer.read())
        raise TimeoutError("timed out")
    return answer
http.client.HTTPConnection.request, http.client.HTTPConnection.getresponse = request, getresponse
"""
THUMBPRINT = re.compile(rb"for IT to approve: ([\w-]{43})\n")


@asynccontextmanager
async def _running(
    house: House, directory: Path, *answers: str, before: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The page's client as a process of its own, in a session without a terminal, with what a person types.

    `before`: Python that runs first and makes its surroundings worse.
    """
    program = directory / "terminal.py"
    surroundings = f"exec({SHORT_WAITS + before!r}, {{}})\n"  # what they import is none of the client's
    program.write_text(surroundings + CLIENT, "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(program), house.url, str(directory / "terminal.key")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write("".join(f"{answer}\n" for answer in answers).encode())
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _approved(house: House, process: asyncio.subprocess.Process) -> str:
    """Approve it by the thumbprint it shows."""
    assert process.stdout is not None
    shown = THUMBPRINT.search(await process.stdout.readuntil(b"\n"))
    assert shown is not None
    thumbprint = shown[1].decode()
    devices = house.gateway.administration.devices
    (device,) = await devices.list_(house.company_id)
    await devices.approve(device.id, thumbprint=thumbprint, actor="cli")
    return thumbprint


async def test_the_client_of_the_page_goes_from_a_new_key_to_a_stamp_and_is_the_same_terminal_again(
    house: House, tmp_path: Path
) -> None:
    person = await house.person("0042")
    async with _running(house, tmp_path, await house.code(), person.number, person.pin, "clock_in") as process:
        thumbprint = await _approved(house, process)
        output, errors = await process.communicate()
        assert process.returncode == 0, errors
        assert b"Ada Winter can: clock_in\n" in output
    assert (tmp_path / "terminal.key").stat().st_mode & 0o777 == 0o600

    async with _running(house, tmp_path, "", person.number, person.pin, "break_start") as process:
        output, errors = await process.communicate()
        assert process.returncode == 0, errors
        assert thumbprint.encode() in output
    stamps = await house.stamps()
    assert [(stamp.action, stamp.tier, stamp.user_id) for stamp in stamps] == [
        ("clock_in", "kiosk", person.id),
        ("break_start", "kiosk", person.id),
    ]


async def test_the_client_of_the_page_says_why_it_is_refused(house: House, tmp_path: Path) -> None:
    await house.code()
    async with _running(house, tmp_path, "BBBB-BBBB") as process:
        _, errors = await process.communicate()
    assert process.returncode == 1
    assert errors.startswith(b"enrolment-code-invalid: ")


async def test_the_client_of_the_page_stamps_once_with_a_wrong_clock_a_clock_skew_and_a_lost_answer(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = await house.person("0042")
    answers = (await house.code(), person.number, person.pin, "clock_in")
    worse = A_WRONG_CLOCK + A_WRONG_DATE_AT_FIRST + A_LOST_ANSWER_TO_THE_FIRST_STAMP
    async with _running(house, tmp_path, *answers, before=worse) as process:
        await _approved(house, process)
        _, errors = await process.communicate()
        assert process.returncode == 0, errors
    assert errors.count(b"No answer") == 1
    assert capsys.readouterr().out.count("problem=clock-skew") == 1
    assert len(await house.stamps()) == 1


def test_the_client_of_the_page_has_under_60_lines_and_needs_cryptography_alone() -> None:
    assert len(CLIENT.splitlines()) < 60
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(CLIENT))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}


@pytest.mark.parametrize(
    "vector",
    json.loads((DIRECTORY / "enrolment-words.json").read_text("utf-8"))["vectors"],
    ids=lambda vector: " ".join(vector["words"]),
)
def test_the_words_of_the_page_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    names: dict[str, Any] = {}
    exec(WORDS, names)
    told = (vector["device_keyid"], vector["gateway_keyid"], vector["enrolment_id"])
    assert names["enrolment_words"](*told, word_list()) == vector["words"]
