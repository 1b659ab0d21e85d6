"""Which terminals somebody should look at: silent ones, copied ones, and those whose key ends soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.devices.lifecycle import COPIED_REASON, DeviceState

if TYPE_CHECKING:
    from storage.devices import Device

SILENT_SECONDS: Final = 5 * 60.0
"""Terminals send a heartbeat about once a minute: five missed ones are no coincidence."""

KEY_SOON_SECONDS: Final = 14 * 86_400.0
"""A key that ends within two weeks: time enough to walk there. Terminals change keys after 30 of 90 days by themselves,
so one that comes this far does not."""


def is_silent(device: Device, now: float) -> bool:
    """Tell whether a terminal that should be talking has not been heard of."""
    if device.state != DeviceState.ACTIVE:
        return False
    heard = max(device.last_seen_at or 0.0, device.approved_at or 0.0)
    return now - heard > SILENT_SECONDS


def ends_soon(device: Device, now: float) -> bool:
    """Tell whether a terminal's key ends, or has ended, and nobody has done anything about it."""
    if device.state == DeviceState.EXPIRED:
        return True
    ends = device.key_expires_at
    return device.state == DeviceState.ACTIVE and ends is not None and ends - now < KEY_SOON_SECONDS


def is_copied(device: Device) -> bool:
    """Tell whether the gateway suspended a terminal because a copy of it turned up, and it still is."""
    return device.state == DeviceState.SUSPENDED and device.reason == COPIED_REASON
