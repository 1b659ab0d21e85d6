from __future__ import annotations

from tests.gateway.site_fixtures import clock, company, shared_sites, site

__all__ = ["clock", "company", "shared_sites", "site"]
