"""The id in a path: anything that cannot be one names nothing, exactly as an unknown one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.http.fields import is_id
from gateway.http.problems import Problem

if TYPE_CHECKING:
    from aiohttp import web


def path_id(request: web.Request, unknown: str, name: str = "id") -> str:
    """Return an id of the path. Raises Problem `not-found` with the text `unknown` when it is no UUID of ours."""
    found = request.match_info[name]
    if not is_id(found):
        raise Problem("not-found", unknown, cause="no UUID")
    return found
