from __future__ import annotations

import asyncio
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.stamping.actions import Action
from gateway.stamping.corrections import Wish
from tests.gateway.cli.command_line import Shell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.house import House

BERLIN = ZoneInfo("Europe/Berlin")


async def test_stamps_are_listed_beside_the_gateway_with_their_tier_and_corrections(
    house: House, tmp_path: Path
) -> None:
    ada = await house.person("0042")
    await house.person("0043", name="Ben Sommer")
    terminal, phone = await house.terminal(), house.phone()
    await terminal.sign_in("0042", ada.pin)
    stamped = await terminal.act("clock_in")
    assert stamped.status == 201, stamped
    first = stamped.body["stamp"]["id"]
    await phone.sign_in("0043", ada.pin)
    assert (await phone.act("clock_in")).status == 201
    wish = Wish(
        user_id=ada.id, action=Action.CLOCK_IN, at=house.clock() - 3600, replaces=first, reason="stood in the queue"
    )
    await house.gateway.administration.corrections.correct(house.company_id, wish, made_by=ada.id)

    def looks() -> None:
        shell = Shell(tmp_path)
        told = shell.ok("stamp", "list").out.splitlines()
        assert told[0].split() == ["When", "Who", "What", "Tier", "Where", "Remarks"]
        ben, original, correction = told[1:]
        assert "Ben Sommer (0043)" in ben
        assert "phone" in ben
        assert "poster 1" in ben
        assert "Door" in original
        assert "corrected: counts no more" in original
        assert "instead of clock in at" in correction
        assert "stood in the queue" in correction
        items = shell.ok("stamp", "list", "--json").items
        assert [item["tier"] for item in items] == ["phone", "kiosk", "correction"]
        assert items[1]["id"] == first
        own = shell.ok("stamp", "list", "--person", "0042", "--limit", "1", "--json")
        assert [item["id"] for item in own.items] == [first]
        rest = shell.ok("stamp", "list", "--person", "ada winter", "--cursor", own.json["next_cursor"], "--json")
        assert [item["tier"] for item in rest.items] == ["correction"]
        assert "next_cursor" not in rest.json
        assert re.search(
            r"There are older ones: --cursor -?\d+\.[0-9a-f-]{36}$", shell.ok("stamp", "list", "--limit", "2").err
        )
        day = datetime.fromtimestamp(house.clock(), BERLIN).date()
        tomorrow = str(day + timedelta(days=1))
        assert len(shell.ok("stamp", "list", "--to", str(day), "--json").items) == 3
        assert shell.ok("stamp", "list", "--from", tomorrow).out == "There are no such stamps.\n"

    await asyncio.to_thread(looks)


def test_what_cannot_be_listed_is_said(ready: Shell) -> None:
    assert ready.ok("stamp", "list").out == "There are no stamps yet.\n"
    assert "there is no person 'Nobody'" in ready.refused("stamp", "list", "--person", "Nobody")
    assert "--cursor" in ready.refused("stamp", "list", "--cursor", "1; DROP", code=2)
    for typed in ("yesterday", "", "2026-02-30", "28.11.2026"):
        refused = ready.refused("stamp", "list", "--from", typed, code=2)
        assert refused == f"--from takes a day such as 2026-05-31, not {typed!r}"
    assert (
        ready.refused("stamp", "list", "--from", "2026-02-02", "--to", "2026-02-01", code=2) == "--to is before --from"
    )
    assert ready.ok("stamp", "list", "--from", "0001-01-01", "--to", "9999-12-31").out == "There are no such stamps.\n"
    behind_all = "1500.01a22043-e8e4-7000-8000-000000000000"
    assert ready.ok("stamp", "list", "--cursor", behind_all).out == "There are no older ones.\n"
