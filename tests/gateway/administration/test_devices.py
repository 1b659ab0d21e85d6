"""Terminals over HTTP, from a code to the end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from crypto.enrolment_words import enrolment_words
from tests.gateway.terminal import Terminal

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company, Estate
    from tests.gateway.terminal import Reply


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def estate(shared_estate: Estate) -> Estate:
    return shared_estate


async def registered(ours: Company) -> Reply:
    body = {"label": "Gate 1", "location": "North", "allowed_networks": ["127.0.0.0/8", "10.1.2.3"]}
    reply = await ours.it.call("POST", "/api/devices", body)
    assert reply.status == 201, reply
    return reply


async def pending(ours: Company) -> Terminal:
    reply = await registered(ours)
    terminal = Terminal(ours.house.http, ours.house.url, ours.house.clock)
    assert (await terminal.enrol(reply.body["enrolment_code"])).status == 201
    return terminal


async def test_a_terminal_is_registered_with_a_code_that_is_shown_this_once(ours: Company) -> None:
    reply = await registered(ours)
    code, device = reply.body["enrolment_code"], reply.body["device"]
    assert reply.body["enrolment_url"].endswith(f"/kiosk#enrol={code}")
    assert device["state"] == "registered"
    assert device["allowed_networks"] == ["127.0.0.0/8", "10.1.2.3/32"]
    assert device["code_expires_at"] == reply.body["expires_at"]
    for path in ("/api/devices", f"/api/devices/{device['id']}"):
        assert code not in str((await ours.it.call("GET", path)).body)
    again = await ours.it.call("POST", f"/api/devices/{device['id']}/enrolment-code")
    assert again.status == 201
    assert again.body["enrolment_code"] != code
    terminal = Terminal(ours.house.http, ours.house.url, ours.house.clock)
    assert (await terminal.enrol(code)).problem == "enrolment-code-invalid"
    assert (await terminal.enrol(again.body["enrolment_code"])).status == 201


async def test_while_it_waits_neither_words_nor_thumbprint_are_shown(ours: Company) -> None:
    async def told() -> str:
        return str([(await ours.it.call("GET", path)).body for path in ("/api/devices", "/api/audit")])

    before = await told()
    terminal = await pending(ours)
    keyid = ours.site.secrets.gateway_key.keyid
    stored = next(device for device in await ours.site.devices.list_(ours.id) if device.id == terminal.device_id)
    words = enrolment_words(terminal.key.keyid, keyid, stored.enrolment_id or "")
    reply = await ours.it.call("GET", f"/api/devices/{terminal.device_id}")
    assert reply.body["state"] == "pending"
    assert len(reply.body["words_asked"]) == 2
    shown = str(reply.body) + await told()
    assert terminal.key.keyid not in shown
    # Names of fields and values like "owner", which were there before, are among the 2,048 words.
    as_value = [re.compile(rf"'{word}'(?!:)") for word in words]
    assert not [each.pattern for each in as_value if each.search(shown) and not each.search(before)]


async def test_the_words_on_its_screen_let_it_in(ours: Company) -> None:
    terminal = await pending(ours)
    path = f"/api/devices/{terminal.device_id}"
    device = await ours.site.devices.get(terminal.device_id)
    words = enrolment_words(terminal.key.keyid, ours.site.secrets.gateway_key.keyid, device.enrolment_id or "")
    asked = (await ours.it.call("GET", path)).body["words_asked"]
    right = {str(place): words[place - 1] for place in asked}
    wrong = await ours.it.call("POST", f"{path}/approve", {"words": {str(place): "zebra" for place in asked}})
    assert (wrong.status, wrong.problem, wrong.body["tries_left"]) == (409, "words-mismatch", 2)
    slip = await ours.it.call("POST", f"{path}/approve", {"words": {"1": "zebra", "6": "x"}, "colour": 1})
    assert {fault["field"] for fault in slip.body["errors"]} >= {"words.6", "colour"}
    neither = await ours.it.call("POST", f"{path}/approve", {})
    assert (neither.status, neither.body["errors"][0]["field"]) == (400, "words")
    reply = await ours.it.call("POST", f"{path}/approve", {"words": right})
    assert reply.status == 200
    assert reply.body["device"]["state"] == "active"
    assert reply.body["device"]["keyid"] == terminal.key.keyid
    assert "words_asked" not in reply.body["device"]
    await ours.house.told()
    assert (await terminal.signed("GET", "/api/time/kiosk/device")).body["state"] == "active"


async def test_a_terminal_is_suspended_resumed_replaced_and_revoked(ours: Company) -> None:
    terminal = await ours.house.terminal()
    path = f"/api/devices/{terminal.device_id}"
    reply = await ours.it.call("POST", f"{path}/suspend", {"reason": "painting"})
    assert (reply.body["device"]["state"], reply.body["device"]["reason"]) == ("suspended", "painting")
    await ours.house.told()
    assert (await terminal.signed("GET", "/api/time/kiosk/device")).problem == "device-suspended"
    reply = await ours.it.call("POST", f"{path}/suspend")
    assert (reply.status, reply.problem, reply.body["state"]) == (409, "device-state-not-valid", "suspended")
    assert (await ours.it.call("POST", f"{path}/resume")).body["device"]["state"] == "active"
    replaced = await ours.it.call("POST", f"{path}/replace", {"reason": "broken"})
    assert replaced.status == 201
    assert replaced.body["device"]["state"] == "registered"
    new = Terminal(ours.house.http, ours.house.url, ours.house.clock)
    assert (await new.enrol(replaced.body["enrolment_code"])).status == 201
    assert new.device_id == terminal.device_id
    assert (await ours.it.call("POST", f"{path}/deny")).body["device"]["state"] == "registered"
    for _ in range(2):
        assert (await ours.it.call("POST", f"{path}/revoke")).body["device"]["state"] == "revoked"
    assert (await ours.it.call("POST", f"{path}/enrolment-code")).problem == "device-state-not-valid"


async def test_label_location_and_networks_are_changed_with_every_fault_at_once(ours: Company) -> None:
    path = f"/api/devices/{ours.device}"
    reply = await ours.it.call("PATCH", path, {"location": "South", "allowed_networks": []})
    assert (reply.body["label"], reply.body["location"], reply.body["allowed_networks"]) == ("Door", "South", [])
    reply = await ours.it.call("PATCH", path, {"label": " ", "allowed_networks": ["10.0.3.7/8", "x", "10.0.0.0/8"]})
    assert [fault["field"] for fault in reply.body["errors"]] == ["label", "allowed_networks.0", "allowed_networks.1"]
    reply = await ours.it.call("PATCH", path, {"label": None, "location": 3, "state": "active"})
    assert {fault["field"] for fault in reply.body["errors"]} == {"label", "location", "state"}
    assert (await ours.it.call("PATCH", path, {})).body["location"] == "South"
