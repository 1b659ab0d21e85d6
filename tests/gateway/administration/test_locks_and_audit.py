"""Locks and the audit trail over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.models import rfc3339

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company


async def test_who_is_locked_why_and_until_when(ours: Company) -> None:
    yearly = await ours.add_lock(reason="yearly", until=None, tier="phone")
    terminal = await ours.add_lock(scope="device", subject=ours.device, user_id=None)
    reply = await ours.hr.call("GET", "/api/lockouts")
    found = {lock["id"]: lock for lock in reply.body["items"]}
    assert found.keys() == {ours.lockout, yearly, terminal}
    assert found[ours.lockout]["user"]["id"] == ours.employee
    assert found[ours.lockout]["user"]["full_name"] == "Ada Winter"
    assert "until" not in found[yearly]
    assert found[terminal]["device_id"] == ours.device
    assert "subject" not in str(reply.body)


async def test_a_lock_is_ended_but_that_of_a_year_needs_a_new_pin(ours: Company) -> None:
    yearly = await ours.add_lock(reason="yearly", until=None)
    assert (await ours.it.call("DELETE", f"/api/lockouts/{ours.lockout}")).status == 204
    assert (await ours.it.call("DELETE", f"/api/lockouts/{ours.lockout}")).problem == "not-found"
    assert (await ours.it.call("DELETE", f"/api/lockouts/{yearly}")).problem == "conflict"
    for _ in range(3):
        await ours.add_lock()
    assert (await ours.it.call("DELETE", "/api/lockouts")).body == {"cleared": 3}
    assert [lock["id"] for lock in (await ours.it.call("GET", "/api/lockouts")).body["items"]] == [yearly]


async def test_unlocking_lets_somebody_in_who_was_locked_out(ours: Company) -> None:
    await ours.house.person("0101", "730291")
    terminal = await ours.house.terminal()
    for _ in range(6):
        last = await terminal.sign_in("0101", "000000")
    assert last.problem == "login-throttled"
    locks = (await ours.hr.call("GET", "/api/lockouts")).body["items"]
    mine = next(lock for lock in locks if lock["id"] != ours.lockout)
    assert (await ours.hr.call("DELETE", f"/api/lockouts/{mine['id']}")).status == 204
    await ours.house.told()
    assert (await terminal.sign_in("0101", "730291")).status == 200


async def test_the_trail_is_read_page_by_page_and_by_name(ours: Company) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        reply = await ours.it.call("GET", f"/api/audit?limit=4{cursor}")
        seen += [event["id"] for event in reply.body["items"]]
        if "next_cursor" not in reply.body:
            break
        cursor = f"&cursor={reply.body['next_cursor']}"
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) > 8
    only = (await ours.it.call("GET", "/api/audit?name=stamp.corrected")).body["items"]
    assert [event["name"] for event in only] == ["stamp.corrected"]
    assert only[0]["detail"]["correction"] == ours.correction
    reply = await ours.it.call("GET", "/api/audit?name=x&cursor=y")
    assert {fault["field"] for fault in reply.body["errors"]} == {"name", "cursor"}


async def test_the_trail_is_read_by_what_it_is_about_and_by_time(ours: Company) -> None:
    about = f"user:{ours.employee}"
    before = (await ours.it.call("GET", f"/api/audit?subject={about}")).body["items"]
    assert before
    assert {event["subject"] for event in before} == {about}
    ours.house.clock.move(86400)
    later = rfc3339(ours.house.clock())
    await ours.renew()
    await ours.hr.call("PATCH", f"/api/users/{ours.employee}", {"full_name": "Ada Sommer"})
    assert len((await ours.it.call("GET", f"/api/audit?subject={about}")).body["items"]) == len(before) + 1
    of_the_day = (await ours.it.call("GET", f"/api/audit?subject={about}&from={later}")).body["items"]
    assert [event["name"] for event in of_the_day] == ["user.changed"]
    assert (await ours.it.call("GET", f"/api/audit?subject={about}&to={later}")).body["items"] == before
    reply = await ours.it.call("GET", "/api/audit?subject=x&from=y&to=2026-01-01&name=z")
    assert {fault["field"] for fault in reply.body["errors"]} == {"subject", "from", "to", "name"}
