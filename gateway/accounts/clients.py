"""A short label for a session, so that people recognise their own: "Firefox on Windows".

Made of fixed words only; what a browser says of itself is read once and kept nowhere.
"""

from __future__ import annotations

from typing import Final

READ_LIMIT: Final = 500
"""Characters of User-Agent that are looked at; browsers send fewer than 200."""

# In this order: most browsers also name the ones before them in history.
_PROGRAMS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
    ("Python", "Python"),
)
_SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def client_label(user_agent: str) -> str | None:
    """Return a label for a User-Agent field, `None` if nothing in it is known."""
    said = user_agent[:READ_LIMIT]
    program = next((label for sign, label in _PROGRAMS if sign in said), None)
    system = next((label for sign, label in _SYSTEMS if sign in said), None)
    return " on ".join(part for part in (program, system) if part is not None) or None
