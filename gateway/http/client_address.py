"""From which address a request comes, when reverse proxies stand between (RFC 7239, and X-Forwarded-For before it).

Rules, in this order:

1. The connection's peer is the client, unless the peer is a trusted proxy (``STAMPGATE_TRUSTED_PROXIES``). A peer on a
   Unix socket is on this machine: it counts as the loopback address and as trusted.
2. From a trusted peer, exactly one header is read, the one the operator says the proxies set
   (``STAMPGATE_FORWARDED_HEADER``, X-Forwarded-For by default). The other is ignored even when the first is missing: a
   proxy that sets only one hands the client's own copy of the other through, and reading it would let anyone choose
   his address.
3. Header lines are joined in their order (RFC 9110 §5.3) and read from right to left, because each proxy appends on the
   right. Each entry names who spoke to the proxy on its right: is it a trusted proxy too, reading goes on; else it is
   the client, and whatever stands further left was said by the client and is ignored.
4. An entry that is no address (garbage, empty, ``unknown``, an obfuscated ``_name`` of RFC 7239 §6.3) ends the reading:
   the client is the last proxy that could be believed. So it does after 32 entries.
5. Ports and brackets are dropped, IPv4-mapped IPv6 becomes IPv4, zone identifiers are no address.
"""

from __future__ import annotations

import re
import socket
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Literal, Protocol

from multidict import istr

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator, Sequence

    from multidict import CIMultiDictProxy

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]

LOOPBACK: Final = IPv4Address("127.0.0.1")
MAX_HOPS: Final = 32
"""Entries read; no chain of proxies is that long."""

MAX_COMMAS: Final = 16
"""Commas tried as the start of one RFC 7239 element; only a quoted string can hold any."""

IPV6_SITE: Final = 64
"""Bits that name a subscriber; the rest of an IPv6 address he may change at will."""

_MAPPED_BITS: Final = 96
_TOKEN: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"  # noqa: S105 RFC 9110 §5.6.2, no secret
_QUOTED: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
_PAIR: Final = rf"{_TOKEN}=(?:{_TOKEN}|{_QUOTED})"
_ELEMENT: Final = re.compile(rf"[ \t]*{_PAIR}(?:;{_PAIR})*[ \t]*")
_PAIRS: Final = re.compile(rf"({_TOKEN})=({_TOKEN}|{_QUOTED})")
_ESCAPED: Final = re.compile(r"\\(.)")
_WITH_PORT: Final = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::[0-9]{1,5}|:_[A-Za-z0-9._-]+)?", re.ASCII)


class Arrived(Protocol):
    """What of a request is looked at, be it aiohttp's or a plain one."""

    @property
    def remote(self) -> str | None:
        """The address of the connection's other end."""

    @property
    def headers(self) -> CIMultiDictProxy[str]:
        """The header fields."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection."""


class ClientAddresses:
    """Tells each request's client address by the rules above."""

    def __init__(self, trusted: Sequence[Network] = (), header: ForwardedHeader = "x-forwarded-for") -> None:
        self._trusted = tuple(trusted)
        self.header = istr(header)
        self._read = _forwarded if header == "forwarded" else _x_forwarded_for

    def of(self, request: Arrived) -> Address:
        """Return the client's address."""
        at = _peer(request)
        if not self.trusts_peer_of(request):
            return at
        lines = request.headers.getall(self.header, None)
        if not lines:
            return at
        entries = self._read(",".join(lines))
        for _ in range(MAX_HOPS):
            entry = next(entries, None)
            address = None if entry is None else _parsed(entry)
            if address is None:
                break
            at = address
            if not self._is_trusted(at):
                break
        return at

    def trusts_peer_of(self, request: Arrived) -> bool:
        """Tell if the connection's peer is a trusted proxy, so that its forwarded header is read."""
        return self._is_trusted(_peer(request)) if request.remote else _is_unix_socket(request)

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted if network.version == address.version)


def _peer(request: Arrived) -> Address:
    """Return the address at the other end of the connection; the loopback address where it has none."""
    return (_parsed(request.remote) or LOOPBACK) if request.remote else LOOPBACK


def _is_unix_socket(request: Arrived) -> bool:
    """Tell if a peer without an address is one on this machine, and not one whose address could not be had."""
    held = request.transport.get_extra_info("socket") if request.transport is not None else None
    return held is not None and held.family == socket.AF_UNIX


def address_key(address: Address) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 address."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address) >> IPV6_SITE << IPV6_SITE, IPV6_SITE)))


def read_network(text: str) -> Network:
    """Return the network, or the lone address as one, in the form in which addresses are compared with it.

    By rule 5 these are never IPv4-mapped, so an IPv4-mapped network becomes the IPv4 one (RFC 4291 §2.5.5.2).

    Raises:
        ValueError: no network, bits set behind the prefix, or a zone identifier.
    """
    network = ip_network(text)
    if isinstance(network, IPv6Network):
        first = network.network_address
        if first.scope_id is not None:
            raise ValueError("a zone identifier means something on one machine only")
        if first.ipv4_mapped is not None and network.prefixlen >= _MAPPED_BITS:
            return IPv4Network((first.ipv4_mapped, network.prefixlen - _MAPPED_BITS))
    return network


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    """Return the address in one entry, with or without brackets and port, or ``None``."""
    bare = text.strip(" \t")
    if match := _WITH_PORT.fullmatch(bare):
        inner, outer = match.groups()
        # Brackets are for IPv6 only (RFC 3986 §3.2.2), and without them a port can follow IPv4 only.
        if inner is not None and ":" not in inner:
            return None
        bare = inner if inner is not None else outer
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        return address.ipv4_mapped or address
    return address


def _x_forwarded_for(value: str) -> Iterator[str]:
    """Give the entries from right to left."""
    while value:
        value, _, entry = value.rpartition(",")
        yield entry


def _forwarded(value: str) -> Iterator[str]:
    """Give the ``for`` values of RFC 7239 elements from right to left; one without a usable ``for`` gives nothing good.

    The shortest valid element at the end is taken. It cannot begin inside a quoted string of a proxy (its own closing
    quote would need an opening one there, which is escaped), and an unclosed quote that a client put on the left cannot
    swallow what a proxy appended on the right.
    """
    end = len(value)
    while end > 0:
        comma = end
        for _ in range(MAX_COMMAS):
            comma = value.rfind(",", 0, comma)
            if _ELEMENT.fullmatch(value, comma + 1, end):
                break
            if comma < 0:
                return
        else:
            return
        named = [held for name, held in _PAIRS.findall(value[comma + 1 : end]) if name.lower() == "for"]
        if len(named) != 1:
            return
        held = named[0]
        yield _ESCAPED.sub(r"\1", held[1:-1]) if held.startswith('"') else held
        end = comma
