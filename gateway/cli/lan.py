"""Where other machines of the network reach this one."""

from __future__ import annotations

import socket
from typing import Final

SOMEWHERE_ELSE: Final = ("192.0.2.1", 9)
"""An address of TEST-NET-1 (RFC 5737): asking which of our addresses would face it sends nothing."""


def lan_address() -> str:
    """Return this machine's address in the network that leads outside, or the loopback address when there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(SOMEWHERE_ELSE)
        except OSError:
            return "127.0.0.1"
        address: str = probe.getsockname()[0]
        return address
