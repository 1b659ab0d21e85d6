"""Mail: what is written, and how it gets to a mail server without anybody waiting for it."""

from __future__ import annotations
