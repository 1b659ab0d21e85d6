"""The mail server's address, read once at start.

``smtp://user:password@host:port?starttls=…`` or ``smtps://…`` (TLS from the first byte). ``starttls`` is ``required``,
``offered`` (used if the server has it) or ``never``. Left out, it is required, but for a server on this machine
offered: a login and the links in the mails must not cross a network readable.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from gateway.http.field_faults import FieldFault

SUBMISSION_PORT: Final = 587
"""RFC 6409 §3.1."""

SUBMISSIONS_PORT: Final = 465
"""RFC 8314 §3.3."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_STARTTLS: Final = {"required": True, "offered": None, "never": False}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed in. `start_tls`: True must, None if offered, False never."""

    host: str
    port: int
    use_tls: bool
    start_tls: bool | None
    username: str | None = None
    password: str | None = field(default=None, repr=False)


def read_smtp_url(url: str) -> SmtpServer:
    """Return the server that an address names. Raises `FieldFault`, whose text repeats nothing of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FieldFault("must have a valid host and port") from None
    if parts.scheme not in ("smtp", "smtps"):
        raise FieldFault("must start with smtp://, smtps://")
    if not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise FieldFault("must be an address such as smtp://user:password@mail.example.com:587")
    use_tls = parts.scheme == "smtps"
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    chosen = options.pop("starttls", None)
    if options or (chosen is not None and (use_tls or chosen not in _STARTTLS)):
        raise FieldFault("may only add ?starttls=required, offered or never, and that to smtp:// alone")
    default = "offered" if parts.hostname in LOOPBACK else "required"
    return SmtpServer(
        host=parts.hostname,
        port=port or (SUBMISSIONS_PORT if use_tls else SUBMISSION_PORT),
        use_tls=use_tls,
        start_tls=False if use_tls else _STARTTLS[chosen or default],
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
