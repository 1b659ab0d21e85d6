"""The demo's terminal: the reference client, enrolled and stamping over real HTTP beside the gateway.

The only place where the gateway's side uses the terminal's: the demo plays both.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from gateway.demo import ACTOR
from kiosk_client.client import KioskClient
from kiosk_client.enrolment import Enrolment, EnrolmentWanted
from kiosk_client.errors import KioskError, NotEnrolled
from kiosk_client.gateway_address import read_address
from kiosk_client.key_store import KeyStore
from kiosk_client.next_key import short_use

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.administration import Administration
    from gateway.demo import Demo, DemoPerson
    from kiosk_client.answers import Stamped

LABEL: Final = "Demo terminal"
LOCATION: Final = "Back door"
POLL_SECONDS: Final = 0.05
"""Nobody is walking to a terminal here, so approval is asked for more often than the client would."""


HEARTBEAT_SECONDS: Final = 60.0


class DemoTerminal:
    """A wall terminal that lives in the demo's data directory."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self._url = url
        self._store = KeyStore(directory)

    async def enrol(self, administration: Administration, demo: Demo) -> None:
        """Enrol by the whole ceremony, unless that was done at an earlier start."""
        stored = self._store.load()
        if stored is not None and stored.state == "active":
            if stored.url != self._url:  # the demo runs on another port today
                self._store.save(replace(stored, url=self._url))
            return
        self._store.remove()
        registered = await administration.devices.register(demo.company_id, LABEL, LOCATION, actor=ACTOR)
        ceremony = Enrolment(self._store, KioskClient.of, clock=time.time, sleep=_sleep_little, randomness=os.urandom)
        address, _ = read_address(self._url, insecure_http=False)
        stored = await ceremony.begin(EnrolmentWanted(address=address, code=registered.enrolment_code))
        await administration.devices.approve(registered.device.id, thumbprint=stored.key.keyid, actor=ACTOR)
        await ceremony.wait(stored, lambda _: None)

    async def stamp(self, person: DemoPerson) -> Stamped:
        """Sign `person` in and clock in, or out when they are in. Raises `KioskError`."""
        stored = self._store.load()
        if stored is None:
            raise NotEnrolled
        async with KioskClient.of(stored) as client:
            session = await client.login(person.personnel_number, person.pin)
            action = "clock_in" if "clock_in" in session.status.actions else "clock_out"
            stamped = await client.stamp(session, action)
            await client.logout(session)
            return stamped

    async def stay_alive(self) -> None:
        """Send, until cancelled, what a terminal sends while nobody is there; one that does not counts as silent."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            with suppress(KioskError), short_use(self._store):
                stored = self._store.load()
                if stored is not None:
                    async with KioskClient.of(stored) as client:
                        await client.heartbeat()


async def _sleep_little(seconds: float) -> None:
    await asyncio.sleep(min(seconds, POLL_SECONDS))
