"""The people of a company: their data and PINs."""

from __future__ import annotations
