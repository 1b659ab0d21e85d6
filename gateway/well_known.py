"""`/.well-known/jwks.json`: the gateway's public key, for whoever verifies what it signs (RFC 7517, RFC 8037)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from crypto.assertions import jwks
from gateway.http.models import Answer
from gateway.http.routes import Route

if TYPE_CHECKING:
    from crypto.device_keys import DeviceKey


class PublicKey(Answer):
    """One Ed25519 public key."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


class PublicKeys(Answer):
    """A JSON Web Key Set."""

    keys: tuple[PublicKey, ...]


def routes(gateway_key: DeviceKey) -> list[Route]:
    """Return the route of the key set."""
    document = json.dumps(jwks({gateway_key.keyid: gateway_key.public_key})).encode()

    async def key_set(request: web.Request) -> web.Response:
        return web.Response(
            body=document, content_type="application/json", headers={"Cache-Control": "public, max-age=300"}
        )

    return [
        Route(
            method="GET",
            path="/.well-known/jwks.json",
            handler=key_set,
            summary="The gateway's public key",
            tag="operations",
            access="public",
            answers={200: PublicKeys},
        )
    ]
