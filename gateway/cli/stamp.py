"""`stampgate stamp`: what people have stamped, newest first."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.commands import Company, Json, administration_command, group
from gateway.cli.naming import the_company, the_user
from gateway.cli.output import emit_items, hint, table
from gateway.cli.refusals import WrongUse

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from gateway.administration import Administration
    from storage.stamp_history import ListedStamp

ACTIONS: Final = {
    "clock_in": "clock in",
    "clock_out": "clock out",
    "break_start": "start of break",
    "break_end": "end of break",
}


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "stamp", "What people have stamped, and corrections.")

    @administration_command(commands, "list", example="stampgate stamp list --person 1042 --from 2026-05-01")
    async def list_(
        site: Administration,
        person: Annotated[
            str | None,
            typer.Option(metavar="WHO", help="Of one person: number, e-mail, name or id.", show_default=False),
        ] = None,
        from_: Annotated[
            str | None,
            typer.Option("--from", metavar="YYYY-MM-DD", help="From this day on.", show_default=False),
        ] = None,
        to: Annotated[
            str | None,
            typer.Option("--to", metavar="YYYY-MM-DD", help="Up to and with this day.", show_default=False),
        ] = None,
        limit: Annotated[int, typer.Option(min=1, max=500, help="At most so many.")] = 50,
        cursor: Annotated[
            str | None,
            typer.Option(metavar="PLACE", help="Older ones: the place that the list before named.", show_default=False),
        ] = None,
        company: Company = None,
        as_json: Json = False,
    ) -> None:
        """List stamps and corrections, newest first, in the company's time zone. The tier is how far to trust one."""
        from gateway.http.paging import cut
        from gateway.stamping.history_models import history_stamp, is_place, place_of, read_place
        from gateway.stamping.local_day import day_ends, midnight, zone_named
        from storage.stamp_history import Wanted

        if cursor is not None and not is_place(cursor):
            raise WrongUse("--cursor is the place that the list before named")
        first, last_day = _day("--from", from_), _day("--to", to)
        if first and last_day and last_day < first:
            raise WrongUse("--to is before --from")
        within = await the_company(site, company)
        zone = zone_named(within.timezone)
        wanted = Wanted(
            company_id=within.id,
            user_id=None if person is None else (await the_user(site, person, within.id)).id,
            start=None if first is None else midnight(first, zone),
            end=None if last_day is None else day_ends(last_day, zone),
        )
        page, last = cut(await site.history.page(wanted, read_place(cursor), limit + 1), limit)
        behind = None if last is None else place_of(last)
        if as_json:
            emit_items([history_stamp(stamp).model_dump(mode="json", exclude_none=True) for stamp in page], behind)
            return
        table(
            ("When", "Who", "What", "Tier", "Where", "Remarks"),
            [_row(stamp, zone) for stamp in page],
            empty=_nothing(wanted == Wanted(company_id=within.id), cursor),
        )
        if behind is not None:
            hint(f"There are older ones: --cursor {behind}")


def _day(option: str, typed: str | None) -> date | None:
    if typed is None:
        return None
    try:
        return datetime.strptime(typed, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of the company's calendar
    except ValueError:
        raise WrongUse(f"{option} takes a day such as 2026-05-31, not {typed!r}") from None


def _nothing(is_everything: bool, cursor: str | None) -> str:
    if cursor is not None:
        return "There are no older ones."
    return "There are no stamps yet." if is_everything else "There are no such stamps."


def _row(stamp: ListedStamp, zone: ZoneInfo) -> tuple[str, ...]:
    at = datetime.fromtimestamp(stamp.at, zone)
    place = stamp.device_label or ("" if stamp.link_version is None else f"poster {stamp.link_version}")
    return (f"{at:%Y-%m-%d %H:%M:%S}", _who(stamp), ACTIONS[stamp.action], stamp.tier, place, _remarks(stamp, zone))


def _who(stamp: ListedStamp) -> str:
    return stamp.full_name if stamp.personnel_number is None else f"{stamp.full_name} ({stamp.personnel_number})"


def _remarks(stamp: ListedStamp, zone: ZoneInfo) -> str:
    said = []
    if stamp.original_at is not None and stamp.original_action is not None:
        at = datetime.fromtimestamp(stamp.original_at, zone)
        said.append(f"instead of {ACTIONS[stamp.original_action]} at {at:%Y-%m-%d %H:%M:%S}")
    if stamp.made_by_name is not None:
        said.append(f"by {stamp.made_by_name}: {stamp.reason}")
    if stamp.replaced_by is not None:
        said.append("corrected: counts no more")
    return "; ".join(said)
