"""Routes for people with an e-mail login: one name of a permission, for the gate and for readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.http.routes import Route

if TYPE_CHECKING:
    from gateway.accounts.gate import AccountGate, SignedInHandler


def protected(gate: AccountGate, permission: str, handler: SignedInHandler, **fields: Any) -> Route:
    """Return a route whose handler only people with `permission` reach; `fields` are those of `Route`.

    Raises `KeyError` for a permission that is not in the table.
    """
    return Route(handler=gate.protect(handler, permission), permission=permission, access="account", **fields)


def actor(user_id: str) -> str:
    """Return how the audit trail names somebody signed in."""
    return f"user:{user_id}"
