from __future__ import annotations

from tests.gateway.site_fixtures import clock, company, site

__all__ = ["clock", "company", "site"]
