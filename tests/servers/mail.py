"""A real SMTP server on loopback that keeps what it takes, and can be slow, away or unwilling."""

from __future__ import annotations

import asyncio
import email
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import policy
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

    from aiosmtpd.smtp import Envelope, Session


@dataclass
class MailServer:
    """What the server took, and how it behaves. `answers`: what it says to the next messages instead of taking them."""

    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    tried: int = 0
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.tried += 1
        await self.may_go_on.wait()
        if self.answers:
            return self.answers.pop(0)
        content = envelope.original_content or b""
        self.messages.append(email.message_from_bytes(content, policy=policy.default))
        self.recipients += envelope.rcpt_tos
        return "250 taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, login: Any) -> Any:
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"p@ss/word")


@asynccontextmanager
async def mail_server(*, port: int = 0, slow: bool = False, needs_login: bool = False) -> AsyncIterator[MailServer]:
    """Run a server; a slow one answers nothing until its `may_go_on` is set."""
    kept = MailServer()
    if not slow:
        kept.may_go_on.set()
    options: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "mail.test"}
    if needs_login:
        options |= {"authenticator": kept.authenticate, "auth_require_tls": False}
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(kept, **options), "127.0.0.1", port)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        kept.may_go_on.set()
        server.close()
        await server.wait_closed()
