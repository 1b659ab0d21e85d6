"""A whole run at log level debug, and nothing in its log that somebody could sign in with or be recognised by."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from crypto import device_keys
from tests.faults.site import open_site
from tests.gateway.phone import Phone
from tests.gateway.raw_http import send
from tests.gateway.terminal import CLIENT, KIOSK, Terminal

if TYPE_CHECKING:
    from pathlib import Path

NUMBER, UNKNOWN = "7300451", "7300452"
PIN, WRONG, NEXT = "907311", "481516", "730291"
IN_A_QUERY = "something-only-a-query-said"


async def test_the_log_of_a_whole_run_holds_no_secret_and_no_personnel_number(tmp_path: Path) -> None:
    async with open_site(tmp_path / "data", "--log-level", "debug") as site:
        administration = site.administration
        secret = {NUMBER, UNKNOWN, PIN, WRONG, NEXT, IN_A_QUERY}
        person = await administration.people.add(
            site.company_id, full_name="Ada Winter", personnel_number=NUMBER, actor="cli"
        )
        await administration.people.set_pin(person.id, PIN, actor="cli")
        await administration.companies.update(site.company_id, {"public_stamp_enabled": True}, actor="cli")
        link = (await administration.companies.rotate_link(site.company_id, actor="cli")).token
        registered = await administration.devices.register(site.company_id, "Door", actor="cli")
        secret |= {link, registered.enrolment_code, registered.enrolment_code.replace("-", "")}

        # Enrolment: with a wrong code, with a broken body, and as it should be.
        terminal = Terminal(site.http, site.process.url, site.administration.clock)
        assert (await terminal.enrol("BCDF-GHJK")).problem == "enrolment-code-invalid"
        secret |= {"BCDF-GHJK", "BCDFGHJK"}
        broken = {"code": registered.enrolment_code, "jwk": device_keys.to_jwk(terminal.key.public_key), "client": {}}
        assert (await terminal.signed("POST", f"{KIOSK}/enrolments", broken, tag="stampgate-enrol")).status == 400
        assert (await terminal.enrol(registered.enrolment_code, client=CLIENT)).status == 201
        await administration.devices.approve(terminal.device_id, thumbprint=terminal.key.keyid, actor="cli")
        await site.seen(terminal, "active")

        # The kiosk: wrong, unknown, right, a stamp, faults, a change of PIN.
        assert (await terminal.sign_in(NUMBER, WRONG)).problem == "login-failed"
        assert (await terminal.sign_in(UNKNOWN, PIN)).problem == "login-failed"
        assert (await terminal.sign_in(NUMBER, PIN)).status == 200
        secret.add(terminal.token or "")
        assert (await terminal.act("clock_in")).status == 201
        assert (await terminal.act("break_end")).status == 409
        assert (await terminal.act("fly", str(uuid.uuid4()))).status == 400
        assert (await terminal.signed("POST", f"{KIOSK}/auth", {"personnel_number": NUMBER, PIN: PIN})).status == 400
        assert (await terminal.change_pin(WRONG, NEXT)).problem == "login-failed"
        assert (await terminal.change_pin(PIN, NEXT)).status == 204
        assert (await terminal.signed("GET", f"{KIOSK}/device?a={IN_A_QUERY}")).status == 200

        # The phone: a bad link, wrong until it is locked, right tokens in wrong places.
        phone = Phone(site.http, site.process.url, link)
        assert (await phone.sign_in(NUMBER, NEXT)).status == 200
        secret.add(phone.token or "")
        assert (await phone.act("clock_out")).status == 201
        for _ in range(6):
            await phone.sign_in(NUMBER, WRONG)
        phone.token = "A" * 43
        assert (await phone.status()).status == 401
        for target in (f"/stamp?t={link}", f"/api/time/public/status?token={link}", f"/nowhere/{link}?x={IN_A_QUERY}"):
            async with site.http.get(f"{site.process.url}{target}") as answer:
                assert answer.status < 500
        async with site.http.post(f"{site.process.url}/api/time/public/auth", data=f'{{"pin": "{PIN}"') as answer:
            assert answer.status == 415

        # What the HTTP parser itself refuses is quoted by its own errors.
        for head in (f"GET /{link} HTTP/9.9", f"G(T /{link} HTTP/1.1", f"GET / HTTP/1.1\r\nBad Header {PIN}: x"):
            reply = await send(site.process.port, f"{head}\r\nAuthorization: Bearer {link}\r\n\r\n".encode())
            assert reply.status == 400

        log = site.process.log()
        assert log.count("refused") >= 15
        assert [text for text in secret if text in log] == []
        assert "Traceback" not in log
