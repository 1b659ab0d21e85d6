"""Where somebody is led back to after signing in: a page of the console, and nothing else."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

HOME: Final = "/console"
SIGN_IN: Final = "/console/sign-in"
CONFIRM: Final = "/console/confirm"

LIMIT: Final = 1024
"""Characters; no address of ours with all its filters is as long."""

# No second slash, backslash, dot segment or control character: browsers read some of those as another host.
_PAGE: Final = re.compile(r"/console(?:/[A-Za-z0-9-]+)*(?:\?[A-Za-z0-9._~%&=+:*-]*)?", re.ASCII)


def safe_return(address: str) -> str:
    """Return `address` if it is a path of the console with or without a query, else the first page."""
    return address if len(address) <= LIMIT and _PAGE.fullmatch(address) else HOME


def sign_in_address(back: str) -> str:
    """Return the sign-in page that leads back to `back`."""
    return SIGN_IN if back == HOME else f"{SIGN_IN}?next={quote(back, safe='')}"


def confirm_address(back: str) -> str:
    """Return the page that asks for the password and leads back to `back`."""
    return f"{CONFIRM}?next={quote(back, safe='')}"
