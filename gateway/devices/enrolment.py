"""Enrolment: a one-time code made for a terminal, and used up for the key the terminal made itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crypto import device_keys
from crypto.enrolment_words import draw_positions
from crypto.tokens import keyed_hash, new_enrolment_code, normalise_enrolment_code
from gateway.audit_events import AuditName
from gateway.devices.lifecycle import KEY_LIFETIME, DeviceState
from gateway.devices.models import EnrolmentStarted
from gateway.devices.transitions import state_now
from gateway.http.problems import Problem
from storage import devices
from storage.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.clock import Clock, NewId, Randomness
    from gateway.devices.models import ClientInfo
    from gateway.devices.transitions import Transitions
    from storage.database import Database
    from storage.devices import Device


class EnrolmentCodes:
    """Draws codes, and names them by a keyed hash: 34 bits are too few for a plain one."""

    def __init__(self, code_key: bytes, randomness: Randomness) -> None:
        self._code_key = code_key
        self._randomness = randomness

    def draw(self) -> tuple[str, bytes]:
        """A new code as it is shown, and the hash that is stored of it."""
        code = new_enrolment_code(self._randomness)
        code_hash = self.hash(code)
        if code_hash is None:
            raise AssertionError("a code we make is one we accept")
        return code, code_hash

    def hash(self, typed: str) -> bytes | None:
        """The hash of a code as somebody typed it; None when it cannot be one."""
        letters = normalise_enrolment_code(typed)
        return None if letters is None else keyed_hash(self._code_key, letters)


class Enrolment:
    """The terminal's side of it; see `Devices.enrol`."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        randomness: Randomness,
        new_id: NewId,
        codes: EnrolmentCodes,
        transitions: Transitions,
        gateway_keyid: str,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._new_id = new_id
        self._codes = codes
        self._transitions = transitions
        self._gateway_keyid = gateway_keyid
        self._changed = changed

    async def enrol(
        self, code: str, public_key: bytes, client: ClientInfo, *, request_id: str | None = None
    ) -> EnrolmentStarted:
        """Use a code up, in one transaction with the key it is used for."""
        keyid = device_keys.thumbprint(device_keys.require_strong(public_key))
        code_hash = self._codes.hash(code)
        if code_hash is None:
            raise Problem("enrolment-code-invalid", cause="not of the form of a code")
        now = self._clock()
        enrolment_id = self._new_id()
        try:
            async with self._database.write() as connection:
                device = await devices.take_code(connection, code_hash, now)
                if device is None:
                    return self._repeated(await devices.by_code(connection, code_hash), keyid, now)
                await devices.start_enrolment(
                    connection,
                    device.id,
                    enrolment_id=enrolment_id,
                    keyid=keyid,
                    public_key=public_key,
                    started_at=now,
                    key_expires_at=now + KEY_LIFETIME,
                    words_asked=draw_positions(self._randomness),
                    client_name=client.name,
                    client_version=client.version,
                    client_platform=client.platform,
                )
                await self._transitions.record(
                    connection,
                    AuditName.DEVICE_ENROLMENT_STARTED,
                    device,
                    f"device:{device.id}",
                    now,
                    # Not the keyid: nobody who reads the audit trail may approve by it without seeing the terminal.
                    {"client": client.name, "version": client.version, "platform": client.platform},
                    request_id=request_id,
                )
        except Conflict:
            # The only constraint a stranger can break. The code is not used up: the transaction is undone.
            raise Problem("key-reused", cause="the key was seen before") from None
        self._changed()
        return EnrolmentStarted(device.id, enrolment_id, DeviceState.PENDING.value, self._gateway_keyid)

    def _repeated(self, device: Device | None, keyid: str, now: float) -> EnrolmentStarted:
        """The answer of an enrolment under way, to the terminal that began it."""
        if (
            device is None
            or device.keyid != keyid
            or device.enrolment_id is None
            or state_now(device, now) != DeviceState.PENDING
        ):
            raise Problem("enrolment-code-invalid", cause="wrong, used or expired")
        return EnrolmentStarted(device.id, device.enrolment_id, DeviceState.PENDING.value, self._gateway_keyid)
