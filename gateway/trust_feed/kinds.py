"""The kinds of rows in `trust_changes`, and what the subject of each names."""

from __future__ import annotations

from typing import Final

DEVICE: Final = "device"
"""State, key or networks of a device changed. Subject: the device id."""

PERSON: Final = "person"
"""A person's open sessions end (deactivated, PIN reset). Subject: the user id."""

COMPANY: Final = "company"
"""Settings of a company changed. Subject: the company id. Detail: `{"link": true}` when open phone sessions end."""

LOCKOUT: Final = "lockout"
"""A lock was cleared. Subject: the lockout id. Detail: company_id, tier, scope and subject of its counters."""
