"""Sockets to listen on, and what people are told when somebody else has the address.

Apart from the server, so that a busy port is said before anything that serves has been loaded.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

BACKLOG: Final = 1024
"""Connections the kernel may hold for us: a company's terminals all come back at once after a power cut."""


class AddressInUse(Exception):
    """The address cannot be listened on; one line for people."""


def bind(host: str, port: int, *, reuse_port: bool = False, option: str = "--port") -> socket.socket:
    """Return a socket listening on `host` and `port` (0: any free one); `option` is what chose the port.

    Raises `AddressInUse`.
    """
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(info[0], info[1], info[2])
    except OSError as error:
        raise AddressInUse(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(info[4])
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        in_use = error.errno == errno.EADDRINUSE
        reason = f"it is in use already; choose another with {option}" if in_use else error.strerror
        raise AddressInUse(f"cannot listen on {host} port {port}: {reason}") from None
    return bound


def metrics_address_in_use(host: str, port: int) -> AddressInUse:
    """Return the refusal of a metrics port that somebody else has."""
    return AddressInUse(
        f"cannot serve metrics on {host} port {port}: it is in use already; choose another with --metrics-port, "
        "0 for none"
    )
