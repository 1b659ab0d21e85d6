"""Terminals: registering them, enrolling their keys, approving and ending them.

Every change is one transaction of the row, its audit event and its trust change; every edge is a conditional update, so
two people (or two gateways) who act at once on one device get one success and one honest refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.audit_events import AuditName
from gateway.devices.approval import Proof
from gateway.devices.enrolment import Enrolment, EnrolmentCodes
from gateway.devices.fields import read_fields, read_reason
from gateway.devices.lifecycle import ENROLMENT_CODE_LIFETIME, WORD_TRIES, Act, DeviceState
from gateway.devices.models import Registered
from gateway.devices.transitions import Transitions, found, not_now, require, shown, state_now
from gateway.http.problems import Problem
from storage import companies, devices
from storage.devices import Device

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from gateway.clock import Clock, NewId, Randomness
    from gateway.devices.models import ClientInfo, EnrolmentStarted
    from storage.database import Database


class Devices:
    """What may be done with terminals. `kiosk_url` is the kiosk page's address without its fragment."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        randomness: Randomness,
        new_id: NewId,
        code_key: bytes,
        gateway_keyid: str,
        kiosk_url: str,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._transitions = Transitions(new_id)
        self._codes = EnrolmentCodes(code_key, randomness)
        self._gateway_keyid = gateway_keyid
        self._kiosk_url = kiosk_url
        self._changed = changed
        self._enrolment = Enrolment(
            database=database,
            clock=clock,
            randomness=randomness,
            new_id=new_id,
            codes=self._codes,
            transitions=self._transitions,
            gateway_keyid=gateway_keyid,
            changed=changed,
        )

    async def list_(self, company_id: str | None = None) -> list[Device]:
        """The terminals of a company, or of all, as they are now; oldest first."""
        now = self._clock()
        async with self._database.read() as connection:
            return [shown(device, now) for device in await devices.list_(connection, company_id)]

    async def get(self, device_id: str, company_id: str | None = None) -> Device:
        """One terminal as it is now. While it is pending neither its key nor its keyid is shown to anybody.

        Raises Problem `not-found`, also for one of another company than `company_id`.
        """
        async with self._database.read() as connection:
            return shown(await found(connection, device_id, company_id), self._clock())

    async def register(
        self,
        company_id: str,
        label: str,
        location: str = "",
        allowed_networks: Sequence[str] = (),
        *,
        actor: str,
        request_id: str | None = None,
    ) -> Registered:
        """Create a terminal and its enrolment code. Raises Problem `not-found`, or `bad-request` with every fault."""
        values = read_fields({"label": label, "location": location, "allowed_networks": allowed_networks})
        now = self._clock()
        code, code_hash = self._codes.draw()
        device = Device(
            id=self._new_id(),
            company_id=company_id,
            state=DeviceState.REGISTERED.value,
            created_at=now,
            code_hash=code_hash,
            code_expires_at=now + ENROLMENT_CODE_LIFETIME,
            **values,
        )
        async with self._database.write() as connection:
            if await companies.get(connection, company_id) is None:
                raise Problem("not-found", "There is no such company.")
            await devices.add(connection, device)
            await self._transitions.record(
                connection, AuditName.DEVICE_REGISTERED, device, actor, now, request_id=request_id
            )
        self._changed()
        return self._registered(device, code, now)

    async def update(
        self, device_id: str, changes: Mapping[str, Any], *, actor: str, request_id: str | None = None
    ) -> Device:
        """Change `label`, `location` or `allowed_networks`. Raises Problem `not-found` or `bad-request`."""
        values = read_fields(changes)
        now = self._clock()
        async with self._database.write() as connection:
            before = await found(connection, device_id)
            changed = {name: value for name, value in values.items() if getattr(before, name) != value}
            if changed:
                await devices.update(connection, device_id, **changed)
                detail = {"changed": sorted(changed)}
                await self._transitions.record(
                    connection, AuditName.SETTINGS_CHANGED, before, actor, now, detail, request_id=request_id
                )
        self._changed()
        return await self.get(device_id)

    async def new_code(self, device_id: str, *, actor: str, request_id: str | None = None) -> Registered:
        """Give a terminal that waits to be enrolled a new code; the old one dies.

        Raises Problem `not-found`, or `device-state-not-valid` unless it is registered.
        """
        now = self._clock()
        code, code_hash = self._codes.draw()
        async with self._database.write() as connection:
            device = await found(connection, device_id)
            if state_now(device, now) != DeviceState.REGISTERED:
                raise not_now("get a new enrolment code", device, now)
            if device.state == DeviceState.PENDING:
                await self._transitions.walk(connection, Act.LAPSE, device, now)
                await self._transitions.record(
                    connection, AuditName.DEVICE_DENIED, device, "gateway", now, {"reason": "not approved in time"}
                )
            if not await devices.set_code(connection, device_id, code_hash, now + ENROLMENT_CODE_LIFETIME):
                raise not_now("get a new enrolment code", device, now)
            detail = {"enrolment_code": "renewed"}
            await self._transitions.record(
                connection, AuditName.DEVICE_REGISTERED, device, actor, now, detail, request_id=request_id
            )
        self._changed()
        return self._registered(await self.get(device_id), code, now)

    async def replace(
        self, device_id: str, *, actor: str, reason: str | None = None, request_id: str | None = None
    ) -> Registered:
        """Let a new terminal take a terminal's place: same name and history, a new code; the old key is blocked."""
        now = self._clock()
        code, code_hash = self._codes.draw()
        async with self._database.write() as connection:
            device = await found(connection, device_id)
            await self._transitions.walk(
                connection, Act.REPLACE, device, now, reason=read_reason(reason), approved_at=None
            )
            await devices.set_code(connection, device_id, code_hash, now + ENROLMENT_CODE_LIFETIME)
            detail = {"replaced_keyid": device.keyid}
            await self._transitions.record(
                connection, AuditName.DEVICE_REGISTERED, device, actor, now, detail, request_id=request_id
            )
        self._changed()
        return self._registered(await self.get(device_id), code, now)

    async def enrol(
        self, code: str, public_key: bytes, client: ClientInfo, *, request_id: str | None = None
    ) -> EnrolmentStarted:
        """Use a code up for a key whose possession the caller has proven.

        The same code with the same key repeats the answer while the enrolment is pending: a lost answer burns nothing.
        Raises WeakKey, and Problem `enrolment-code-invalid` (wrong, used, expired) or `key-reused`.
        """
        return await self._enrolment.enrol(code, public_key, client, request_id=request_id)

    async def approve(
        self,
        device_id: str,
        *,
        words: Mapping[int, str] | None = None,
        thumbprint: str | None = None,
        actor: str,
        request_id: str | None = None,
    ) -> Device:
        """Let a pending terminal in: by the two words asked, as its screen shows them, or by its whole thumbprint.

        Raises Problem `not-found`, `device-state-not-valid`, `bad-request` (not exactly what is asked for; not counted)
        and `words-mismatch`, which the third time denies the enrolment.
        """
        now = self._clock()
        async with self._database.read() as connection:
            seen = await found(connection, device_id)
        require(Act.APPROVE, seen, now)
        proof = await Proof.of(seen, self._gateway_keyid, words=words, thumbprint=thumbprint)
        async with self._database.write() as connection:
            # Moving it nowhere locks the row: what is compared below is what gets approved.
            pending = (DeviceState.PENDING.value,)
            is_pending = await devices.set_state(connection, device_id, pending, DeviceState.PENDING.value)
            device = await found(connection, device_id)
            if not is_pending or device.enrolment_id != seen.enrolment_id:
                raise not_now(Act.APPROVE, device, now)
            if proof.is_right:
                await self._transitions.walk(connection, Act.APPROVE, device, now, approved_at=now)
                detail = {"keyid": device.keyid, "by": proof.kind}
                await self._transitions.record(
                    connection, AuditName.DEVICE_APPROVED, device, actor, now, detail, request_id=request_id
                )
                refusal = None
            else:
                tries = await devices.count_wrong_try(connection, device_id)
                refusal = _mismatch(tries)
                if tries >= WORD_TRIES:
                    await self._transitions.walk(connection, Act.DENY, device, now)
                    detail = {"reason": f"{tries} wrong tries"}
                    await self._transitions.record(
                        connection, AuditName.DEVICE_DENIED, device, actor, now, detail, request_id=request_id
                    )
        # Raised only now: the wrong try is counted, so its transaction must not be undone.
        self._changed()
        if refusal is not None:
            raise refusal
        return await self.get(device_id)

    async def deny(
        self, device_id: str, *, actor: str, reason: str | None = None, request_id: str | None = None
    ) -> Device:
        """Refuse a pending terminal; it needs a new code and a new key."""
        return await self._act(Act.DENY, AuditName.DEVICE_DENIED, device_id, actor, reason, request_id)

    async def suspend(
        self, device_id: str, *, actor: str, reason: str | None = None, request_id: str | None = None
    ) -> Device:
        """Shut an active terminal out until it is resumed."""
        return await self._act(Act.SUSPEND, AuditName.DEVICE_SUSPENDED, device_id, actor, reason, request_id)

    async def resume(
        self, device_id: str, *, actor: str, reason: str | None = None, request_id: str | None = None
    ) -> Device:
        """Let a suspended terminal in again."""
        return await self._act(Act.RESUME, AuditName.DEVICE_RESUMED, device_id, actor, reason, request_id)

    async def revoke(
        self, device_id: str, *, actor: str, reason: str | None = None, request_id: str | None = None
    ) -> Device:
        """End a terminal for good, whatever it is; its key is blocked for ever. Twice is as good as once."""
        return await self._act(Act.REVOKE, AuditName.DEVICE_REVOKED, device_id, actor, reason, request_id)

    async def _act(
        self, act: Act, name: AuditName, device_id: str, actor: str, reason: str | None, request_id: str | None
    ) -> Device:
        """Walk one edge. Raises Problem `not-found`, `bad-request` or `device-state-not-valid`."""
        now = self._clock()
        said = read_reason(reason)
        async with self._database.write() as connection:
            device = await found(connection, device_id)
            if act == Act.REVOKE and device.state == DeviceState.REVOKED:
                return shown(device, now)
            await self._transitions.walk(connection, act, device, now, reason=said)
            detail = {} if said is None else {"reason": said}
            await self._transitions.record(connection, name, device, actor, now, detail, request_id=request_id)
        self._changed()
        return await self.get(device_id)

    def _registered(self, device: Device, code: str, now: float) -> Registered:
        return Registered(device, code, f"{self._kiosk_url}#enrol={code}", now + ENROLMENT_CODE_LIFETIME)


def _mismatch(tries: int) -> Problem:
    left = WORD_TRIES - tries
    if left > 0:
        again = f"{left} {'try is' if left == 1 else 'tries are'} left."
        return Problem("words-mismatch", f"That is not what the terminal shows. {again}", tries_left=left)
    return Problem(
        "words-mismatch",
        "That is not what the terminal shows. The enrolment is denied: it needs a new code.",
        tries_left=0,
    )
