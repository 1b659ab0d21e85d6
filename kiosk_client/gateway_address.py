"""Where the gateway is, read strictly: an origin, nothing else.

The address decides what is signed as ``@authority`` (RFC 9421 §2.2.3) and whether a PIN travels encrypted, so there is
no guessing. The enrolment address of the QR code (``<public url>/kiosk#enrol=<code>``) is understood too.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from yarl import URL

from crypto.message_signatures import SignatureRefused, normalise_authority
from kiosk_client.errors import InsecureAddress, WrongUse

_ENROLMENT_FRAGMENT = "enrol="


@dataclass(frozen=True, slots=True)
class GatewayAddress:
    """A gateway's origin (``https://stamp.example``) and its authority as it is signed (``stamp.example``)."""

    origin: str
    authority: str

    @property
    def encrypted(self) -> bool:
        """Whether requests travel over TLS."""
        return self.origin.startswith("https://")

    @property
    def loopback(self) -> bool:
        """Whether requests never leave this machine."""
        return is_loopback(URL(self.origin).host or "")

    @property
    def readable(self) -> bool:
        """Whether everyone on the way can read the PINs: allowed by ``--insecure-http`` only."""
        return not (self.encrypted or self.loopback)

    @property
    def without_tls(self) -> str:
        """The address of the same port by plain HTTP."""
        port = "" if URL(self.origin).explicit_port else ":443"
        return f"http://{self.authority}{port}"

    def url(self, target: str) -> URL:
        """The address of a request target, byte for byte as it is signed."""
        return URL(self.origin + target, encoded=True)


def is_loopback(host: str) -> bool:
    """Whether ``host`` names this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_address(text: str, *, insecure_http: bool) -> tuple[GatewayAddress, str | None]:
    """The address in ``text``, and the enrolment code if its fragment carries one.

    Raises ``WrongUse`` for what is no address of a gateway, ``InsecureAddress`` for plain HTTP to another machine that
    was not allowed by ``insecure_http``.
    """
    try:
        url = URL(text.strip())
        host, port = url.host, url.explicit_port
    except ValueError:
        raise WrongUse("That is not an address. Write it like https://stamp.example") from None
    if url.scheme not in ("https", "http") or not host:
        raise WrongUse("The gateway's address begins with https:// (http:// only on this machine)")
    if url.user is not None or url.password is not None or url.query_string or url.path not in ("", "/", "/kiosk"):
        raise WrongUse("Give the gateway's address alone, like https://stamp.example, without path, query or user name")
    name = f"[{host}]" if ":" in host else (url.raw_host or host)
    try:
        authority = normalise_authority(name if port is None else f"{name}:{port}", url.scheme)
    except SignatureRefused:
        raise WrongUse("That host name cannot be signed. Write the address like https://stamp.example") from None
    address = GatewayAddress(f"{url.scheme}://{authority}", authority)
    if address.readable and not insecure_http:
        raise InsecureAddress(address.origin)
    code = url.fragment.removeprefix(_ENROLMENT_FRAGMENT) if url.fragment.startswith(_ENROLMENT_FRAGMENT) else None
    return address, code
