"""The company of a path: everybody's is the one they are signed in to, and no other exists for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway.http.path_ids import path_id
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from aiohttp import web

    from gateway.accounts.gate import SignedIn

UNKNOWN: Final = "There is no such company."


def own_company(request: web.Request, signed_in: SignedIn) -> str:
    """Return the company of the path. Raises Problem `not-found` for any but the one of whoever asks."""
    if path_id(request, UNKNOWN) != signed_in.company_id:
        raise Problem("not-found", UNKNOWN, cause="another company's")
    return signed_in.company_id
