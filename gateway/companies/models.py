"""How companies, invitations and the phone link look on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.accounts.roles import Role
from gateway.companies.fields import read_timezone
from gateway.devices.models import Networks
from gateway.http.changes import Changes, omitted
from gateway.http.models import Answer, Body, Rfc3339
from gateway.people.fields import NAME_LIMIT, read_email, read_text

if TYPE_CHECKING:
    from storage.companies import Company
    from storage.invitations import Invitation


class CompanySettings(Answer):
    """A company and its settings."""

    id: str
    name: str
    timezone: str
    locale: str
    public_stamp_enabled: bool
    kiosk_networks: tuple[str, ...] = Field(description="Where its terminals may be; empty: anywhere.")
    created_at: Rfc3339


class CompanyChanges(Changes):
    """What to change about a company; what is left out stays."""

    name: Annotated[str, AfterValidator(read_text), Field(min_length=1, max_length=NAME_LIMIT)] = omitted()
    timezone: Annotated[str, AfterValidator(read_timezone), Field(max_length=64, examples=["Europe/Berlin"])] = (
        omitted()
    )
    locale: Literal["de", "en"] = omitted()
    public_stamp_enabled: bool = omitted()
    kiosk_networks: Networks = omitted()


class InvitationBody(Body):
    """Whom to invite, and as what."""

    email: Annotated[str, AfterValidator(read_email), Field(json_schema_extra={"format": "email"})]
    role: Annotated[Role, Field(strict=False)]


class InvitationAnswer(Answer):
    """An invitation that nobody has accepted yet. Its link went by mail and is shown to nobody else."""

    id: str
    email: str
    role: str
    created_at: Rfc3339
    expires_at: Rfc3339


class InvitationsAnswer(Answer):
    """The open invitations, newest first."""

    items: tuple[InvitationAnswer, ...]


class LinkStateAnswer(Answer):
    """Whether phone stamping is on, and whether there is a link and since when; never the token."""

    enabled: bool
    active: bool
    created_at: Rfc3339 | None = None
    version: int | None = Field(None, description="The poster's number, as stamps and audit events name it.")


class RotatedLinkAnswer(Answer):
    """The new link, shown this once."""

    token: str
    url: str
    created_at: Rfc3339


def company_settings(company: Company) -> CompanySettings:
    """Return the answer model of a company."""
    return CompanySettings(
        id=company.id,
        name=company.name,
        timezone=company.timezone,
        locale=company.locale,
        public_stamp_enabled=company.public_stamp_enabled,
        kiosk_networks=company.kiosk_networks,
        created_at=company.created_at,
    )


def invitation_answer(invitation: Invitation) -> InvitationAnswer:
    """Return the answer model of an invitation."""
    return InvitationAnswer(
        id=invitation.id,
        email=invitation.email,
        role=invitation.role,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
