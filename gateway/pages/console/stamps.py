"""Stamps: everybody's for HR, one's own for everybody else; as a file; and corrections."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aiohttp import hdrs, web

from gateway.http.fields import is_id
from gateway.http.paging import cut
from gateway.http.problems import FieldError, Problem
from gateway.pages.console.addresses import confirm_address
from gateway.pages.console.forms import read_model
from gateway.stamping.actions import Action
from gateway.stamping.corrections import Wish
from gateway.stamping.export import csv_file
from gateway.stamping.history_models import CorrectionBody, StampsQuery, place_of, read_place
from gateway.stamping.local_day import day_ends, instants, midnight
from storage.stamp_history import Wanted

if TYPE_CHECKING:
    from gateway.pages.console.shell import Shell
    from gateway.pages.console.visit import Visit
    from storage.stamp_history import ListedStamp
    from storage.users import User

LIST = "/console/stamps"
PAGE_SIZE = 50
HOURS = ("first", "second")
"""Of two equal hours, when clocks are put back."""

_PASSES = "2000-01-01T00:00:00Z"
"""Stands in for a time with a fault of its own, so that only that one is told of it."""

CANDIDATES = 10
"""People offered when a search finds several."""


class StampPages:
    """The pages of stamps."""

    def __init__(self, shell: Shell) -> None:
        self._site = shell.site

    async def list_(self, visit: Visit) -> web.Response:
        """List stamps, newest first."""
        query = visit.request.query
        try:
            wanted, person, candidates = await self._wanted(visit)
            cursor = read_model(StampsQuery, {"cursor": query["cursor"]}).cursor if "cursor" in query else None
        except Problem as problem:
            return visit.again("stamps", problem, **_nothing(visit))
        if wanted is None:
            return visit.show("stamps", **(_nothing(visit) | {"candidates": candidates, "is_unknown": not candidates}))
        found = await self._site.history.page(wanted, read_place(cursor), PAGE_SIZE + 1)
        page, last = cut(found, PAGE_SIZE)
        values = _nothing(visit) | {"stamps": page, "person": person}
        return visit.show("stamps", **(values | {"cursor": None if last is None else place_of(last)}))

    async def export(self, visit: Visit) -> web.Response:
        """Answer with everything that the filters select, as a file."""
        back = f"{LIST}?{urlencode(list(visit.request.query.items()))}"
        wanted, _, _ = await self._wanted(visit)
        if wanted is None:
            return visit.go(back)
        if wanted.user_id != visit.me.user_id:
            try:
                visit.require("stamps.export")
            except Problem as problem:
                if problem.name != "confirmation-required":
                    raise
                return visit.go(confirm_address(back))
        company, stamps = await self._site.history.export(wanted, **visit.by)
        return web.Response(
            body=csv_file(stamps, company.locale, company.timezone),
            headers={
                hdrs.CONTENT_TYPE: "text/csv; charset=utf-8",
                hdrs.CONTENT_DISPOSITION: 'attachment; filename="stamps.csv"',
                hdrs.CACHE_CONTROL: "no-store",
            },
        )

    async def correct_page(self, visit: Visit) -> web.Response:
        """Ask what was true instead of a stamp, or besides those that are there."""
        user, original = await self._subject(visit, visit.request.query)
        return visit.show("correction", user=user, original=original, actions=list(Action))

    async def correct(self, visit: Visit) -> web.Response:
        """Make a correction."""
        form = visit.form
        user, original = await self._subject(visit, form)
        try:
            values = {"user_id": user.id, **form.given("action", "reason")}
            if original is not None:
                values["replaces"] = original.id
            at, *faults = _local_time(visit, original)
            body = read_model(CorrectionBody, values | {"at": at}, *faults)
            wish = Wish(
                user_id=body.user_id,
                action=body.action,
                at=body.at.timestamp(),
                reason=body.reason,
                replaces=body.replaces,
            )
            await self._site.corrections.correct(
                visit.company.id, wish, made_by=visit.me.user_id, request_id=visit.request_id
            )
        except Problem as problem:
            return visit.again("correction", problem, user=user, original=original, actions=list(Action))
        return visit.go(f"{LIST}?user={user.id}", "corrected")

    async def _wanted(self, visit: Visit) -> tuple[Wanted | None, User | None, list[User]]:
        """What the filters select, and of whom; None when a search names nobody, or several people.

        Raises Problem `bad-request` for dates that are none, `not-found` for a person that is none of this company.
        """
        query, company = visit.request.query, visit.company.id
        user_id, search = query.get("user", "").strip(), query.get("q", "").strip()
        candidates: list[User] = []
        if not visit.may("stamps.read"):
            user_id, search = visit.me.user_id, ""
        elif search:
            if not search.isprintable():
                raise Problem("bad-request", errors=[FieldError("q", "must not contain control characters")])
            candidates = await self._site.people.list_(company, search=search, limit=CANDIDATES)
            if len(candidates) != 1:
                return None, None, candidates
            user_id = candidates[0].id
        if user_id and not is_id(user_id):
            raise Problem("not-found", "There is no such person.")
        person = await self._site.people.get(user_id, company) if user_id else None
        start, end = _days(visit)
        return Wanted(company_id=company, user_id=user_id or None, start=start, end=end), person, candidates

    async def _subject(self, visit: Visit, values: Any) -> tuple[User, ListedStamp | None]:
        """Whom a correction is about, and what it replaces. Raises Problem `not-found`."""
        stamp_id, user_id = values.get("stamp", ""), values.get("user", "")
        original = None
        if stamp_id:
            if not is_id(stamp_id):
                raise Problem("not-found", "There is no such stamp.")
            original = await self._site.history.one(visit.company.id, stamp_id)
            user_id = original.user_id
        if not is_id(user_id):
            raise Problem("not-found", "There is no such person.")
        return await self._site.people.get(user_id, visit.company.id), original


def _nothing(visit: Visit) -> dict[str, Any]:
    query = visit.request.query
    kept = {name: query[name] for name in ("q", "user", "from", "to") if query.get(name)}
    return {
        "stamps": [],
        "person": None,
        "candidates": [],
        "is_unknown": False,
        "cursor": None,
        "query": {name: query.get(name, "") for name in ("q", "user", "from", "to")},
        "kept": urlencode(kept),
        "is_filtered": bool(kept),
    }


def _days(visit: Visit) -> tuple[float | None, float | None]:
    """The local days of the filter as Unix times; the last day is included."""
    found: dict[str, date | None] = {}
    faults = []
    for name in ("from", "to"):
        text = visit.request.query.get(name, "").strip()
        try:
            found[name] = date.fromisoformat(text) if text else None
        except ValueError:
            faults.append(FieldError(name, "must be a date such as 2026-01-31"))
    first, last = found.get("from"), found.get("to")
    if first and last and last < first:
        faults.append(FieldError("to", "must not be before the first day"))
    if faults:
        raise Problem("bad-request", errors=faults)
    zone = visit.zone
    return None if first is None else midnight(first, zone), None if last is None else day_ends(last, zone)


def _local_time(visit: Visit, original: ListedStamp | None) -> tuple[Any, ...]:
    """The time that was typed, with its zone; and its fault, if it has one.

    A time that nobody touched is the original's to the instant: the field shows neither which of two equal hours of an
    autumn night it was, nor fractions of a second.
    """
    text = visit.form["at"].strip()
    if original is not None and text == visit.dates.field(original.at):
        return (datetime.fromtimestamp(original.at, UTC).isoformat(),)
    try:
        found = instants(datetime.fromisoformat(text), visit.zone)
    except (ValueError, OverflowError):
        return _PASSES, FieldError("at", "must be a date and a time")
    if not found:
        return _PASSES, FieldError("at", "does not exist: the clocks were put forward then")
    if len(found) == 1:
        return (datetime.fromtimestamp(found[0], UTC).isoformat(),)
    which = visit.form["hour"]
    if which not in HOURS:
        return _PASSES, FieldError("hour", "must be chosen: the clocks were put back then, so this time came twice")
    return (datetime.fromtimestamp(found[HOURS.index(which)], UTC).isoformat(),)
