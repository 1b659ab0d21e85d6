"""The way from an empty directory to a working gateway, typed as the README says.

On PostgreSQL: all other commands are typed on SQLite.
"""

from __future__ import annotations

import asyncio
import os
import stat
from typing import TYPE_CHECKING

import pytest

from crypto.device_keys import DeviceKey
from crypto.enrolment_words import enrolment_words
from gateway.administration import open_administration
from gateway.devices.models import ClientInfo, EnrolmentStarted
from gateway.settings import Settings
from tests.gateway.cli.command_line import Shell

if TYPE_CHECKING:
    from pathlib import Path


async def enrol(shell: Shell, code: str, key: DeviceKey) -> tuple[EnrolmentStarted, str]:
    """What a terminal does, beside the command line; with the gateway's keyid."""
    settings = Settings.load(
        data_dir=shell.data_dir, database_url=shell.environment.get("STAMPGATE_DATABASE_URL"), pin_hash_memory_kib=8
    )
    async with open_administration(settings, prepare=False) as site:
        started = await site.devices.enrol(code, key.public_key, ClientInfo("test", "1.0", "linux"))
        return started, site.secrets.gateway_key.keyid


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_from_nothing_to_a_working_gateway(database_url: str, tmp_path: Path) -> None:
    await asyncio.to_thread(first_steps, Shell(tmp_path, STAMPGATE_DATABASE_URL=database_url))


def first_steps(shell: Shell) -> None:
    made = shell.ok("init")
    assert "Made the secrets" in made.out
    assert "stampgate company add" in made.out
    assert stat.S_IMODE((shell.data_dir / "secrets.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(shell.data_dir.stat().st_mode) == 0o700
    assert "Found the secrets" in shell.ok("init").out

    shell.ok("company", "add", "Müller GmbH", "--timezone", "Europe/Vienna", "--locale", "de")
    company = shell.ok("company", "list", "--json").items[0]
    assert (company["name"], company["timezone"]) == ("Müller GmbH", "Europe/Vienna")

    assert "Added Anna Weber to Müller GmbH." in shell.ok("user", "add", "Anna Weber", "--number", "1042").out
    pin = shell.ok("user", "set-pin", "1042", "--json").json["pin"]
    assert len(pin) == 6
    shell.ok("user", "add", "Chef", "--email", "chef@example.com", "--role", "owner")
    shell.ok("user", "set-password", "chef@example.com", stdin="a good long password\n")
    assert [user["has_pin"] for user in shell.ok("user", "list", "--json").items] == [True, False]
    assert "chef@example.com" in shell.ok("user", "list", "--search", "chef").out

    added = shell.ok("device", "add", "Gate 1", "--location", "Hall", "--network", "10.0.0.0/8", "--json").json
    key = DeviceKey.generate(os.urandom)
    started, gateway_keyid = asyncio.run(enrol(shell, added["enrolment_code"], key))
    pending = shell.ok("device", "list", "--json").items[0]
    assert pending["state"] == "pending"
    assert "keyid" not in pending
    first, second = pending["words_asked"]
    assert f"asks for words {first} and {second}" in shell.ok("device", "list").out
    words = enrolment_words(key.keyid, gateway_keyid, started.enrolment_id)
    shell.ok(
        *("device", "approve", "gate 1"),
        *("--word", f"{first}={words[first - 1]}", "--word", f"{second}={words[second - 1].upper()}"),
    )
    assert shell.ok("device", "list", "--json").items[0]["keyid"] == key.keyid

    assert shell.ok("device", "suspend", "Gate 1", "--reason", "moving").out == "Gate 1 is suspended.\n"
    assert shell.ok("device", "resume", "Gate 1", "--json").json["state"] == "active"
    assert "10.1.0.0/16" in shell.ok("device", "set", "Gate 1", "--network", "10.1.0.0/16", "--json").out
    replaced = shell.ok("device", "replace", "Gate 1", "--json").json
    assert replaced["device"]["id"] == added["device"]["id"]
    assert shell.ok("device", "new-code", "Gate 1", "--json").json["enrolment_code"] != replaced["enrolment_code"]
    assert shell.ok("device", "revoke", "Gate 1").out == "Gate 1 is revoked.\n"

    link = shell.ok("public-link", "rotate", "--enable", "--json").json
    assert link["url"] == f"https://stamp.example.com/stamp#t={link['token']}"
    assert shell.ok("public-link", "show", "--json").json == {
        "enabled": True,
        "active": True,
        "version": 1,
        "created_at": link["created_at"],
    }
    assert "Link:           none" in shell.ok("public-link", "disable").out
    assert shell.ok("lockout", "list").out == "Nobody is locked.\n"

    names = [event["name"] for event in shell.ok("audit", "list", "--limit", "100", "--json").items]
    assert names[0] == "public_link.disabled"
    assert "device.approved" in names
    newest = shell.ok("audit", "list", "--limit", "1", "--json").json
    following = shell.ok("audit", "list", "--limit", "1", "--cursor", newest["next_cursor"], "--json").items
    assert following[0]["name"] == "public_link.rotated"
    assert pin not in shell.ok("audit", "list", "--limit", "1000").out

    assert shell.ok("db", "status", "--json").json["up_to_date"]
    doctor = shell.ok("doctor", "--json").json["findings"]
    assert {finding["about"] for finding in doctor} >= {"settings", "secrets", "database", "check value", "clock"}
