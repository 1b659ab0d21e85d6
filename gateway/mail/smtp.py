"""Handing one message to the mail server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import aiosmtplib

if TYPE_CHECKING:
    from email.message import EmailMessage

    from gateway.mail.server import SmtpServer

TIMEOUT_SECONDS: Final = 30.0
"""For each step of a delivery; a server that is slower is tried again later."""


class Undeliverable(Exception):
    """A message was not taken. `is_final`: trying again cannot help. The text is the cause without any address."""

    def __init__(self, cause: str, *, is_final: bool) -> None:
        super().__init__(cause)
        self.is_final = is_final


async def deliver(server: SmtpServer, message: EmailMessage) -> None:
    """Hand one message to the server, which then answers for it. Raises `Undeliverable`."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.use_tls,
        start_tls=server.start_tls,
        timeout=TIMEOUT_SECONDS,
    )
    try:
        await client.connect()
        await client.send_message(message)
        with contextlib.suppress(aiosmtplib.SMTPException):  # the message is taken, however the farewell goes
            await client.quit()
    except aiosmtplib.SMTPRecipientsRefused as error:
        final = all(refused.code >= 500 for refused in error.recipients)
        raise Undeliverable("the recipient was refused", is_final=final) from None
    except aiosmtplib.SMTPAuthenticationError:
        raise Undeliverable("the login was refused", is_final=False) from None
    except aiosmtplib.SMTPResponseException as error:
        raise Undeliverable(f"answer {error.code}", is_final=error.code >= 500) from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        raise Undeliverable(type(error).__name__, is_final=isinstance(error, aiosmtplib.SMTPNotSupported)) from None
    finally:
        client.close()  # at once, also when this is given up: a server that hangs is not waited for
