"""The day that is put on what is printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from gateway.administration import Administration
    from storage.companies import Company


def today(site: Administration, company: Company) -> date:
    """The day it is where the company is, which need not be where this machine is."""
    from gateway.stamping.local_day import date_of, zone_named

    return date_of(site.clock(), zone_named(company.timezone))
