"""People from a spreadsheet: what a CSV file says, and what it would change.

Both steps are pure. `read_sheet` turns bytes into rows, `plan_import` compares them with the people who are there; each
collects every fault with its line, because a file of 2,000 lines is corrected in one go or never. Excel's habits are
taken as they are: `;` or `,`, UTF-8 with or without a byte order mark, German headings, empty lines at the end.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.http.field_faults import FieldFault
from gateway.people.fields import read_email, read_personnel_number, read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from storage.users import User

CELL_SHOWN: Final = 60
"""Characters of an unknown heading that its fault repeats."""

ROWS_LIMIT: Final = 50_000
"""People of one file: more than any company here has, few enough to fit in memory many times over."""

COLUMNS: Final[dict[str, str]] = {
    "full_name": "full_name",
    "name": "full_name",
    "personnel_number": "personnel_number",
    "personalnummer": "personnel_number",
    "email": "email",
    "e-mail": "email",
}
REQUIRED_COLUMNS: Final = ("full_name", "personnel_number")

_READERS: Final[dict[str, Callable[[str], str]]] = {
    "full_name": read_text,
    "personnel_number": read_personnel_number,
    "email": read_email,
}
_TITLES: Final = {"full_name": "the name", "personnel_number": "the personnel number", "email": "the e-mail"}


@dataclass(frozen=True, slots=True)
class LineFault:
    """One fault; `line` counts the file's lines from 1, the heading included."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the file. A value that was left empty is None and changes nothing.

    `is_whole`: without a fault of its own. A row with one has the values that could be read, or an empty name.
    """

    line: int
    full_name: str
    personnel_number: str | None
    email: str | None
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a file, and everything that is wrong with it.

    `damaged`: rows with a fault of their own, kept so that their other values are looked at with those of all others.
    """

    rows: tuple[Row, ...]
    faults: tuple[LineFault, ...]
    damaged: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """What the file changes about one person who is already there; `changes` by column."""

    user_id: str
    changes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import would do. With any fault it does nothing."""

    created: tuple[Row, ...]
    updated: tuple[Update, ...]
    faults: tuple[LineFault, ...]


def read_sheet(data: bytes) -> Sheet:
    """Parse a CSV file with a heading line. Never raises for its content: whatever is wrong is in `faults`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return Sheet((), (LineFault(line, "is not UTF-8: save the file as CSV UTF-8"),))
    heading = text.partition("\n")[0]
    delimiter = ";" if heading.count(";") >= heading.count(",") else ","
    faults: list[LineFault] = []
    rows: list[Row] = []
    try:
        lines = _records(text, delimiter)
        columns = _read_heading(next(lines, (1, [])), faults)
        for line, cells in lines if columns else ():
            if len(rows) == ROWS_LIMIT:
                faults.append(LineFault(line, f"is too much: a file may have {ROWS_LIMIT} people"))
                break
            row = _read_row(line, cells, columns, faults)
            if row is not None:
                rows.append(row)
    except _QuotingError as error:
        faults.append(LineFault(error.line, "has quotation marks that do not match"))
    _find_repeats(rows, faults)
    if not rows and not faults:
        faults.append(LineFault(1, "is the last line: the file names nobody"))
    return Sheet(
        tuple(row for row in rows if row.is_whole),
        tuple(sorted(faults, key=lambda fault: fault.line)),
        tuple(row for row in rows if not row.is_whole),
    )


def plan_import(
    rows: Iterable[Row], people: Iterable[User], foreign_emails: Mapping[str, str] | frozenset[str] = frozenset()
) -> Plan:
    """Compare the rows with the `people` of the company; `foreign_emails` are the addresses that other companies use.

    A row belongs to whoever has its personnel number, else to whoever has its e-mail. Numbers once given are not
    changed by a file (a PIN was chosen against the number), and people who administer the company are left to its
    owner.
    """
    people = list(people)
    by_number = {user.personnel_number: user for user in people if user.personnel_number is not None}
    by_email = {user.email: user for user in people if user.email is not None}
    created: list[Row] = []
    updated: list[Update] = []
    faults: list[LineFault] = []
    for row in rows:
        holder = by_email.get(row.email) if row.email is not None else None
        user = by_number.get(row.personnel_number) if row.personnel_number is not None else None
        if user is None and holder is not None and None not in (holder.personnel_number, row.personnel_number):
            faults.append(
                LineFault(row.line, f"the e-mail belongs to personnel number {holder.personnel_number} already")
            )
            continue
        user = user or holder
        if row.email in foreign_emails or (holder is not None and holder is not user):
            faults.append(LineFault(row.line, "the e-mail belongs to somebody else already"))
            continue
        if user is None:
            if row.is_whole:
                created.append(row)
            continue
        changes = _differences(row, user)
        if changes and user.role != "employee":
            faults.append(LineFault(row.line, f"{user.full_name} is {user.role}: change them one by one"))
        elif changes and row.is_whole:
            updated.append(Update(user.id, changes))
    return Plan(tuple(created), tuple(updated), tuple(faults))


class _QuotingError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, cells) of each record that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _QuotingError(line) from error
        if any(cell.strip() for cell in cells):
            yield line, cells


def _read_heading(heading: tuple[int, list[str]], faults: list[LineFault]) -> list[str]:
    """The field of each column, or an empty list with the reasons in `faults`."""
    line, cells = heading
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    columns = []
    found = []
    for cell in cells:
        column = COLUMNS.get(cell.strip().lower().replace(" ", "_"))
        if column is None:
            found.append(LineFault(line, f"the column {cell.strip()[:CELL_SHOWN]!r} is unknown"))
        elif column in columns:
            found.append(LineFault(line, f"the column {column} is there twice"))
        else:
            columns.append(column)
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if missing:
        found.append(LineFault(line, f"the heading lacks {' and '.join(missing)}"))
    faults += found
    return [] if found else columns


def _read_row(line: int, cells: list[str], columns: list[str], faults: list[LineFault]) -> Row | None:
    if any(cell.strip() for cell in cells[len(columns) :]):
        faults.append(LineFault(line, f"has more cells than the heading's {len(columns)}"))
        return None
    values: dict[str, str | None] = dict.fromkeys(_READERS)
    found = []
    for column, cell in zip(columns, cells, strict=False):
        if not cell.strip():
            continue
        try:
            values[column] = _READERS[column](cell)
        except FieldFault as fault:
            found.append(LineFault(line, f"{_TITLES[column]} {fault}"))
    complete = {column for column, cell in zip(columns, cells, strict=False) if cell.strip()}
    if "full_name" not in complete:
        found.append(LineFault(line, "the name is missing"))
    if complete.isdisjoint({"personnel_number", "email"}):
        found.append(LineFault(line, "neither personnel number nor e-mail is given"))
    faults += found
    return Row(line, values["full_name"] or "", values["personnel_number"], values["email"], not found)


def _find_repeats(rows: Iterable[Row], faults: list[LineFault]) -> None:
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        for title, value in ((_TITLES["personnel_number"], row.personnel_number), (_TITLES["email"], row.email)):
            if value is None:
                continue
            first = seen.setdefault((title, value), row.line)
            if first != row.line:
                faults.append(LineFault(row.line, f"{title} {value} is on line {first} already"))


def _differences(row: Row, user: User) -> dict[str, str]:
    wanted = {"full_name": row.full_name or None, "personnel_number": row.personnel_number, "email": row.email}
    return {column: value for column, value in wanted.items() if value is not None and value != getattr(user, column)}
