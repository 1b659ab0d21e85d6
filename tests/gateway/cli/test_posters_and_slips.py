"""Files that commands make: the poster of a new link, and PIN slips."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from gateway.administration import open_administration
from gateway.settings import Settings
from tests.gateway.printing.pages import codes, page_sizes, page_texts, picture

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.cli.command_line import Shell


def valid_pins(shell: Shell) -> dict[str, bytes | None]:
    """Personnel number → PIN record, of everybody."""
    with closing(sqlite3.connect(shell.data_dir / "stampgate.db")) as database:
        return {number or "": pin for number, pin in database.execute("SELECT personnel_number, pin_record FROM users")}


def settings(shell: Shell) -> Settings:
    return Settings.load(data_dir=shell.data_dir, pin_hash_memory_kib=8, pin_hash_time=1)


def is_pin_of(shell: Shell, number: str, pin: str) -> bool:
    """Whether somebody could sign in with it."""
    record = valid_pins(shell)[number]

    async def verify() -> bool:
        async with open_administration(settings(shell), prepare=False) as site:
            return record is not None and site.pins.verify(record, pin)

    return asyncio.run(verify())


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def pin_on(page: str) -> str:
    """The PIN of a slip: the word behind its label, which is the last one."""
    return page.rpartition("PIN ")[2].split()[0]


@pytest.mark.parametrize(("ending", "paper"), [("PDF", "a3"), ("png", "a4")])
def test_a_new_link_comes_with_its_poster(ready: Shell, tmp_path: Path, ending: str, paper: str) -> None:
    file = tmp_path / f"poster.{ending}"
    ran = ready.ok("public-link", "rotate", "--enable", "--poster", str(file), "--paper", paper, "--json")
    content = file.read_bytes()
    assert codes(picture(content) if ending.lower() == "pdf" else content) == [ran.json["url"]]
    assert ran.json["poster"] == str(file)
    assert mode(file) == 0o600
    if ending == "PDF":
        assert page_sizes(content)[0] == pytest.approx((297, 420), abs=0.01)


def test_a_poster_is_svg_and_a4_and_bears_the_company(ready: Shell, tmp_path: Path) -> None:
    file = tmp_path / "poster.svg"
    ran = ready.ok("public-link", "rotate", "--poster", str(file))
    assert "Müller GmbH" in file.read_text()
    assert 'width="210mm"' in file.read_text()
    assert f"The poster is {file}." in ran.err


def test_a_poster_that_cannot_be_made_leaves_the_old_one_alive(ready: Shell, tmp_path: Path) -> None:
    (tmp_path / "there.pdf").write_text("mine")
    (tmp_path / "dangling.pdf").symlink_to(tmp_path / "elsewhere")
    ready.ok("public-link", "rotate")
    before = ready.ok("public-link", "show", "--json").json
    events = ready.ok("audit", "list", "--json").items
    for options, code, said in (
        (("--poster", "poster.txt"), 2, "poster.txt: the poster must end in .svg, .png, .pdf"),
        (("--poster", "poster"), 2, "poster: the poster must end in .svg, .png, .pdf"),
        (("--poster", "poster.pdf", "--paper", "a5"), 2, "paper: must be one of a4, a3"),
        (("--paper", "a3"), 2, "--paper goes with --poster FILE"),
        (("--poster", "no/where.pdf"), 1, "no/where.pdf: No such file or directory"),
        (("--poster", "there.pdf"), 1, "there.pdf: exists already, and nothing is overwritten"),
        (("--poster", "dangling.pdf"), 1, "dangling.pdf: exists already, and nothing is overwritten"),
    ):
        assert ready.refused("public-link", "rotate", *options, code=code) == said
    assert ready.ok("public-link", "show", "--json").json == before
    assert ready.ok("audit", "list", "--json").items == events
    assert (tmp_path / "there.pdf").read_text() == "mine"
    assert not (tmp_path / "poster.pdf").exists()


def test_a_slip_bears_the_pin_that_is_set_and_the_screen_does_not(ready: Shell, tmp_path: Path) -> None:
    ready.ok("user", "add", "Anna Müller", "--number", "1042")
    file = tmp_path / "slip.pdf"
    ran = ready.ok("user", "set-pin", "1042", "--slip", str(file))
    (page,) = page_texts(file.read_bytes())
    assert "Anna Müller" in page
    assert "Personalnummer" in page
    pin = pin_on(page)
    assert is_pin_of(ready, "1042", pin)
    assert pin not in ran.out + ran.err
    assert mode(file) == 0o600
    document = ready.ok("user", "set-pin", "1042", "--slip", str(tmp_path / "again.pdf"), "--json").json
    assert (document["slip"], "pin" in document) == (str(tmp_path / "again.pdf"), False)


def test_a_chosen_pin_gets_a_slip_and_a_refused_one_leaves_no_file(ready: Shell, tmp_path: Path) -> None:
    ready.ok("company", "set", "--locale", "en")
    ready.ok("user", "add", "Anna", "--number", "1042")
    ready.ok("user", "set-pin", "1042", "--pin", "739142", "--slip", "chosen.pdf")
    (page,) = page_texts((tmp_path / "chosen.pdf").read_bytes())
    assert "Personnel number" in page
    assert pin_on(page) == "739142"
    assert "must not be a date" in ready.refused(
        "user", "set-pin", "1042", "--pin", "111111", "--slip", "refused.pdf", code=2
    )
    assert not (tmp_path / "refused.pdf").exists()


def test_a_slip_that_cannot_be_written_leaves_the_pin_as_it_is(ready: Shell, tmp_path: Path) -> None:
    ready.ok("user", "add", "Anna", "--number", "1042")
    ready.ok("user", "set-pin", "1042", "--pin", "739142")
    (tmp_path / "there.pdf").write_text("mine")
    for file, code in (("there.pdf", 1), ("no/where.pdf", 1), ("slip.txt", 2)):
        assert file in ready.refused("user", "set-pin", "1042", "--slip", file, code=code)
    assert is_pin_of(ready, "1042", "739142")
    assert (tmp_path / "there.pdf").read_text() == "mine"


def test_everybody_active_without_a_pin_gets_one_and_nobody_else(ready: Shell, tmp_path: Path) -> None:
    for name, number in (("Anna", "1"), ("Bob", "2"), ("Çağ", "3"), ("Dora", "4")):
        ready.ok("user", "add", name, "--number", number)
    ready.ok("user", "add", "Owner", "--email", "owner@example.com")
    ready.ok("user", "set-pin", "2", "--pin", "739142")
    ready.ok("user", "deactivate", "4")
    ready.ok("company", "add", "Meier AG")
    ready.ok("user", "add", "Other", "--number", "9", "--company", "Meier AG")
    before = valid_pins(ready)
    ran = ready.ok("user", "set-pin", "--all-without-pin", "--slips", "slips.pdf", "--company", "Müller GmbH")
    pages = page_texts((tmp_path / "slips.pdf").read_bytes())
    assert [name for page in pages for name in ("Anna", "Bob", "Çağ", "Dora", "Other") if name in page] == [
        "Anna",
        "Çağ",
    ]
    after = valid_pins(ready)
    assert {number for number in after if after[number] != before[number]} == {"1", "3"}
    for page, number in zip(pages, ("1", "3"), strict=True):
        assert is_pin_of(ready, number, pin_on(page))
        assert pin_on(page) not in ran.out + ran.err
    assert mode(tmp_path / "slips.pdf") == 0o600
    said = ready.ok("user", "set-pin", "--all-without-pin", "--slips", "more.pdf", "--company", "Müller GmbH").out
    assert said == "Everybody active in Müller GmbH has a PIN.\n"
    assert not (tmp_path / "more.pdf").exists()
    other = ("user", "set-pin", "--all-without-pin", "--slips", "more.pdf", "--company", "Meier AG", "--json")
    assert ready.ok(*other).json == {"set": 1, "slips": "more.pdf"}
    assert ready.refused("user", "set-pin", "--all-without-pin", "--slips", "x.txt", "--company", "Meier AG", code=2)


@pytest.mark.parametrize(
    "options",
    [
        ("--all-without-pin",),
        ("--slips", "s.pdf"),
        ("1042", "--all-without-pin", "--slips", "s.pdf"),
        ("--all-without-pin", "--slips", "s.pdf", "--pin", "739142"),
        ("--all-without-pin", "--slips", "s.pdf", "--ask"),
        ("--all-without-pin", "--slip", "s.pdf"),
        (),
    ],
)
def test_half_of_what_all_needs_is_wrong_use(ready: Shell, tmp_path: Path, options: tuple[str, ...]) -> None:
    assert "--all-without-pin" in ready.refused("user", "set-pin", *options, code=2)
    assert not (tmp_path / "s.pdf").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ended_early_the_file_holds_exactly_the_pins_that_are_set(
    ready: Shell, tmp_path: Path, number: signal.Signals
) -> None:
    people = tmp_path / "people.csv"
    people.write_text("full_name;personnel_number\n" + "".join(f"Person {i};{i}\n" for i in range(400)))
    ready.ok("user", "import", str(people))
    file = tmp_path / "slips.pdf"
    process = ready.fork("user", "set-pin", "--all-without-pin", "--slips", str(file), stdout=tmp_path / "said")
    try:
        deadline = time.monotonic() + 60
        while sum(record is not None for record in valid_pins(ready).values()) < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)  # reading takes as much of the processor as the command
        os.kill(process.pid, number)
        assert process.wait(60) == 130
    finally:
        if process.poll() is None:
            process.kill()
    set_now = {number for number, record in valid_pins(ready).items() if record is not None}
    assert 3 <= len(set_now) < 400
    pages = page_texts(file.read_bytes())
    on_slips = {page.split("Personalnummer")[-1].split()[0]: pin_on(page) for page in pages}
    assert set(on_slips) == set_now
    latest = max(on_slips, key=int)
    assert is_pin_of(ready, latest, on_slips[latest])
