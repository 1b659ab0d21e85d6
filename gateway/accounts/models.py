"""Request and answer models of e-mail logins."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from crypto.passwords import PASSWORD_FAULT_TEXT, password_faults
from gateway.http.field_faults import FieldFault
from gateway.http.fields import Token
from gateway.http.models import Answer, Body, Rfc3339
from gateway.people.fields import read_email, read_text
from gateway.people.models import UserAnswer

_SECRET = {"format": "password", "writeOnly": True}


def _may_be_chosen(password: str, info: ValidationInfo) -> str:
    """Name every rule the password breaks, as far as the fields before it tell."""
    codes = password_faults(password, info.data.get("email"))
    if codes:
        raise FieldFault(" ".join(PASSWORD_FAULT_TEXT[code] for code in codes))
    return password


Email = Annotated[str, AfterValidator(read_email), Field(json_schema_extra={"format": "email"})]
"""An address, in lower case from here on."""

Name = Annotated[str, AfterValidator(read_text)]

NewPassword = Annotated[str, AfterValidator(_may_be_chosen), Field(json_schema_extra=_SECRET)]
"""A password that somebody wants to have from now on."""

Password = Annotated[str, Field(min_length=1, json_schema_extra=_SECRET)]
"""A password as somebody enters it to prove who they are."""


class RegistrationBody(Body):
    """Who wants a login. Without an invitation a company is founded."""

    email: Email
    password: NewPassword
    full_name: Name
    company_name: Name | None = None
    invitation: Token | None = None


class LoginBody(Body):
    """E-mail and password."""

    email: Email
    password: Password


class ConfirmBody(Body):
    """The password, once more."""

    password: Password


class ResetRequestBody(Body):
    """Whose password is forgotten."""

    email: Email


class ResetBody(Body):
    """The token of a mailed link, and the new password."""

    token: Token
    password: NewPassword


class PasswordChangeBody(Body):
    """The password of now, and the one from now on."""

    current_password: Password
    new_password: NewPassword


class RegisteredAnswer(Answer):
    """Somebody with a login."""

    user: UserAnswer


class LoginAnswer(Answer):
    """A session's token, to be sent as Authorization: Bearer."""

    token: str
    expires_at: Rfc3339
    user: UserAnswer


class ValidAnswer(Answer):
    """The token is good."""

    valid: bool
    expires_at: Rfc3339


class SessionAnswer(Answer):
    """One session. `client`: what it was opened with, as far as known; `current`: the one that asks."""

    id: str
    created_at: Rfc3339
    last_seen_at: Rfc3339
    expires_at: Rfc3339
    current: bool
    client: str | None = None


class SessionsAnswer(Answer):
    """One's own sessions, newest first."""

    items: tuple[SessionAnswer, ...]
