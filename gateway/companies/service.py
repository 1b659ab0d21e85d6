"""Companies: who they are, where their terminals may be, and the link on their poster.

Every change is one transaction of the row, its audit event and its trust change.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crypto.tokens import new_token, token_hash
from gateway.audit_events import AuditName, event
from gateway.companies.fields import read_timezone
from gateway.devices.networks import read_networks
from gateway.http.field_faults import FieldError, FieldFault
from gateway.http.problems import Problem
from gateway.people.fields import read_text
from gateway.trust_feed import kinds
from storage import audit, companies, phone_links, trust_changes
from storage.companies import Company

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from gateway.clock import Clock, NewId, Randomness
    from storage.database import Database

LOCALES: Final = ("de", "en")
"""The languages the pages speak."""

SCANNED_SECONDS: Final = 86_400.0
"""How long a poster that is scanned although it is not valid is pointed at."""

DEFAULT_TIMEZONE: Final = "Europe/Berlin"
DEFAULT_LOCALE: Final = "de"


@dataclass(frozen=True, slots=True)
class RotatedLink:
    """A company's new phone link. Token and address are shown this once; `created_at` in Unix seconds."""

    token: str = field(repr=False)
    url: str = field(repr=False)
    created_at: float
    enabled: bool


@dataclass(frozen=True, slots=True)
class LinkState:
    """Whether phone stamping is on (`enabled`), and whether there is a link (`active`), since when and its number."""

    enabled: bool
    active: bool
    created_at: float | None
    version: int | None


@dataclass(frozen=True, slots=True)
class ScannedPoster:
    """A poster that is scanned although it is not valid; `is_current`: it is, as soon as phone stamping is on again."""

    version: int
    is_current: bool


@dataclass(frozen=True, slots=True)
class PosterLink:
    """What a poster of the current link says. `created_at` in Unix seconds."""

    company: Company
    url: str = field(repr=False)
    created_at: float


class Companies:
    """What may be done with companies. `stamp_url` is the phone page's address without its fragment."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        randomness: Randomness,
        new_id: NewId,
        stamp_url: str,
        changed: Callable[[], None],
    ) -> None:
        self._database = database
        self._clock = clock
        self._randomness = randomness
        self._new_id = new_id
        self._stamp_url = stamp_url
        self._changed = changed

    async def add(
        self,
        name: str,
        *,
        timezone: str = DEFAULT_TIMEZONE,
        locale: str = DEFAULT_LOCALE,
        kiosk_networks: Sequence[str] = (),
        actor: str,
        request_id: str | None = None,
    ) -> Company:
        """Found a company; phone stamping is off. Raises Problem `bad-request` with every fault."""
        async with self._database.write() as connection:
            company = await self.add_in(
                connection,
                name,
                timezone=timezone,
                locale=locale,
                kiosk_networks=kiosk_networks,
                actor=actor,
                request_id=request_id,
            )
        self._changed()
        return company

    async def add_in(
        self,
        connection: AsyncConnection,
        name: str,
        *,
        timezone: str = DEFAULT_TIMEZONE,
        locale: str = DEFAULT_LOCALE,
        kiosk_networks: Sequence[str] = (),
        actor: str,
        request_id: str | None = None,
    ) -> Company:
        """Found a company in the caller's transaction, who tells others after the commit. Raises as `add`."""
        values = _read_fields(name=name, timezone=timezone, locale=locale, kiosk_networks=kiosk_networks)
        company = Company(id=self._new_id(), created_at=self._clock(), **values)
        await companies.add(connection, company)
        await self._record(connection, company.id, actor, {"founded": True}, request_id=request_id)
        return company

    async def list_(self) -> list[Company]:
        """All companies, oldest first."""
        async with self._database.read() as connection:
            return await companies.all_(connection)

    async def get(self, company_id: str) -> Company:
        """One company. Raises Problem `not-found`."""
        async with self._database.read() as connection:
            return _found(await companies.get(connection, company_id))

    async def update(
        self, company_id: str, changes: dict[str, Any], *, actor: str, request_id: str | None = None
    ) -> Company:
        """Change `name`, `timezone`, `locale`, `public_stamp_enabled` or `kiosk_networks`.

        Switching phone stamping ends open phone sessions. Raises Problem `not-found`, or `bad-request` with all faults.
        """
        values = _read_fields(**changes)
        async with self._database.write() as connection:
            before = _found(await companies.get(connection, company_id))
            changed = {name: value for name, value in values.items() if getattr(before, name) != value}
            if not changed:
                return before
            await companies.update(connection, company_id, **changed)
            await self._record(
                connection,
                company_id,
                actor,
                {"changed": sorted(changed)} | _switch(changed),
                ends_phone_sessions="public_stamp_enabled" in changed,
                request_id=request_id,
            )
            company = _found(await companies.get(connection, company_id))
        self._changed()
        return company

    async def rotate_link(self, company_id: str, *, actor: str, request_id: str | None = None) -> RotatedLink:
        """Make a new link; the old poster and its sessions end at once. Does not switch phone stamping on."""
        token = new_token(self._randomness)
        now = self._clock()
        async with self._database.write() as connection:
            company = _found(await companies.get(connection, company_id))
            version = await companies.set_link(connection, company_id, token_hash(token), now)
            await self._record(
                connection,
                company_id,
                actor,
                {"link_version": version},
                name=AuditName.PUBLIC_LINK_ROTATED,
                ends_phone_sessions=True,
                request_id=request_id,
            )
        self._changed()
        return RotatedLink(token, self._link_url(token), now, enabled=company.public_stamp_enabled)

    async def disable_link(self, company_id: str, *, actor: str, request_id: str | None = None) -> bool:
        """Let the poster die without a new one. False, and nothing written, when there was none."""
        async with self._database.write() as connection:
            company = _found(await companies.get(connection, company_id))
            if company.link_hash is None:
                return False
            version = await companies.set_link(connection, company_id, None, self._clock())
            await self._record(
                connection,
                company_id,
                actor,
                {"link_version": version},
                name=AuditName.PUBLIC_LINK_DISABLED,
                ends_phone_sessions=True,
                request_id=request_id,
            )
        self._changed()
        return True

    async def link_state(self, company_id: str) -> LinkState:
        """What may be known about the link by anybody who looks after it; never the token."""
        company = await self.get(company_id)
        active = company.link_hash is not None
        version = company.link_version if active else None
        return LinkState(company.public_stamp_enabled, active, company.link_created_at, version)

    async def scanned_posters(self, company_id: str) -> list[ScannedPoster]:
        """The posters that were scanned in the last day although they are not valid. Raises Problem `not-found`."""
        async with self._database.read() as connection:
            company = _found(await companies.get(connection, company_id))
            links = await phone_links.reported_since(connection, company_id, self._clock() - SCANNED_SECONDS)
        found = [ScannedPoster(link.version, link.link_hash == company.link_hash) for link in links]
        return [one for one in found if not (one.is_current and company.public_stamp_enabled)]

    async def poster_link(self, company_id: str, token: str) -> PosterLink:
        """What to print for whoever has the current token: nobody else can, since it is stored nowhere.

        Raises Problem `not-found`, and `link-not-valid` for a token that is not this company's current one.
        """
        company = await self.get(company_id)
        current, created_at = company.link_hash, company.link_created_at
        if current is None or created_at is None or not hmac.compare_digest(current, token_hash(token)):
            raise Problem("link-not-valid", "This is not the token of the current link.", cause="another token")
        return PosterLink(company, self._link_url(token), created_at)

    def _link_url(self, token: str) -> str:
        """The address on the poster. A fragment reaches no server and no log."""
        return f"{self._stamp_url}#t={token}"

    async def _record(
        self,
        connection: AsyncConnection,
        company_id: str,
        actor: str,
        detail: dict[str, Any],
        *,
        name: AuditName = AuditName.SETTINGS_CHANGED,
        ends_phone_sessions: bool = False,
        request_id: str | None = None,
    ) -> None:
        now = self._clock()
        await audit.append(
            connection,
            event(
                name,
                id=self._new_id(),
                at=now,
                actor=actor,
                company_id=company_id,
                subject=f"company:{company_id}",
                detail=detail,
                request_id=request_id,
            ),
        )
        ended = {"link": True} if ends_phone_sessions else {}
        await trust_changes.append(connection, kinds.COMPANY, company_id, ended, now)


def _found(company: Company | None) -> Company:
    if company is None:
        raise Problem("not-found", "There is no such company.")
    return company


def _switch(changed: dict[str, Any]) -> dict[str, bool]:
    """Whether phone stamping was switched on or off is worth more in the audit trail than that it was."""
    return {name: value for name, value in changed.items() if name == "public_stamp_enabled"}


def _read_fields(**values: Any) -> dict[str, Any]:
    """The values as they are stored. Raises Problem `bad-request` with every fault."""
    faults: list[FieldError] = []
    read: dict[str, Any] = {}
    for name, value in values.items():
        match name:
            case "name":
                try:
                    read[name] = read_text(value)
                except FieldFault as fault:
                    faults.append(FieldError(name, str(fault)))
            case "timezone":
                try:
                    read[name] = read_timezone(value)
                except FieldFault as fault:
                    faults.append(FieldError(name, str(fault)))
            case "locale":
                read[name] = value
                if value not in LOCALES:
                    faults.append(FieldError(name, f"must be one of: {', '.join(LOCALES)}"))
            case "kiosk_networks":
                read[name] = tuple(read_networks(name, value, faults))
            case "public_stamp_enabled":
                read[name] = value
            case _:
                faults.append(FieldError(name, "is not a known field"))
    if faults:
        raise Problem("bad-request", errors=faults, cause="faulty: " + ", ".join(fault.field for fault in faults))
    return read
