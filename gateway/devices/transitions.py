"""Walking one edge of a device's life: as a conditional update, and written down together with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gateway.audit_events import AuditName, event
from gateway.devices.lifecycle import EDGES, Act, DeviceState, is_allowed
from gateway.devices.lifecycle import state_now as lifecycle_state
from gateway.http.problems import Problem
from gateway.trust_feed import kinds
from storage import audit, devices, known_keys, trust_changes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import NewId
    from storage.devices import Device

_DONE: Final[Mapping[str, str]] = {
    Act.APPROVE: "be approved",
    Act.DENY: "be denied",
    Act.SUSPEND: "be suspended",
    Act.RESUME: "be resumed",
    Act.REPLACE: "be replaced",
    Act.REVOKE: "be revoked",
}


def not_now(act: str, device: Device, now: float) -> Problem:
    """The refusal of an act, or of a wish in words, that the state does not allow."""
    state = state_now(device, now).value
    wish = _DONE.get(act, act)
    return Problem("device-state-not-valid", f"The terminal is {state}: it cannot {wish}.", state=state)


class Transitions:
    """Changes of a device inside somebody's transaction."""

    def __init__(self, new_id: NewId) -> None:
        self._new_id = new_id

    async def walk(self, connection: AsyncConnection, act: Act, device: Device, now: float, **changes: object) -> None:
        """Move a device as it was just read along one edge, unless somebody else moved it meanwhile.

        Whatever the edge, an enrolment code that was lying about is worth nothing afterwards.
        """
        if act != Act.LAPSE:
            require(act, device, now)
        edge = EDGES[act]
        # Ending a terminal must never lose a race against anything else that happens to it.
        sources = tuple(edge.sources) if act == Act.REVOKE else (device.state,)
        moved = await devices.set_state(
            connection,
            device.id,
            sources,
            edge.target.value,
            code_hash=None,
            code_expires_at=None,
            **changes,
        )
        if not moved:
            raise not_now(act, device, now)
        if edge.blocks_key:
            await known_keys.block(connection, device.id)
        else:
            # A key change under way is void: whoever looked at the terminal now has not seen its next key.
            await known_keys.block_offers(connection, device.id)

    async def record(
        self,
        connection: AsyncConnection,
        name: AuditName,
        device: Device,
        actor: str,
        now: float,
        detail: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
    ) -> None:
        """Write the audit event and the trust change of what was done."""
        await audit.append(
            connection,
            event(
                name,
                id=self._new_id(),
                at=now,
                actor=actor,
                company_id=device.company_id,
                subject=f"device:{device.id}",
                detail=detail or {},
                request_id=request_id,
            ),
        )
        await trust_changes.append(connection, kinds.DEVICE, device.id, {}, now)


async def found(connection: AsyncConnection, device_id: str, company_id: str | None = None) -> Device:
    """The stored device, of that company if one is named. Raises Problem `not-found`, for a foreign one as for none."""
    device = await devices.get(connection, device_id)
    if device is None or company_id not in (None, device.company_id):
        raise Problem("not-found", "There is no such terminal.")
    return device


def state_now(device: Device, now: float) -> DeviceState:
    """What the stored device is at `now`."""
    return lifecycle_state(
        device.state,
        now,
        enrolment_started_at=device.enrolment_started_at,
        key_expires_at=device.key_expires_at,
    )


def shown(device: Device, now: float) -> Device:
    """The device as it is now. The hash of its code is nobody's business, nor its key while that is unapproved."""
    state = state_now(device, now)
    shown = replace(device, state=state.value, code_hash=None)
    if state in (DeviceState.PENDING, DeviceState.REGISTERED):
        shown = replace(shown, keyid=None, public_key=None, key_created_at=None, key_expires_at=None)
    if state != DeviceState.PENDING:
        shown = replace(shown, words_asked=None)
    return shown


def require(act: Act, device: Device, now: float) -> None:
    """Refuse what leads nowhere from here. Raises Problem `device-state-not-valid`."""
    if not is_allowed(act, state_now(device, now)):
        raise not_now(act, device, now)
