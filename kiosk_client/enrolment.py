"""The enrolment ceremony from the terminal's side.

1. Make the key, store it, then ask. So a lost answer or a Ctrl-C burns nothing: the same key is there to ask again.
2. Show five words that only this key, this gateway and this enrolment give; IT compares two of them.
3. Ask every two seconds until IT has approved.

A key that the gateway no longer knows (denied, or nobody approved in time) is thrown away: it never served. An enrolled
key is only given up by ``force``, and comes back when the gateway refuses the new one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crypto.device_keys import DeviceKey
from crypto.enrolment_words import enrolment_words
from crypto.tokens import normalise_enrolment_code
from kiosk_client.client import KioskClient
from kiosk_client.errors import (
    AlreadyEnrolled,
    EnrolmentEnded,
    GatewayRefused,
    GatewayUnreachable,
    KioskError,
    NotEnrolled,
    WrongUse,
)
from kiosk_client.key_store import KeyStore, StoredKey

if TYPE_CHECKING:
    from kiosk_client.answers import DeviceAnswer
    from kiosk_client.gateway_address import GatewayAddress
    from kiosk_client.server_clock import Clock
    from kiosk_client.signed_http import Sleep

POLL_SECONDS = 2.0
LONGEST_PAUSE = 30.0
"""Between two questions while the gateway is away or busy."""

FINAL_REFUSALS = frozenset({"enrolment-code-invalid", "weak-key", "key-reused"})
"""After these the new key is of no use with any code."""

NO_LONGER_KNOWN = frozenset({"device-unknown", "device-revoked"})
"""For a key that never was active: its enrolment is over."""

CODE_LETTERS = 8

CODE_NEEDED = "A new enrolment needs its code: --code WDJB-MJHT (IT gets one by adding the terminal)"

Randomness = Callable[[int], bytes]
MakeClient = Callable[[StoredKey], KioskClient]

Progress = Callable[[KioskError | None], None]
"""Told after each question: the passing trouble, or None when all is well and IT has not approved yet."""


@dataclass(frozen=True, slots=True)
class EnrolmentWanted:
    """What the person asked for; ``code`` may be absent when an enrolment is to be resumed."""

    address: GatewayAddress
    code: str | None = None
    force: bool = False
    ca_file: str | None = None
    insecure_http: bool = False


def read_code(text: str) -> str:
    """``wdjb mjht`` → ``WDJB-MJHT``, as the protocol writes it; raises ``WrongUse``."""
    letters = (normalise_enrolment_code(text) or "").replace("-", "")
    if len(letters) != CODE_LETTERS:
        raise WrongUse("The enrolment code has 8 letters, like WDJB-MJHT (no vowels, no Y)")
    return f"{letters[:4]}-{letters[4:]}"


def words_of(stored: StoredKey) -> tuple[str, ...]:
    """The five words of a pending enrolment; raises ``NotEnrolled`` when none was begun."""
    if stored.gateway_keyid is None or stored.enrolment_id is None:
        raise NotEnrolled
    return tuple(enrolment_words(stored.key.keyid, stored.gateway_keyid, stored.enrolment_id))


class Enrolment:
    """One run of the ceremony over a key store."""

    def __init__(
        self, store: KeyStore, make_client: MakeClient, *, clock: Clock, sleep: Sleep, randomness: Randomness
    ) -> None:
        self._store = store
        self._make_client = make_client
        self._clock = clock
        self._sleep = sleep
        self._randomness = randomness

    async def begin(self, wanted: EnrolmentWanted) -> StoredKey:
        """Start, or find the way back into what was begun; the result is stored and ``pending`` or ``active``.

        Raises ``AlreadyEnrolled``, ``NotEnrolled`` when a code is needed, ``EnrolmentEnded``, and whatever the gateway
        refuses.
        """
        if wanted.force and wanted.code is None:
            raise WrongUse(CODE_NEEDED)
        if wanted.force:
            self._store.set_aside()
        stored = self._store.load()
        if stored is not None:
            stored = await self._resume(stored, wanted)
        elif wanted.code is None:
            raise WrongUse(CODE_NEEDED)
        else:
            stored = self._make_key(wanted)
        return stored if stored.state != "new" else await self._ask(stored)

    async def wait(self, stored: StoredKey, told: Progress) -> StoredKey:
        """Ask until IT has approved; ``told`` hears of trouble and of its end. Raises ``EnrolmentEnded``."""
        pause = POLL_SECONDS
        async with self._make_client(stored) as client:
            while True:
                try:
                    stored = await self.look(stored, client)
                except KioskError as fault:
                    if not _passing(fault):
                        raise
                    told(fault)
                    pause = min(max(pause * 2, fault.retry_after or 0), LONGEST_PAUSE)
                else:
                    if stored.state == "active":
                        return stored
                    told(None)
                    pause = POLL_SECONDS
                await self._sleep(pause)

    async def look(self, stored: StoredKey, client: KioskClient) -> StoredKey:
        """Ask once; returns what is stored then. Raises ``EnrolmentEnded``, and ``KioskError`` for other trouble."""
        try:
            device = await client.device(attempts=1)
        except KioskError as fault:
            raise _ended(fault) from fault
        return stored if device.state == "pending" == stored.state else self.keep(stored, device)

    async def _resume(self, stored: StoredKey, wanted: EnrolmentWanted) -> StoredKey:
        """What became of the stored key; ``new`` when the gateway has still to be asked with a code."""
        same_gateway = stored.url == wanted.address.origin
        if stored.state == "active" or (wanted.code is None and not same_gateway):
            raise AlreadyEnrolled(stored.url)
        if same_gateway:
            stored = replace(stored, ca_file=wanted.ca_file or stored.ca_file)
            try:
                async with self._make_client(stored) as client:
                    return self.keep(stored, await client.device())
            except GatewayRefused as refused:
                if refused.problem not in NO_LONGER_KNOWN:
                    raise
        code = wanted.code or stored.code
        if stored.state == "new" and same_gateway and code is not None and stored.code in (None, code):
            stored = replace(stored, code=code)
            self._store.save(stored)
            return stored
        self._store.remove()  # never enrolled: denied, too late, or meant for another code
        if wanted.code is None:
            raise EnrolmentEnded
        return self._make_key(wanted)

    def _make_key(self, wanted: EnrolmentWanted) -> StoredKey:
        return self._store.create(
            StoredKey(
                url=wanted.address.origin,
                key=DeviceKey.generate(self._randomness),
                created_at=self._clock(),
                code=wanted.code,
                ca_file=wanted.ca_file,
                insecure_http=wanted.insecure_http,
            )
        )

    async def _ask(self, stored: StoredKey) -> StoredKey:
        if stored.code is None:
            raise WrongUse(CODE_NEEDED)
        try:
            async with self._make_client(stored) as client:
                enrolled = await client.enrol(stored.code)
        except GatewayRefused as refused:
            if refused.problem in FINAL_REFUSALS and not self._store.restore():
                self._store.remove()
            raise
        pending = replace(
            stored,
            state="pending",
            code=None,
            device_id=enrolled.device_id,
            enrolment_id=enrolled.enrolment_id,
            gateway_keyid=enrolled.gateway_keyid,
        )
        self._store.save(pending)
        return pending

    def keep(self, stored: StoredKey, device: DeviceAnswer) -> StoredKey:
        """Store what the gateway has said of this terminal; return what is stored then."""
        known = replace(
            stored,
            state="active" if device.state == "active" else "pending",
            code=None,
            device_id=device.device_id,
            enrolment_id=device.enrolment_id or stored.enrolment_id,
            gateway_keyid=device.gateway_keyid,
        )
        self._store.save(known)
        if known.state == "active":
            self._store.forget_previous()
        return known


def _passing(fault: KioskError) -> bool:
    """Whether waiting may help: nobody has to type the code again because a cable was loose."""
    if isinstance(fault, GatewayUnreachable):
        return True
    return isinstance(fault, GatewayRefused) and (fault.status >= 500 or fault.status == 429)


def _ended(fault: KioskError) -> KioskError:
    return EnrolmentEnded() if fault.problem in NO_LONGER_KNOWN else fault
