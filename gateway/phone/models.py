"""Request and answer models of the phone tier."""

from __future__ import annotations

from pydantic import Field

from gateway.http.fields import Token
from gateway.http.models import Answer, Body
from gateway.pin_login.models import CredentialsBody, EmployeeAnswer
from gateway.stamping.models import StatusAnswer


class LinkBody(Body):
    """The token of a poster."""

    token: Token


class PhoneLoginBody(CredentialsBody):
    """Personnel number and PIN, over a poster's link."""

    token: Token


class LinkCompany(Answer):
    """Whose poster this is: people should know where they type, and in whose time zone times are told."""

    name: str
    timezone: str
    locale: str


class LinkAnswer(Answer):
    """A link that is valid now."""

    company: LinkCompany


class PhoneSessionAnswer(Answer):
    """An employee's session on a phone; `expires_in` in seconds, absolute."""

    session_token: str
    expires_in: int
    employee: EmployeeAnswer
    failed_attempts: int = Field(description="Failed tries since the last sign-in, on either tier.")
    status: StatusAnswer
