"""Forms used as nobody should: the loop goes on, nothing is lost, and nobody gets a failure."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from typing import TYPE_CHECKING, Any

import pypdfium2
import pytest

from gateway.http.problems import Problem
from gateway.pages.console.texts import fault_text
from gateway.people import slip_jobs
from gateway.people.csv_import import read_sheet
from gateway.people.pin_slips import pin_slips_pdf
from storage.errors import StorageUnavailable
from tests.gateway.pages.console.visitor import Visitor, slips_ready, visitor_as
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from tests.gateway.house import House

FORMS = ("sign-in", "forgotten-password", "people/new", "terminals/new", "stamps/correct", "phone/rotate")


@pytest.mark.parametrize("length", [1_000, 200_000])
def test_a_fault_of_any_length_is_a_sentence_at_once(length: int) -> None:
    """The bound is far from what a machine needs, and from the minutes that two values of any length took."""
    began = time.process_time()
    for text in (" is" * length, "the column 'x" + " is" * length + "' is unknown", "a. " * length):
        assert fault_text(text, str)
    assert time.process_time() - began < 1.0


def test_a_heading_repeats_only_the_beginning_of_what_it_does_not_know() -> None:
    (fault, *_), limit = read_sheet(("name " * 1000 + ";x\n").encode()).faults, 100
    assert len(fault.message) < limit


async def test_bytes_that_are_no_text_are_refused_in_every_field(house: House) -> None:
    anybody, owner = Visitor(house), await visitor_as(house, "owner")
    await anybody.get("/console/sign-in")
    for form in FORMS:
        visitor = anybody if form in FORMS[:2] else owner
        for name in ("email", "full_name", "reason", "token", "file"):
            shown = await visitor.upload(f"/console/{form}", io.BytesIO(b"a\xffb"), name)
            assert shown.status in (400, 404), (form, name)


async def test_the_same_click_twice_makes_no_slip_that_is_wrong(house: House) -> None:
    site = house.gateway.administration
    numbers = [f"02{at:02}" for at in range(4)]
    for number in numbers:
        await site.people.add(house.company_id, full_name=f"No {number}", personnel_number=number, actor="cli")
    visitor = await visitor_as(house, "hr")
    for shown in await asyncio.gather(*(visitor.post("/console/people/slips") for _ in range(2))):
        assert shown.location == "/console/people/slips"
    await slips_ready(visitor)
    files = await asyncio.gather(*(visitor.post("/console/people/slips/fetch") for _ in range(2)))
    (file,) = [file for file in files if file.raw.startswith(b"%PDF")]
    slips, terminal = pages(file.raw), await house.terminal()
    assert sorted(number for number in numbers for slip in slips if number in slip.split()) == numbers
    for slip in slips:
        words = slip.split()
        number = next(one for one in numbers if one in words)
        pin = next(word for word in words if word.isdigit() and len(word) >= 6)
        assert (await terminal.sign_in(number, pin)).status == 200, number


async def test_slips_whose_download_the_browser_gave_up_are_given_to_the_next_click(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a double click a browser drops the first answer: the slips must not be in that one."""
    await house.gateway.administration.people.add(
        house.company_id, full_name="Ada Winter", personnel_number="0201", actor="cli"
    )
    visitor = await visitor_as(house, "hr")
    await visitor.post("/console/people/slips")
    await slips_ready(visitor)
    drawing, go_on, drawn = threading.Event(), threading.Event(), pin_slips_pdf

    def slowly(*arguments: Any) -> bytes:
        drawing.set()
        go_on.wait(10)
        return drawn(*arguments)

    monkeypatch.setattr(slip_jobs, "pin_slips_pdf", slowly)
    first = asyncio.create_task(visitor.post("/console/people/slips/fetch"))
    await until(drawing.is_set)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(visitor.post("/console/people/slips/fetch"))
    await until(lambda: bool(house.gateway.slip_jobs._drawing._waiters))
    go_on.set()
    assert "0201" in pages((await second).raw)[0]


async def test_slips_of_the_pins_that_were_set_are_given_whatever_ends_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = house.gateway.administration
    for at in range(5):
        await site.people.add(house.company_id, full_name=f"No {at}", personnel_number=f"030{at}", actor="cli")
    visitor, set_pin, count = await visitor_as(house, "hr"), site.people.set_pin, 0

    async def failing(*arguments: object, **options: object) -> str | None:
        nonlocal count
        count += 1
        if count == 2:
            raise Problem("conflict", "The personnel number was changed at the same moment: try again.")
        if count == 4:
            raise StorageUnavailable("away")
        return await set_pin(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(site.people, "set_pin", failing)
    await visitor.post("/console/people/slips")
    assert "Ended early PINs set: 2 of 4." in (await slips_ready(visitor)).words
    file = await visitor.post("/console/people/slips/fetch")
    assert len(pages(file.raw)) == 2
    monkeypatch.undo()
    assert "without a PIN: 3." in (await visitor.get("/console/people/slips")).words


async def test_signing_in_again_ends_the_session_of_before(house: House) -> None:
    visitor = await visitor_as(house, "owner")
    before = Visitor(house, cookies=dict(visitor.cookies))
    assert (await before.get("/console/account")).status == 200
    assert (await visitor.sign_in("owner@rosenthal.example")).status == 303
    assert (await visitor.get("/console/account")).status == 200
    assert (await before.get("/console/account")).status == 303


def pages(document: bytes) -> list[str]:
    with pypdfium2.PdfDocument(io.BytesIO(document)) as pdf:
        return [page.get_textpage().get_text_bounded() for page in pdf]
