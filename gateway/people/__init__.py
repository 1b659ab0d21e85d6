"""The people of a company: their data, PINs and passwords."""

from __future__ import annotations
