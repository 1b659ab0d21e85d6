"""The one canonical spelling of a request target, and of an authority.

Proxies, routers and signing libraries all normalise targets differently. Where only one spelling exists there is
nothing to disagree about: whatever could be normalised is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache

from crypto.message_signatures.problems import NonCanonicalTarget, UnknownAuthority

# Segments of unreserved characters (RFC 3986 §2.3), none of them empty, "." or "..".
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]++)+")
# RFC 3986 §3.4; percent signs are looked at apart because they are rare.
_QUERY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/?%-]++")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]++\]|[a-z0-9._-]++)(?::([0-9]{0,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@lru_cache(64)  # terminals ask for a handful of targets, again and again
def read_target(raw_target: str) -> tuple[str, str]:
    """Return the values of `@path` and `@query` of a request target as it was sent (RFC 9421 §2.2.6, §2.2.7).

    The query includes its leading `?`; without one it is `?` alone.

    Raises:
        NonCanonicalTarget: not origin-form; a path segment that is empty, a dot segment or has characters other than
            `A-Za-z0-9._~-`; a `?` with nothing behind it; a fragment; a query that is not RFC 3986's.
    """
    path, mark, query = raw_target.partition("?")
    if _PATH.fullmatch(path) is None:
        raise NonCanonicalTarget("the path is not in canonical form")
    if not mark:
        return path, "?"
    if _QUERY.fullmatch(query) is None or ("%" in query and _STRAY_PERCENT.search(query)):
        raise NonCanonicalTarget("the query is not in canonical form")
    return path, f"?{query}"


def normalise_authority(host: str, scheme: str = "https") -> str:
    """Return the value of `@authority` for a host with or without port: lower case, no default port (RFC 9421 §2.2.3).

    Raises:
        UnknownAuthority: not a host name, IPv4 address or bracketed IPv6 address with an optional port.
    """
    match = _AUTHORITY.fullmatch(host.lower())
    if match is None:
        raise UnknownAuthority("not a host with an optional port")
    name, port = match.groups()
    if not port or int(port) == _DEFAULT_PORTS.get(scheme):
        return str(name)
    return f"{name}:{int(port)}"
