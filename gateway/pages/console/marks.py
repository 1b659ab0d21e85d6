"""Marks texts for translation where they are written down before it is known in which language they are read."""

from __future__ import annotations


def N_(text: str) -> str:  # noqa: N802 gettext's own name for it
    """Return `text` as it is; the catalogues must hold it."""
    return text
