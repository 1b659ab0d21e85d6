"""How sign-ins look on the wire; what both tiers share."""

from __future__ import annotations

from gateway.http.fields import PersonnelNumber, Pin
from gateway.http.models import Answer, Body


class CredentialsBody(Body):
    """Personnel number and PIN."""

    personnel_number: PersonnelNumber
    pin: Pin


class EmployeeAnswer(Answer):
    """Who signed in, as the screen greets them."""

    display_name: str
