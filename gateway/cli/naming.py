"""What people call things on the command line: ids, and the names they know, as long as those name one thing only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from gateway.cli.advice import command
from gateway.cli.refusals import Refusal, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gateway.administration import Administration
    from storage.companies import Company
    from storage.devices import Device
    from storage.users import User

_EVERYBODY = 1_000_000
_SEVERAL = {"company": "companies", "terminal": "terminals", "person": "people"}


class _Identified(Protocol):
    @property
    def id(self) -> str: ...


Thing = TypeVar("Thing", bound=_Identified)


async def the_company(site: Administration, named: str | None) -> Company:
    """The company with this id or name; without a name the only one there is."""
    companies = await site.companies.list_()
    if not companies:
        raise Refusal(f"there is no company yet: add one with `{command('company', 'add', 'NAME')}`")
    if named is None:
        if len(companies) > 1:
            names = [company.name for company in companies[:10]]
            known = [
                f"{company.name!r}, id {company.id}" if names.count(company.name) > 1 else repr(company.name)
                for company in companies[:10]
            ]
            raise WrongUse(
                f"there are {len(companies)} companies, so choose one with --company (name or id): {'; '.join(known)}"
            )
        return companies[0]
    return _only(
        "company",
        named,
        {},
        (company for company in companies if company.id == named),
        (company for company in companies if company.name.casefold() == named.casefold()),
    )


async def some_companies(site: Administration, named: str | None) -> Company | None:
    """The company with this id or name; None, which means all, without a name."""
    return None if named is None else await the_company(site, named)


async def the_device(site: Administration, named: str, company: str | None) -> Device:
    """The terminal with this id, or with a label that only one terminal has."""
    within = await some_companies(site, company)
    devices = await site.devices.list_(within.id if within else None)
    companies = await company_names(site)
    labelled = [device for device in devices if device.label.casefold() == named.strip().casefold()]
    return _only(
        "terminal",
        named,
        companies,
        (device for device in devices if device.id == named),
        # A terminal taken down and its successor bear one label: the one in use is meant.
        [device for device in labelled if device.state != "revoked"] or labelled,
    )


async def the_user(site: Administration, named: str, company: str | None) -> User:
    """The person with this id, personnel number, e-mail or full name, if only one has it."""
    within = await some_companies(site, company)
    people = await site.people.list_(within.id if within else None, limit=_EVERYBODY)
    return _only(
        "person",
        named,
        await company_names(site),
        (user for user in people if user.id == named),
        (user for user in people if user.personnel_number == named),
        (user for user in people if user.email == named.lower()),
        (user for user in people if user.full_name.casefold() == named.casefold()),
    )


async def company_names(site: Administration) -> dict[str, str]:
    """The names of all companies by id, where there are several; else nothing, since there is nothing to tell apart."""
    companies = await site.companies.list_()
    return {company.id: company.name for company in companies} if len(companies) > 1 else {}


def _only(kind: str, named: str, companies: Mapping[str, str], *readings: Iterable[Thing]) -> Thing:
    """The one thing of the first reading that finds any."""
    for reading in readings:
        found = list(reading)
        if len(found) > 1:
            ids = "; ".join(_told_apart(thing, companies) for thing in found[:10])
            in_companies = {companies.get(getattr(thing, "company_id", "")) for thing in found}
            how = "its company (--company) or its id" if len(in_companies) == len(found) else "its id"
            raise WrongUse(f"{named!r} names {len(found)} {_SEVERAL[kind]}; say which by {how}: {ids}")
        if found:
            return found[0]
    raise Refusal(f"there is no {kind} {named!r}")


def _told_apart(thing: _Identified, companies: Mapping[str, str]) -> str:
    """The id of a thing, and what people know it by that differs among things of one name."""
    known = [getattr(thing, name, None) for name in ("state", "location", "personnel_number", "email")]
    known.append(companies.get(getattr(thing, "company_id", "")))
    told = ", ".join(filter(None, known))
    return f"{thing.id} ({told})" if told else thing.id
