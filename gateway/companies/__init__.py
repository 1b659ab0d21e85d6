"""Companies: their settings and their public link."""

from __future__ import annotations
