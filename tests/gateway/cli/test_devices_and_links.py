from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from contextlib import closing

import pytest

from crypto.device_keys import DeviceKey
from tests.gateway.cli.command_line import Shell
from tests.gateway.cli.test_first_steps import enrol
from tests.gateway.kept import copy_to


@pytest.fixture(scope="module")
def enrolled(initialised: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> tuple[DeviceKey, bytes]:
    """The key of a terminal, and the database in which it waits for approval."""
    shell, key = Shell(tmp_path_factory.mktemp("enrolled")), DeviceKey.generate(os.urandom)
    copy_to(shell.data_dir, initialised)
    code = shell.ok("device", "add", "Gate 1", "--json").json["enrolment_code"]
    asyncio.run(enrol(shell, code, key))
    return key, (shell.data_dir / "stampgate.db").read_bytes()


@pytest.fixture
def pending(ready: Shell, enrolled: tuple[DeviceKey, bytes]) -> DeviceKey:
    """The key of a terminal that waits for approval."""
    key, database = enrolled
    (ready.data_dir / "stampgate.db").write_bytes(database)
    return key


def test_a_code_is_shown_with_its_address_and_qr(ready: Shell) -> None:
    added = ready.ok("device", "add", "Gate 1")
    code = added.out.splitlines()[0].removeprefix("Enrolment code of Gate 1: ")
    assert f"https://stamp.example.com/kiosk#enrol={code}" in added.out
    assert "█▀" in added.out
    assert "shown this once" in added.err


def test_a_thumbprint_approves_as_well(ready: Shell, pending: DeviceKey) -> None:
    assert ready.ok("device", "approve", "Gate 1", "--thumbprint", pending.keyid).out == "Gate 1 is active.\n"


def test_the_list_shows_how_old_a_key_is_and_what_needs_attention(ready: Shell, pending: DeviceKey) -> None:
    ready.ok("device", "approve", "Gate 1", "--thumbprint", pending.keyid)
    fresh = ready.ok("device", "list", "--json").items[0]
    assert fresh["needs_attention"] == []
    assert fresh["key_created_at"] < fresh["key_expires_at"]
    days = 80 * 86_400_000
    with closing(sqlite3.connect(ready.data_dir / "stampgate.db")) as database, database:
        database.execute(
            "UPDATE device_keys SET created_at = created_at - ?, expires_at = expires_at - ?", (days, days)
        )
        database.execute("UPDATE devices SET approved_at = approved_at - ?", (days,))
    assert ready.ok("device", "list", "--json").items[0]["needs_attention"] == ["silent", "key ends"]
    said = ready.ok("device", "list").out
    assert "active, silent, key ends" in said
    assert "80 d" in said


def test_wrong_words_are_counted_and_slips_are_not(ready: Shell, pending: DeviceKey) -> None:
    first, second = ready.ok("device", "list", "--json").items[0]["words_asked"]
    wrong = ("--word", f"{first}=zebra", "--word", f"{second}=zebra")
    for slip in (
        ("--word", "apple"),
        ("--word", "2="),
        ("--word", "²=apple"),
        ("--word", "2=a", "--word", "2=b"),
        ("--word", f"{first}=apple"),
        (*wrong, "--thumbprint", pending.keyid),
    ):
        ready.refused("device", "approve", "Gate 1", *slip, code=2)
    assert "2 tries are left" in ready.refused("device", "approve", "Gate 1", *wrong)
    assert "1 try is left" in ready.refused("device", "approve", "Gate 1", *wrong)
    assert "The enrolment is denied" in ready.refused("device", "approve", "Gate 1", *wrong)
    said = ready.refused("device", "approve", "Gate 1", "--thumbprint", pending.keyid)
    assert said == "The terminal is registered: it cannot be approved."


def test_approving_what_does_not_wait_is_said_before_anything_is_asked(ready: Shell) -> None:
    ready.ok("device", "add", "Gate 1")
    said = ready.refused("device", "approve", "Gate 1")
    assert said == "Gate 1 is registered: it does not wait for approval"


def test_words_that_nobody_can_be_asked_for_are_named_as_options(ready: Shell, pending: DeviceKey) -> None:
    first, _ = ready.ok("device", "list", "--json").items[0]["words_asked"]
    said = ready.refused("device", "approve", "Gate 1", code=2)
    assert f"nobody is there to answer; give it as --word {first}=WORD" in said


def test_a_terminal_can_be_denied(ready: Shell, pending: DeviceKey) -> None:
    assert ready.ok("device", "deny", "Gate 1", "--reason", "nobody there", "--json").json["state"] == "registered"


def test_of_equal_labels_the_one_in_use_is_meant_and_two_in_use_are_refused(ready: Shell) -> None:
    old = ready.ok("device", "add", "Gate 1", "--json").json["device"]["id"]
    ready.ok("device", "revoke", old)
    new = ready.ok("device", "add", "Gate 1", "--json").json["device"]["id"]
    assert ready.ok("device", "new-code", "Gate 1", "--json").json["device"]["id"] == new
    second = ready.ok("device", "add", "Gate 1", "--company", "Müller GmbH")
    assert "Another terminal is called Gate 1 too" in second.err
    (third,) = set(re.findall(r"device approve (\S+) --company 'Müller GmbH'$", second.err, re.MULTILINE))
    refused = ready.refused("device", "revoke", "Gate 1", code=2)
    assert "names 2 terminals; say which by" in refused
    assert f"{new} (registered)" in refused
    assert f"{third} (registered)" in refused
    assert "there is no terminal 'Gate 9'" in ready.refused("device", "revoke", "Gate 9")


def test_what_is_advised_names_exactly_one_terminal(ready: Shell) -> None:
    first = ready.ok("device", "add", "Gate 1", "--company", "Müller GmbH", "--json").json["device"]["id"]
    ready.ok("company", "add", "Rosenthal")
    ready.ok("device", "add", "Gate 1", "--company", "Rosenthal")
    assert f"device approve {first}\n" in ready.ok("device", "new-code", first).err
    within = ready.ok("device", "new-code", first, "--company", "Müller GmbH").err
    assert "device approve 'Gate 1' --company 'Müller GmbH'\n" in within
    dashed = ready.ok("device", "add", "--company", "Rosenthal", "--", "--help").err
    assert re.search(r"device approve [0-9a-f-]{36} --company Rosenthal$", dashed, re.MULTILINE)


def test_what_is_advised_of_a_link_names_the_company(ready: Shell) -> None:
    ready.ok("company", "add", "Rosenthal")
    ready.ok("public-link", "enable", "--company", "Rosenthal")
    said = ready.ok("public-link", "show", "--company", "Rosenthal").err
    assert "public-link rotate --company Rosenthal\n" in said


def test_an_empty_network_means_anywhere_for_a_new_terminal_too(ready: Shell) -> None:
    added = ready.ok("device", "add", "Gate 1", "--network", "", "--json").json
    assert added["device"]["allowed_networks"] == []


def test_every_fault_of_a_new_terminal_is_told_at_once(ready: Shell) -> None:
    said = ready.refused("device", "add", "x" * 101, "--network", "10.0.0.1/8", "--network", "home", code=2)
    assert "label: must be 100 characters or fewer; allowed networks 1: " in said
    assert "allowed networks 2: " in said
    assert "nothing to change" in ready.refused("device", "set", "Gate 1", code=2)


def test_a_link_says_when_phone_stamping_is_off(ready: Shell) -> None:
    rotated = ready.ok("public-link", "rotate")
    assert "https://stamp.example.com/stamp#t=" in rotated.out
    assert "█▀" in rotated.out
    assert "public-link enable" in rotated.err
    enabled = ready.ok("public-link", "enable", "--json").json
    assert (enabled["enabled"], enabled["version"]) == (True, 1)
    assert "Link:           number 1, since " in ready.ok("public-link", "show").out
    assert "public-link enable" not in ready.ok("public-link", "rotate").err
    ready.ok("public-link", "disable")
    shown = ready.ok("public-link", "show")
    assert shown.out == "Phone stamping: on\nLink:           none\n"
    assert "public-link rotate" in shown.err


def test_an_event_of_unknown_name_is_wrong_use(ready: Shell) -> None:
    assert ready.refused("audit", "list", "--name", "no.such", code=2) == "name: is not the name of an event"
    assert "Nothing has happened yet." in ready.ok("audit", "list", "--name", "pin.set").out
    ready.ok("company", "set", "--phone", "on")
    assert "--cursor" in ready.ok("audit", "list", "--limit", "1").err


def test_the_trail_names_people_terminals_and_companies(ready: Shell) -> None:
    ready.ok("user", "add", "Anna Weber", "--number", "1042")
    ready.ok("device", "add", "Door")
    ready.ok("company", "set", "--phone", "on")
    listed = ready.ok("audit", "list").out
    company = ready.ok("company", "list", "--json").items[0]["name"]
    about = [line.split("  ") for line in listed.splitlines()[1:]]
    assert {"Anna Weber", "Door", company} <= {cell.strip() for row in about for cell in row}
    assert not re.search("(user|device|company):[0-9a-f]{8}-", listed)
    assert any(event["subject"].startswith("device:") for event in ready.ok("audit", "list", "--json").items)
