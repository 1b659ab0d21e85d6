"""Networks as people type them: addresses and CIDR, several at once, told apart from typing errors."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from gateway.http import client_address
from gateway.http.field_faults import FieldError, FieldFault

if TYPE_CHECKING:
    from collections.abc import Sequence

NETWORKS_LIMIT: Final = 64
"""Networks of one device or company: each is compared on every request from a terminal."""


def read_networks(field: str, texts: Sequence[str], faults: list[FieldError]) -> list[str]:
    """The networks in canonical form, each once, in the order given; a lone address is a network of one.

    Every wrong entry is added to `faults` as `field.<index>`. Bits behind the prefix (`10.0.3.7/8`) are refused:
    silently dropping them would let in a larger network than the person saw while typing.
    """
    if len(texts) > NETWORKS_LIMIT:
        faults.append(FieldError(field, f"must have at most {NETWORKS_LIMIT} entries"))
        return []
    networks: dict[str, None] = {}
    for index, text in enumerate(texts):
        try:
            networks[read_network(text)] = None
        except FieldFault as fault:
            faults.append(FieldError(f"{field}.{index}", str(fault)))
    return list(networks)


def read_network(text: str) -> str:
    """One network in canonical form, which is the one that a terminal's address is compared with."""
    try:
        return str(client_address.read_network(text.strip()))
    except ValueError:
        raise FieldFault(_explain(text)) from None


def _explain(text: str) -> str:
    try:
        client_address.read_network(str(ip_network(text.strip(), strict=False)))
    except ValueError:
        return "must be an address or a network like 192.168.10.0/24"
    return "has bits set behind its prefix: 192.168.10.7/24 must be written 192.168.10.0/24, or 192.168.10.7 alone"
