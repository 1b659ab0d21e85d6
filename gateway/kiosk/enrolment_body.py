"""What an enrolment's body looks like, and the one member that is read before the signature is checked."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from crypto import device_keys
from gateway.http.bodies import parse
from gateway.http.models import Body


class Jwk(Body):
    """An Ed25519 public key as a JSON Web Key (RFC 8037)."""

    kty: str
    crv: str
    x: str


class Client(Body):
    """What the terminal says of its software."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    version: Annotated[str, Field(min_length=1, max_length=32)]
    platform: Annotated[str, Field(min_length=1, max_length=64)]


class EnrolmentBody(Body):
    """`POST /api/time/kiosk/enrolments`."""

    code: Annotated[str, Field(min_length=1, max_length=32)]
    jwk: Jwk
    client: Client


class _KeyOnly(Body):
    """The body as far as it is read before its signature is checked: `jwk` alone."""

    model_config = ConfigDict(extra="ignore")

    jwk: Jwk


def claimed_key(body: bytes) -> bytes:
    """Return the public key inside an enrolment's body, whose digest has been checked but whose signature has not.

    Raises `Problem` for a body without a readable key, `MalformedKey` and `WeakKey`.
    """
    return device_keys.from_jwk(parse(_KeyOnly, body).jwk.model_dump())
