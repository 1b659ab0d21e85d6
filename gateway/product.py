"""What this is, for those who ask: the product's version."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version


@cache
def product_version() -> str:
    """Return the installed version, as in `pyproject.toml`. Read once: the package's metadata has to be parsed."""
    return version("stampgate")
