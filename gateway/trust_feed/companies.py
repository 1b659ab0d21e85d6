"""The companies as this process knows them: settings, time zone, and whose link a poster's token is."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Literal, TypeAlias

from gateway.trust_feed import kinds
from storage import companies, phone_links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.companies import Company
    from storage.trust_changes import TrustChange

Networks = tuple[IPv4Network | IPv6Network, ...]

Why: TypeAlias = Literal["replaced", "switched-off"]


@dataclass(frozen=True, slots=True)
class DeadLink:
    """A link that was given out once and is not valid now: whose, the number of its poster, and why it is not."""

    company_id: str
    version: int
    why: Why


class CompanyRegistry:
    """All companies, kept true by the trust feed."""

    def __init__(self) -> None:
        self._by_id: dict[str, Company] = {}
        self._by_link: dict[bytes, Company] = {}
        self._of_all_times: dict[bytes, tuple[str, int]] = {}
        self._kiosk_networks: dict[str, Networks] = {}

    async def load(self, connection: AsyncConnection) -> None:
        """Read all companies."""
        self._by_id = {company.id: company for company in await companies.all_(connection)}
        self._by_link = {company.link_hash: company for company in self._by_id.values() if company.link_hash}
        links = await phone_links.all_(connection)
        self._of_all_times = {link.link_hash: (link.company_id, link.version) for link in links}
        self._kiosk_networks = {
            company.id: tuple(ip_network(text) for text in company.kiosk_networks) for company in self._by_id.values()
        }

    async def follow(self, connection: AsyncConnection, changes: Sequence[TrustChange]) -> None:
        """Read everything again when a company changed: they are few and change seldom."""
        if any(change.kind == kinds.COMPANY for change in changes):
            await self.load(connection)

    def get(self, company_id: str) -> Company:
        """Return the company. Raises `KeyError`."""
        return self._by_id[company_id]

    def kiosk_networks(self, company_id: str) -> Networks:
        """Return where the company's terminals may be; none means anywhere. Raises `KeyError`."""
        return self._kiosk_networks[company_id]

    def by_link(self, link_hash: bytes) -> Company | None:
        """Return the company whose current link has this SHA-256, if phone stamping is on there.

        The token has 256 random bits, so looking its hash up in a dictionary tells nobody anything by its duration.
        """
        company = self._by_link.get(link_hash)
        return company if company is not None and company.public_stamp_enabled else None

    def dead_link(self, link_hash: bytes) -> DeadLink | None:
        """Return what is known of a link that `by_link` does not give: for those who look after it, never a client."""
        known = self._of_all_times.get(link_hash)
        if known is None:
            return None
        return DeadLink(*known, "switched-off" if link_hash in self._by_link else "replaced")
