"""What a probe is answered: the request as it arrived."""

from __future__ import annotations

from gateway.http.models import Answer


class SeenField(Answer):
    """One line of the head, in its order."""

    name: str
    value: str


class Seen(Answer):
    """One request as the gateway saw it. Lines that may hold a secret are left out."""

    probe: str
    """Fingerprint of the token: an answer out of a cache has another one."""
    method: str
    target: str
    version: str
    host: tuple[str, ...]
    fields: tuple[SeenField, ...]
    authorization: tuple[str, ...]
    """Fingerprints of the Authorization fields."""
    body_bytes: int
    body_sha256: str
    peer: str
    peer_is_trusted: bool
    forwarded_header: str
    client: str
    public_url: str
    authority_is_known: bool
    now: float
    replay_nonce: str
