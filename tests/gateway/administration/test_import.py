"""Importing people over HTTP: all of a file or nothing of it."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from gateway.people.routes import CSV_LIMIT
from tests.gateway.administration.requests import send

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company, Estate
    from tests.gateway.terminal import Reply


_numbers = itertools.count(700_001)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def estate(shared_estate: Estate) -> Estate:
    return shared_estate


async def put(ours: Company, data: bytes, *, query: str = "", content_type: str = "text/csv") -> Reply:
    path = f"/api/users/import{query}"
    return await send(ours.house, "POST", path, data, token=ours.hr.token, content_type=content_type)


async def names(ours: Company) -> set[str]:
    return {user.full_name for user in await ours.site.people.list_(ours.id, limit=100_000)}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("between", [";", ","])
async def test_a_file_adds_and_changes_people(ours: Company, between: str, mark: str) -> None:
    known, number = await ours.add(full_name="Jörg Alt"), next(_numbers)
    email, name = f"joerg{number}@example.com", f"Änne Öz {number}"
    lines = ["Name;Personalnummer;E-Mail", f"Jörg Neu;{known.personnel_number};{email}", f"{name};{number};", ""]
    reply = await put(ours, (mark + "\r\n".join(lines).replace(";", between)).encode())
    assert reply.body == {"created": 1, "updated": 1, "errors": []}
    user = await ours.site.people.get(known.id)
    assert (user.full_name, user.email, user.role, user.has_pin) == ("Jörg Neu", email, "employee", False)
    assert name in await names(ours)


async def test_with_any_fault_nobody_is_added_and_every_fault_has_its_line(ours: Company) -> None:
    before = await names(ours)
    lines = ["full_name;personnel_number;email", "Eva;0001;", ";0002;", "Jan;x;y", "Ina;0001;", "Ole;;", "A;1;a;b"]
    reply = await put(ours, "\n".join(lines).encode())
    assert reply.status == 200
    assert (reply.body["created"], reply.body["updated"]) == (0, 0)
    assert [fault["line"] for fault in reply.body["errors"]] == [3, 4, 4, 5, 6, 7]
    assert all(fault["message"] for fault in reply.body["errors"])
    assert await names(ours) == before


async def test_a_file_changes_nobody_who_administers_the_company(ours: Company) -> None:
    email = ours.owner.user.email
    reply = await put(ours, f"full_name;personnel_number;email\nMallory;0666;{email}\n".encode())
    assert [fault["line"] for fault in reply.body["errors"]] == [2]
    assert (await ours.site.people.get(ours.owner.user.id)).full_name == ours.owner.user.full_name


async def test_a_dry_run_tells_what_would_be_done_and_does_nothing(ours: Company) -> None:
    before = await names(ours)
    reply = await put(ours, b"full_name;personnel_number\nEva;0001\n", query="?dry_run=true")
    assert reply.body == {"created": 1, "updated": 0, "errors": []}
    assert await names(ours) == before


async def test_what_is_no_such_file_is_told_by_line(ours: Company) -> None:
    for data in (b"", b"\xff\xfe", b"\x00", b'"', b"full_name", b"a" * 200_000, b"\n" * 5000):
        reply = await put(ours, data)
        assert reply.status == 200, (data[:20], reply)
        assert reply.body["errors"][0]["line"] >= 1, data[:20]


async def test_only_a_csv_file_of_bearable_size_is_read(ours: Company) -> None:
    for content_type in ("application/json", "text/csv; charset=latin-1", "text/csvx", "text/csv;" + " " * 4000 + "x"):
        reply = await put(ours, b"x", content_type=content_type)
        assert (reply.status, reply.problem) == (415, "unsupported-media-type")
        assert "text/csv" in reply.body["detail"]
    assert (await put(ours, b"full_name", content_type='Text/CSV; charset="UTF-8"')).status == 200
    reply = await put(ours, b"a" * (CSV_LIMIT + 1))
    assert (reply.status, reply.problem) == (413, "body-too-large")
    assert (await put(ours, b"full_name")).status == 200, "over a connection of its own"


@pytest.mark.asyncio(loop_scope="function")
async def test_ten_thousand_lines_cost_less_than_five_seconds(both: Company) -> None:
    """Of this process, which is the client too: what else the machine does is not counted."""
    lines = [f"Person {number};{number:06};person{number}@example.com" for number in range(10_000)]
    data = "\n".join(["full_name;personnel_number;email", *lines]).encode()
    started = time.process_time()
    reply = await put(both, data)
    seconds = time.process_time() - started
    assert reply.body == {"created": 10_000, "updated": 0, "errors": []}
    assert seconds < 5.0, f"{seconds:.1f} s"
