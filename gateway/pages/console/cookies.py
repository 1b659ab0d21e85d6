"""The cookies of the console.

| cookie | holds | until |
|---|---|---|
| `__Host-stampgate` | the session's token, the same JWT that the interface takes | the browser ends; with "Remember me" as long as the token is good |
| `__Host-stampgate-here` | nothing: that it comes back shows that this browser keeps our cookies at this address | the browser ends |
| `__Host-stampgate-said` | the name of the one sentence that the next page begins with | that page |
| `__Host-stampgate-lang` | the language somebody chose | a year |

All have the `__Host-` prefix (RFC 6265bis §4.1.3.2): Secure, no Domain, Path=/, so no other host or plain-HTTP address
can set or read them. Chromium and Firefox keep them for http://localhost too; whoever opens another address over plain
HTTP is told that HTTPS is needed, before a password is typed.
"""  # noqa: E501

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp import web

SESSION: Final = "__Host-stampgate"
HERE: Final = "__Host-stampgate-here"
SAID: Final = "__Host-stampgate-said"
LANGUAGE: Final = "__Host-stampgate-lang"

LANGUAGE_SECONDS: Final = 365 * 86_400


def set_cookie(response: web.StreamResponse, name: str, value: str, *, seconds: int | None = None) -> None:
    """Have the browser keep a cookie for so many seconds, or until it ends; no script can read it."""
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Strict")


def drop_cookie(response: web.StreamResponse, name: str) -> None:
    """Have the browser forget a cookie. The same attributes again: else the prefix makes it ignore the field."""
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Strict")
