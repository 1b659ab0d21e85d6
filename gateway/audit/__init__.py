"""The audit trail, read."""

from __future__ import annotations
