"""Lists of stamps and who is in, and stamps as a file that a spreadsheet opens rightly and safely."""

from __future__ import annotations

import csv
import io
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from gateway.accounts.roles import CONFIRMED_FOR_SECONDS
from gateway.http.models import rfc3339
from gateway.stamping.export import as_text, csv_file
from gateway.stamping.history import EXPORT_PAGE
from storage.stamp_history import ListedStamp
from storage.stamps import stamps
from tests.gateway.administration.requests import send

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.gateway.administration.estate import Company
    from tests.gateway.signed_in import SignedInPerson
    from tests.gateway.terminal import Reply

START = 1_769_840_000.0
"""31 January 2026, 07:13:20 in Berlin."""


async def export(who: SignedInPerson, query: str = "") -> Reply:
    return await send(who.house, "GET", f"/api/stamps?format=csv{query}", token=who.token)


def read(reply: Reply, between: str = ";") -> list[dict[str, str]]:
    assert reply.status == 200, reply
    text = str(reply.body)
    assert text.startswith("\ufeff")
    assert text.count("\r\n") == text.count("\n")
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), delimiter=between))


async def fill(company: Company, user_id: str, count: int) -> None:
    """Many stamps of one person, one a minute, written past the rules."""
    rows = [
        {
            "id": company.site.new_id(),
            "company_id": company.id,
            "user_id": user_id,
            "sequence": 1000 + number,
            "stamp_id": company.site.new_id(),
            "action": "clock_in",
            "at": START + 60 * number,
            "tier": "kiosk",
            "request_id": company.site.new_id(),
        }
        for number in range(count)
    ]
    async with company.site.database.write() as connection:
        await connection.execute(stamps.insert(), rows)


async def test_stamps_and_corrections_come_in_one_list_page_by_page(both: Company) -> None:
    user = (await both.add()).id
    await fill(both, user, 20)
    for number in (3, 3.5, 7):
        at = rfc3339(START + 60 * number)
        body = {"user_id": user, "action": "clock_out", "at": at, "reason": "x"}
        assert (await both.hr.call("POST", "/api/stamps", body)).status == 201
    part = f"from={rfc3339(START + 60)}&to={rfc3339(START + 300)}"
    for query, count in ((f"user={user}", 23), (f"user={user}&{part}", 6)):
        seen: list[dict[str, Any]] = []
        cursor = ""
        while True:
            reply = await both.hr.call("GET", f"/api/stamps?{query}&limit=4{cursor}")
            seen += reply.body["items"]
            if "next_cursor" not in reply.body:
                break
            cursor = f"&cursor={reply.body['next_cursor']}"
        assert len(seen) == len({item["id"] for item in seen}) == count
        assert [item["at"] for item in seen] == sorted((item["at"] for item in seen), reverse=True)


async def test_everybody_sees_their_own_and_only_hr_those_of_others(ours: Company) -> None:
    person = ours.somebody
    await ours.act("clock_in", person.user.id)
    for query in ("", f"?user={person.user.id}"):
        reply = await person.call("GET", f"/api/stamps{query}")
        assert [item["user_id"] for item in reply.body["items"]] == [person.user.id]
    for query in (f"?user={ours.employee}", "?user=0190b0e0-6f5a-7000-8000-000000000000"):
        for found in (person, ours.it):
            assert (await found.call("GET", f"/api/stamps{query}")).problem == "not-allowed"
    assert {item["user_id"] for item in (await ours.hr.call("GET", "/api/stamps")).body["items"]} == {
        *(person.user.id, ours.employee),
    }


async def test_every_fault_of_a_query_is_named_at_once(ours: Company) -> None:
    query = "from=yesterday&to=2026-01-31T00:00:00&user=x&cursor=y&limit=1000&format=pdf&colour=red"
    reply = await ours.hr.call("GET", f"/api/stamps?{query}")
    wanted = {"from", "to", "user", "cursor", "limit", "format", "colour"}
    assert {fault["field"] for fault in reply.body["errors"]} == wanted
    cursor = f"&cursor=1.{ours.stamp}"
    assert (await export(ours.hr, cursor)).body["errors"][0]["field"] == "cursor"


async def test_who_is_in_and_who_is_where(ours: Company) -> None:
    for name, actions in {"Ann": "clock_in", "Bob": "clock_in break_start", "Cat": "clock_in clock_out"}.items():
        person = await ours.add(full_name=name)
        for action in actions.split():
            await ours.act(action, person.id)
    new = (await ours.add(full_name="New")).id
    gone = (await ours.add(full_name="Dan")).id
    await ours.act("clock_in", gone)
    await ours.site.people.set_active(gone, False, actor="cli")

    async def listed(query: str = "") -> dict[str, str]:
        items = (await ours.hr.call("GET", f"/api/presence{query}")).body["items"]
        return {item["full_name"]: item["state"] for item in items}

    assert await listed() == {"Ada Winter": "in", "Ann": "in", "Bob": "break"}
    assert await listed("?state=break") == {"Bob": "break"}
    out = {item["full_name"]: item for item in (await ours.hr.call("GET", "/api/presence?state=out")).body["items"]}
    assert "since" in out["Cat"]
    assert out["New"].items() >= {"user_id": new, "state": "out", "worked_today_seconds": 0}.items()
    assert "since" not in out["New"]
    first = await ours.hr.call("GET", "/api/presence?limit=2")
    rest = await listed(f"?limit=2&cursor={first.body['next_cursor']}")
    assert rest == {"Bob": "break"}
    item = (await ours.hr.call("GET", "/api/presence?state=in")).body["items"][1]
    assert item.keys() == {"user_id", "full_name", "personnel_number", "state", "since", "worked_today_seconds"}


@pytest.mark.parametrize(("locale", "between"), [("de", ";"), ("en", ",")])
async def test_a_file_has_local_and_utc_times_in_the_words_of_the_company(
    ours: Company, locale: str, between: str
) -> None:
    await ours.site.companies.update(ours.id, {"locale": locale}, actor="cli")
    user = await ours.add(full_name="Jörg Öz", personnel_number="0042")
    await fill(ours, user.id, 2)
    reply = await export(ours.hr, f"&user={user.id}")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["Content-Disposition"] == 'attachment; filename="stamps.csv"'
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["X-Request-ID"]
    rows = read(reply, between)
    headings = {
        "de": ["Name", "Personalnummer", "Aktion", "Datum", "Uhrzeit", "Zeit (UTC)"],
        "en": ["Name", "Personnel number", "Action", "Date", "Time", "Time (UTC)"],
    }[locale]
    action = {"de": "Kommen", "en": "Clock in"}[locale]
    values = [[row[heading] for heading in headings] for row in rows]
    assert values == [
        ["Jörg Öz", "0042", action, "2026-01-31", "07:13:20", "2026-01-31T06:13:20.000Z"],
        ["Jörg Öz", "0042", action, "2026-01-31", "07:14:20", "2026-01-31T06:14:20.000Z"],
    ]


async def test_a_file_shows_what_was_corrected_why_and_by_whom(ours: Company) -> None:
    rows = read(await export(ours.hr, f"&user={ours.employee}"))
    assert [(row["Zählt"], row["Weg"]) for row in rows] == [("ja", "Korrektur"), ("nein", "Terminal")]
    assert rows[0]["Grund"] == "forgot"
    assert rows[0]["Korrigiert von"] == ours.owner.user.full_name
    assert rows[0]["Ersetzt"] == rows[1]["Stempel"] == ours.stamp
    assert rows[1]["Terminal"] == "Door"


async def test_no_cell_of_a_file_is_a_formula(ours: Company) -> None:
    evil = "=cmd|' /C calc'!A0"
    user = await ours.add(full_name=evil)
    await fill(ours, user.id, 1)
    assert read(await export(ours.hr, f"&user={user.id}"))[0]["Name"] == f"'{evil}"
    for start in "=+-@\t\r":
        assert as_text(f"{start}1") == f"'{start}1"
    for harmless in ("", "1", "Ann-Marie", "a=b", " =1"):
        assert as_text(harmless) == harmless


async def test_a_file_of_others_is_sensitive_and_an_audit_event_and_ones_own_is_not(ours: Company) -> None:
    await ours.act("clock_in", ours.somebody.user.id)
    assert (await export(ours.hr)).status == 200
    trail = (await ours.owner.call("GET", "/api/audit?name=stamps.exported")).body["items"]
    assert [event["actor"] for event in trail] == [f"user:{ours.hr.user.id}"]
    for who in (ours.it, ours.somebody):
        assert (await export(who, f"&user={ours.employee}")).body["type"].endswith("/not-allowed")
    ours.house.clock.move(CONFIRMED_FOR_SECONDS + 5)
    for query in ("", f"&user={ours.employee}"):
        assert (await export(ours.hr, query)).body["type"].endswith("/confirmation-required")
    assert (await ours.hr.call("GET", "/api/stamps")).status == 200
    assert len(read(await export(ours.somebody))) == 1


async def test_a_file_of_many_pages_is_complete_and_in_order(ours: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.stamping.history.EXPORT_PAGE", 20)
    user = (await ours.add()).id
    count = 47
    await fill(ours, user, count)
    rows = read(await export(ours.hr, f"&user={user}"))
    times = [row["Zeit (UTC)"] for row in rows]
    assert len(times) == count
    assert times == sorted(times)


async def test_a_file_of_any_length_is_made_in_little_memory() -> None:
    async def many() -> AsyncIterator[ListedStamp]:
        for number in range(8_000):
            yield ListedStamp(
                id=f"{number:036}",
                company_id="c",
                user_id="u",
                full_name="Ada Winter",
                personnel_number="0042",
                action="clock_in",
                at=START + number,
                tier="kiosk",
            )

    tracemalloc.start()
    try:
        written = 0
        async for piece in csv_file(many(), "de", "Europe/Berlin"):
            written += len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert written > 800_000
    assert peak < 1_000_000, "the whole file and what it is made from would be more"


async def test_who_hangs_up_in_the_middle_of_a_file_disturbs_nobody(ours: Company) -> None:
    user = (await ours.add()).id
    await fill(ours, user, 3 * EXPORT_PAGE)
    headers = {"Authorization": f"Bearer {ours.hr.token}"}
    async with ours.house.http.get(f"{ours.house.url}/api/stamps?format=csv", headers=headers) as answer:
        await answer.content.read(10)
        answer.close()
    assert len(read(await export(ours.hr, f"&user={user}"))) == 3 * EXPORT_PAGE
