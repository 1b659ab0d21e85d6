"""Signed requests as the bytes of HTTP/1.1, made before a round so that the load generator only has to send them.

Nonces are one-time and come from the answers; here they are minted in advance with the gateway's own secrets, which
a benchmark may read and a terminal may not. Each is used once and checked by the gateway like any other.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import TYPE_CHECKING

from benchmarks.population import PIN, Population, Terminal
from crypto.message_signatures import OutgoingRequest, sign
from crypto.nonces import Nonces
from gateway.app import NONCE_KEY

if TYPE_CHECKING:
    from crypto.secrets_file import Secrets

AUTHORITY = "stampgate.test"
"""What all processes under test are called, so that one signature is good for each of them."""

ACTION = "/api/time/kiosk/action"
AUTH = "/api/time/kiosk/auth"
UNSIGNED = "/benchmark/stamp"
DAY = ("clock_in", "break_start", "break_end", "clock_out")


class Signer:
    """Makes requests of a population; knows what each person may do next."""

    def __init__(self, population: Population, secrets: Secrets) -> None:
        self._population = population
        self._nonces = Nonces(secrets.purpose_keys(NONCE_KEY), secrets.current_version, os.urandom)
        self._next_login = 0

    def stamps(self, count: int, done: list[int]) -> list[bytes]:
        """Return `count` valid stamps, terminal after terminal; `done[i]` says how many terminal `i`'s person has made.

        `done` is counted on: each stamp is the next action of that person's day.
        """
        requests = []
        for number in range(count):
            terminal = self._population.terminals[number % len(done)]
            action = DAY[done[number % len(done)] % len(DAY)]
            done[number % len(done)] += 1
            body = json.dumps({"stamp_id": str(uuid.uuid4()), "action": action}).encode()
            requests.append(self.signed(terminal, ACTION, body, f"Bearer {terminal.token}"))
        return requests

    def unsigned_stamps(self, count: int, done: list[int]) -> list[bytes]:
        """Return the same stamps for the benchmark's own unsigned route, which is told who stamps."""
        requests = []
        for number in range(count):
            terminal = self._population.terminals[number % len(done)]
            action = DAY[done[number % len(done)] % len(DAY)]
            done[number % len(done)] += 1
            body = json.dumps({"stamp_id": str(uuid.uuid4()), "action": action}).encode()
            person = {"X-Person": f"{terminal.user_id} {self._population.company_id} {terminal.device_id}"}
            requests.append(_request(UNSIGNED, {**person, "Content-Type": "application/json"}, body))
        return requests

    def logins(self, count: int) -> list[bytes]:
        """Return `count` sign-ins, a right and a wrong PIN in turn, spread over people and terminals of their own."""
        people, terminals = self._population.login_numbers, self._population.login_terminals
        requests = []
        for _ in range(count):
            number, self._next_login = self._next_login, self._next_login + 1
            right = number % 2 == 0
            credentials = {"personnel_number": people[number % len(people)], "pin": PIN if right else "918273"}
            # The step by one more each time round gives each terminal right and wrong ones.
            terminal = terminals[(number + number // len(terminals)) % len(terminals)]
            requests.append(self.signed(terminal, AUTH, json.dumps(credentials).encode()))
        return requests

    def signed(
        self,
        terminal: Terminal,
        target: str,
        body: bytes,
        authorization: str | None = None,
        *,
        created: int | None = None,
        minted_at: float | None = None,
    ) -> bytes:
        """Return one signed request."""
        now = time.time()
        nonce = self._nonces.mint(terminal.key.keyid, now if minted_at is None else minted_at)
        request = OutgoingRequest("POST", AUTHORITY, target, body, authorization)
        fields = sign(request, terminal.key, created=int(now) if created is None else created, nonce=nonce)
        if authorization is not None:
            fields["Authorization"] = authorization
        return _request(target, fields, body)


def _request(target: str, fields: dict[str, str], body: bytes) -> bytes:
    lines = [f"POST {target} HTTP/1.1", f"Host: {AUTHORITY}", "User-Agent: stampgate-kiosk", "Accept: application/json"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("ascii") + body
