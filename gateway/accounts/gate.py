"""Who is signed in with an e-mail login, and whether the act at hand is allowed.

A token counts only if all of this holds, and every failure of it gets the one answer `not-signed-in`:

1. it is a token that this gateway's key has signed (EdDSA, our type), and not over;
2. there is a row with its SHA-256, which names the same session and person, and is not over;
3. the person is active.

The role is the one in the database at this moment, so taking a role away takes effect with the next request. Only then
is asked whether the role has the permission, and for sensitive acts whether the password was entered lately.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from aiohttp import hdrs, web

from crypto import assertions
from crypto.tokens import token_hash
from gateway.accounts.roles import CONFIRMED_FOR_SECONDS, PERMISSIONS, Role, allows
from gateway.http.problems import Problem
from storage import account_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.clock import Clock
    from gateway.http.routes import Handler
    from storage.database import Database
    from storage.journal import Journal

TOUCH_SECONDS: Final = 60.0
"""How exactly a session's last use is known: writing it down with every request would make each a commit."""


class SignedIn(NamedTuple):
    """Somebody signed in, as the database knew them when the request came. Times in Unix seconds."""

    user_id: str
    company_id: str
    role: Role
    email: str
    full_name: str
    session_id: str
    confirmed_at: float
    expires_at: float

    def may(self, permission: str) -> bool:
        """Tell whether this role has a permission, however long ago the password was entered."""
        return allows(self.role, permission)


SignedInHandler = Callable[[web.Request, SignedIn], Awaitable[web.StreamResponse]]

ACCOUNT: Final = web.RequestKey("ACCOUNT", SignedIn)
"""Who is signed in, in every request that has passed the gate."""


class AccountGate:
    """Wraps handlers so that only people who may do it reach them. `public_keys`: of our tokens, by `kid`."""

    def __init__(self, *, database: Database, journal: Journal, public_keys: Mapping[str, bytes], clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._public_keys = public_keys
        self._clock = clock

    def protect(self, handler: SignedInHandler, permission: str | None) -> Handler:
        """Return `handler` behind the gate; `None`: being signed in is enough.

        Raises `KeyError` for a permission that is not in the table: at start, not at the first request.
        """
        if permission is not None:
            _ = PERMISSIONS[permission]

        async def guarded(request: web.Request) -> web.StreamResponse:
            signed_in = await self.identify(bearer_token(request))
            if permission is not None:
                self.require(signed_in, permission)
            request[ACCOUNT] = signed_in
            return await handler(request, signed_in)

        return guarded

    async def identify(self, token: str) -> SignedIn:
        """Return whose token this is. Raises Problem `not-signed-in`, and `StorageUnavailable`."""
        now = self._clock()
        try:
            claims = assertions.verify(token, self._public_keys, now)
        except assertions.InvalidAssertion as error:
            raise Problem("not-signed-in", cause=str(error)) from None
        async with self._database.read() as connection:
            holder = await account_sessions.find(connection, token_hash(token))
        if holder is None:
            raise Problem("not-signed-in", cause="no such session")
        session = holder.session
        if claims.get("sid") != session.id or claims.get("sub") != session.user_id or session.expires_at <= now:
            raise Problem("not-signed-in", cause="the token and its session do not agree")
        if not holder.active or holder.email is None:
            raise Problem("not-signed-in", cause="no longer active")
        if session.last_seen_at + TOUCH_SECONDS <= now:
            await self._journal.write(lambda connection: account_sessions.touch(connection, session.id, now))
        return SignedIn(
            user_id=session.user_id,
            company_id=holder.company_id,
            role=Role(holder.role),
            email=holder.email,
            full_name=holder.full_name,
            session_id=session.id,
            confirmed_at=session.confirmed_at,
            expires_at=session.expires_at,
        )

    def require(self, signed_in: SignedIn, permission: str) -> None:
        """Refuse an act that the role does not have, or that needs a fresh password entry.

        Raises Problem `not-allowed` or `confirmation-required`, and `KeyError` for a name that is not in the table.
        """
        if not signed_in.may(permission):
            raise Problem("not-allowed", cause=f"{signed_in.role} without {permission}")
        if PERMISSIONS[permission].is_sensitive and self._clock() - signed_in.confirmed_at > CONFIRMED_FOR_SECONDS:
            raise Problem("confirmation-required", cause=permission)


def bearer_token(request: web.Request) -> str:
    """Return the token in the one Authorization field (RFC 6750 §2.1). Raises Problem `not-signed-in`."""
    values = request.headers.getall(hdrs.AUTHORIZATION, ())
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise Problem("not-signed-in", cause="no token")
    return token
