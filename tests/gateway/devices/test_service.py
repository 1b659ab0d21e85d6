from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from crypto.device_keys import DeviceKey, WeakKey
from crypto.enrolment_words import enrolment_words
from gateway.devices.heartbeats import Heartbeat, Heartbeats
from gateway.devices.models import ClientInfo, EnrolmentStarted
from gateway.http.problems import Problem
from storage import devices, known_keys
from tests.gateway.administered_site import changes, event_names, events
from tests.gateway.site_fixtures import on_both

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage.companies import Company
    from storage.devices import Device
    from tests.gateway.administered_site import MovedClock

CLIENT = ClientInfo("test", "1.0", "linux")


async def enrolled(site: Administration, company: Company, key: DeviceKey) -> EnrolmentStarted:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    return await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)


def words_of(site: Administration, key: DeviceKey, started: EnrolmentStarted, device: Device) -> dict[int, str]:
    """What somebody in front of the terminal reads."""
    words = enrolment_words(key.keyid, site.secrets.gateway_key.keyid, started.enrolment_id)
    assert device.words_asked is not None
    return {position: words[position - 1] for position in device.words_asked}


async def activated(site: Administration, company: Company, key: DeviceKey) -> Device:
    started = await enrolled(site, company, key)
    return await site.devices.approve(started.device_id, thumbprint=key.keyid, actor="cli")


@pytest.fixture
def key() -> DeviceKey:
    return DeviceKey.generate(os.urandom)


async def test_registering_gives_a_code_and_an_address_and_stores_neither(
    site: Administration, company: Company, clock: MovedClock
) -> None:
    registered = await site.devices.register(
        company.id, " Gate  1 ", "Hall", ["10.0.0.0/8", "2001:db8::1"], actor="user:1", request_id="r"
    )
    code = registered.enrolment_code
    assert registered.enrolment_url == f"https://stamp.example.com/kiosk#enrol={code}"
    assert registered.expires_at == clock.now + 1800
    assert (registered.device.label, registered.device.location) == ("Gate 1", "Hall")
    assert registered.device.allowed_networks == ("10.0.0.0/8", "2001:db8::1/128")
    assert code not in repr(registered)
    async with site.database.read() as connection:
        stored = await devices.get(connection, registered.device.id)
    assert stored is not None
    assert code.encode() not in (stored.code_hash or b"")
    assert (await events(site))[-1].actor == "user:1"


async def test_every_fault_of_a_registration_is_told_at_once(site: Administration, company: Company) -> None:
    with pytest.raises(Problem) as refused:
        await site.devices.register(company.id, " ", "x" * 201, ["10.0.0.1/8", "nonsense", "::/0"], actor="cli")
    assert [fault.field for fault in refused.value.errors] == [
        "label",
        "location",
        "allowed_networks.0",
        "allowed_networks.1",
    ]


async def test_a_device_needs_a_company_that_is_there(site: Administration) -> None:
    with pytest.raises(Problem, match="not-found"):
        await site.devices.register(site.new_id(), "Gate 1", actor="cli")


@on_both
async def test_enrolment_words_open_the_gate(site: Administration, company: Company, key: DeviceKey) -> None:
    started = await enrolled(site, company, key)
    assert started.gateway_keyid == site.secrets.gateway_key.keyid
    pending = await site.devices.get(started.device_id)
    assert pending.state == "pending"

    words = words_of(site, key, started, pending)
    device = await site.devices.approve(started.device_id, words=words, actor="cli")

    assert (device.state, device.keyid, device.public_key) == ("active", key.keyid, key.public_key)
    assert device.words_asked is None
    assert (await event_names(site))[1:] == ["device.registered", "device.enrolment_started", "device.approved"]
    assert [(change.kind, change.subject) for change in await changes(site)][1:] == [("device", device.id)] * 3


async def test_while_pending_nobody_learns_the_key(site: Administration, company: Company, key: DeviceKey) -> None:
    started = await enrolled(site, company, key)
    for device in (await site.devices.get(started.device_id), *await site.devices.list_(company.id)):
        assert (device.keyid, device.public_key, device.code_hash) == (None, None, None)
        assert device.words_asked is not None
    assert all(key.keyid not in str(event) for event in await events(site))


@pytest.mark.parametrize("code", ["", "BCDF", "BCDF-GHJK", "ÄÖÜß-1234", "BCDFGHJKL"])
async def test_a_wrong_code_enrols_nobody(site: Administration, company: Company, key: DeviceKey, code: str) -> None:
    await site.devices.register(company.id, "Gate 1", actor="cli")
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(code, key.public_key, CLIENT)


async def test_a_code_may_be_typed_in_small_letters_and_without_its_hyphen(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    typed = registered.enrolment_code.lower().replace("-", " ")
    assert (await site.devices.enrol(typed, key.public_key, CLIENT)).state == "pending"


async def test_a_code_ends_after_thirty_minutes(
    site: Administration, company: Company, key: DeviceKey, clock: MovedClock
) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    clock.move(1800)
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)


async def test_a_lost_answer_burns_nothing_and_another_key_gets_nothing(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    first = await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)
    assert await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT) == first
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(registered.enrolment_code, DeviceKey.generate(os.urandom).public_key, CLIENT)
    await site.devices.approve(first.device_id, thumbprint=key.keyid, actor="cli")
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)


@on_both
async def test_of_twenty_terminals_with_one_code_one_is_enrolled(site: Administration, company: Company) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    outcomes = await asyncio.gather(
        *(
            site.devices.enrol(registered.enrolment_code, DeviceKey.generate(os.urandom).public_key, CLIENT)
            for _ in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, EnrolmentStarted) for outcome in outcomes) == 1
    assert {outcome.name for outcome in outcomes if isinstance(outcome, Problem)} == {"enrolment-code-invalid"}


async def test_a_key_is_enrolled_once_in_its_life_and_the_code_stays_good(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    first = await enrolled(site, company, key)
    await site.devices.deny(first.device_id, actor="cli")
    again = await site.devices.new_code(first.device_id, actor="cli")
    with pytest.raises(Problem, match="key-reused"):
        await site.devices.enrol(again.enrolment_code, key.public_key, CLIENT)
    other = DeviceKey.generate(os.urandom)
    assert (await site.devices.enrol(again.enrolment_code, other.public_key, CLIENT)).device_id == first.device_id


async def test_a_weak_key_is_refused_and_the_code_stays_good(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    with pytest.raises(WeakKey):
        await site.devices.enrol(registered.enrolment_code, bytes([1, *([0] * 31)]), CLIENT)
    assert (await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)).state == "pending"


async def test_three_wrong_tries_deny_the_enrolment_for_the_right_words_too(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    started = await enrolled(site, company, key)
    right = words_of(site, key, started, await site.devices.get(started.device_id))
    wrong = dict.fromkeys(right, "zebra")
    left = []
    for given in (wrong, wrong):
        with pytest.raises(Problem, match="words-mismatch") as refused:
            await site.devices.approve(started.device_id, words=given, actor="cli")
        left.append(refused.value.members["tries_left"])
    with pytest.raises(Problem, match="words-mismatch") as refused:
        await site.devices.approve(started.device_id, thumbprint="A" * 43, actor="cli")
    assert [*left, refused.value.members["tries_left"]] == [2, 1, 0]
    with pytest.raises(Problem, match="device-state-not-valid"):
        await site.devices.approve(started.device_id, words=right, actor="cli")
    assert (await site.devices.get(started.device_id)).state == "registered"
    assert (await event_names(site))[-1] == "device.denied"


@on_both
async def test_twenty_guesses_at_once_are_three_guesses(site: Administration, company: Company, key: DeviceKey) -> None:
    started = await enrolled(site, company, key)
    outcomes = await asyncio.gather(
        *(site.devices.approve(started.device_id, thumbprint=f"{guess:043}", actor="cli") for guess in range(20)),
        return_exceptions=True,
    )
    names = [outcome.name for outcome in outcomes if isinstance(outcome, Problem)]
    assert len(names) == 20
    assert names.count("words-mismatch") == 3
    assert names.count("device-state-not-valid") == 17


async def test_a_slip_of_the_form_is_no_guess(site: Administration, company: Company, key: DeviceKey) -> None:
    started = await enrolled(site, company, key)
    right = words_of(site, key, started, await site.devices.get(started.device_id))
    position, word = next(iter(right.items()))
    for words, thumbprint in (
        ({position: word}, None),
        ({}, None),
        (None, None),
        (right, key.keyid),
        (right | {position: f"{word}x"}, None),
    ):
        with pytest.raises(Problem, match="bad-request"):
            await site.devices.approve(started.device_id, words=words, thumbprint=thumbprint, actor="cli")
    assert (await site.devices.approve(started.device_id, words=right, actor="cli")).state == "active"


async def test_an_enrolment_nobody_approves_is_over_after_thirty_minutes(
    site: Administration, company: Company, key: DeviceKey, clock: MovedClock
) -> None:
    started = await enrolled(site, company, key)
    clock.move(1800)
    assert (await site.devices.get(started.device_id)).state == "registered"
    for attempt in (
        site.devices.approve(started.device_id, thumbprint=key.keyid, actor="cli"),
        site.devices.deny(started.device_id, actor="cli"),
    ):
        with pytest.raises(Problem, match="device-state-not-valid"):
            await attempt
    again = await site.devices.new_code(started.device_id, actor="cli")
    with pytest.raises(Problem, match="key-reused"):
        await site.devices.enrol(again.enrolment_code, key.public_key, CLIENT)
    assert "device.denied" in await event_names(site)


async def test_a_denied_terminal_cannot_come_back_with_its_old_code(
    site: Administration, company: Company, key: DeviceKey
) -> None:
    registered = await site.devices.register(company.id, "Gate 1", actor="cli")
    started = await site.devices.enrol(registered.enrolment_code, key.public_key, CLIENT)
    await site.devices.deny(started.device_id, reason="nobody there", actor="cli")
    for public_key in (key.public_key, DeviceKey.generate(os.urandom).public_key):
        with pytest.raises(Problem, match="enrolment-code-invalid"):
            await site.devices.enrol(registered.enrolment_code, public_key, CLIENT)


async def test_a_new_code_kills_the_old_one(site: Administration, company: Company, key: DeviceKey) -> None:
    old = await site.devices.register(company.id, "Gate 1", actor="cli")
    new = await site.devices.new_code(old.device.id, actor="cli")
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(old.enrolment_code, key.public_key, CLIENT)
    assert (await site.devices.enrol(new.enrolment_code, key.public_key, CLIENT)).state == "pending"
    with pytest.raises(Problem, match="device-state-not-valid"):
        await site.devices.new_code(old.device.id, actor="cli")


async def test_suspend_and_resume(site: Administration, company: Company, key: DeviceKey) -> None:
    device = await activated(site, company, key)
    suspended = await site.devices.suspend(device.id, reason="being  moved", actor="cli")
    assert (suspended.state, suspended.reason) == ("suspended", "being moved")
    with pytest.raises(Problem, match="device-state-not-valid") as refused:
        await site.devices.suspend(device.id, actor="cli")
    assert refused.value.members == {"state": "suspended"}
    assert (await site.devices.resume(device.id, actor="cli")).state == "active"
    assert (await event_names(site))[-2:] == ["device.suspended", "device.resumed"]


async def test_an_expired_terminal_can_only_be_replaced_or_revoked(
    site: Administration, company: Company, key: DeviceKey, clock: MovedClock
) -> None:
    device = await activated(site, company, key)
    clock.move(90 * 86_400)
    assert (await site.devices.get(device.id)).state == "expired"
    for attempt in (site.devices.suspend(device.id, actor="cli"), site.devices.resume(device.id, actor="cli")):
        with pytest.raises(Problem, match="device-state-not-valid"):
            await attempt
    replaced = await site.devices.replace(device.id, actor="cli", reason="new tablet")
    assert (replaced.device.state, replaced.device.keyid, replaced.device.label) == ("registered", None, "Gate 1")
    with pytest.raises(Problem, match="key-reused"):
        await site.devices.enrol(replaced.enrolment_code, key.public_key, CLIENT)


async def test_a_terminal_can_be_revoked_in_every_state_and_its_key_never_returns(
    site: Administration, company: Company
) -> None:
    keys = [DeviceKey.generate(os.urandom) for _ in range(3)]
    registered = await site.devices.register(company.id, "Registered", actor="cli")
    pending = await enrolled(site, company, keys[0])
    active = await activated(site, company, keys[1])
    suspended = await activated(site, company, keys[2])
    await site.devices.suspend(suspended.id, actor="cli")
    for device_id in (registered.device.id, pending.device_id, active.id, suspended.id):
        assert (await site.devices.revoke(device_id, actor="cli")).state == "revoked"
        count = len(await events(site))
        assert (await site.devices.revoke(device_id, actor="cli")).state == "revoked"
        assert len(await events(site)) == count
    async with site.database.read() as connection:
        assert {known.key_state for known in await known_keys.all_(connection)} == {"blocked"}
    with pytest.raises(Problem, match="enrolment-code-invalid"):
        await site.devices.enrol(registered.enrolment_code, keys[0].public_key, CLIENT)


@on_both
async def test_approving_and_revoking_at_once_never_leaves_a_revoked_terminal_active(
    site: Administration, company: Company
) -> None:
    for _ in range(5):
        key = DeviceKey.generate(os.urandom)
        started = await enrolled(site, company, key)
        _, revoked = await asyncio.gather(
            site.devices.approve(started.device_id, thumbprint=key.keyid, actor="cli"),
            site.devices.revoke(started.device_id, actor="cli"),
            return_exceptions=True,
        )
        assert not isinstance(revoked, BaseException)
        assert (await site.devices.get(started.device_id)).state == "revoked"
    async with site.database.read() as connection:
        assert {known.key_state for known in await known_keys.all_(connection)} == {"blocked"}


async def test_label_place_and_networks_can_be_changed(site: Administration, company: Company, key: DeviceKey) -> None:
    device = await activated(site, company, key)
    before = len(await changes(site))
    changed = await site.devices.update(
        device.id, {"label": "Gate 2", "location": " ", "allowed_networks": ["10.1.0.0/16"]}, actor="cli"
    )
    assert (changed.label, changed.location, changed.allowed_networks) == ("Gate 2", "", ("10.1.0.0/16",))
    assert len(await changes(site)) == before + 1
    assert await site.devices.update(device.id, {"label": "Gate 2"}, actor="cli") == changed
    assert len(await changes(site)) == before + 1
    with pytest.raises(Problem, match="bad-request"):
        await site.devices.update(device.id, {"state": "active"}, actor="cli")


async def test_an_unknown_device_is_not_found(site: Administration) -> None:
    for attempt in (site.devices.get("nobody"), site.devices.suspend("nobody", actor="cli")):
        with pytest.raises(Problem, match="not-found"):
            await attempt


async def test_a_reason_that_cannot_be_kept_is_refused(site: Administration, company: Company, key: DeviceKey) -> None:
    device = await activated(site, company, key)
    with pytest.raises(Problem, match="bad-request"):
        await site.devices.suspend(device.id, reason="x" * 201, actor="cli")


@on_both
async def test_heartbeats_of_one_moment_share_a_transaction(
    site: Administration, company: Company, clock: MovedClock
) -> None:
    device_ids = [(await site.devices.register(company.id, f"Gate {number}", actor="cli")).device.id for number in "12"]
    heartbeats = Heartbeats(site.database)
    before = site.database.commits
    await asyncio.gather(
        *(
            heartbeats.beat(Heartbeat(device_id, clock.now + number, CLIENT, number))
            for number in range(10)
            for device_id in device_ids
        )
    )
    await heartbeats.drain()
    assert site.database.commits - before <= 2
    for device_id in device_ids:
        device = await site.devices.get(device_id)
        assert (device.last_seen_at, device.client_version, device.clock_offset_ms) == (clock.now + 9, "1.0", 9)
