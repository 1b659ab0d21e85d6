from __future__ import annotations

import time

import pytest

from gateway.people.csv_import import LineFault, Plan, Row, plan_import, read_sheet
from storage.users import User

ANNA = Row(2, "Anna Weber", "0042", "anna@example.com")


def person(number: str | None, name: str = "Anna Weber", email: str | None = None, role: str = "employee") -> User:
    return User(
        id=f"id-{number}-{email}",
        company_id="c",
        full_name=name,
        role=role,
        created_at=0.0,
        personnel_number=number,
        email=email,
    )


@pytest.mark.parametrize(
    "text",
    [
        "full_name;personnel_number;email\nAnna Weber;0042;anna@example.com\n",
        "full_name,personnel_number,email\r\nAnna Weber,0042,Anna@Example.com\r\n",
        "Name;Personalnummer;E-Mail\nAnna Weber;0042;anna@example.com",
        "NAME; Personalnummer ;e-mail;;\n  Anna   Weber ;0042; anna@example.com ;;\n;;;;\n\n",
        'email,"full name",personnel number\n\nanna@example.com,"Anna Weber",0042\n',
        "email,full_name,personnel_number\nanna@example.com,Anna Weber,0042\n",
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without mark", "with mark"])
def test_the_ways_spreadsheets_write_a_table(text: str, mark: bytes) -> None:
    sheet = read_sheet(mark + text.encode())
    assert not sheet.faults
    assert [(row.full_name, row.personnel_number, row.email) for row in sheet.rows] == [
        ("Anna Weber", "0042", "anna@example.com")
    ]


def test_a_name_may_hold_the_other_separator_and_quotes() -> None:
    sheet = read_sheet(b'Name;Personalnummer\n"Weber; Anna ""Anni""";1\nWeber, Bob;2\n')
    assert [row.full_name for row in sheet.rows] == ['Weber; Anna "Anni"', "Weber, Bob"]


def test_lines_are_counted_as_an_editor_does() -> None:
    sheet = read_sheet(b'full_name;personnel_number\n"Anna\nWeber";1\n\nBob;x\n')
    assert [row.line for row in sheet.rows] == []
    assert [fault.line for fault in sheet.faults] == [2, 5]


def test_every_fault_is_told_with_its_line() -> None:
    sheet = read_sheet(
        b"full_name;personnel_number;email\n"
        b"Anna;1;anna\n"
        b";2;\n"
        b"Bob;x;bob@example.com\n"
        b"Cem;;\n"
        b"Dora;3;;extra\n"
        b"Eva;4;eva@example.com\n"
        b"Fin;4;EVA@example.com\n"
    )
    assert sheet.faults == (
        LineFault(2, "the e-mail must be an e-mail address"),
        LineFault(3, "the name is missing"),
        LineFault(4, "the personnel number must be 1 to 12 digits"),
        LineFault(5, "neither personnel number nor e-mail is given"),
        LineFault(6, "has more cells than the heading's 3"),
        LineFault(8, "the personnel number 4 is on line 7 already"),
        LineFault(8, "the e-mail eva@example.com is on line 7 already"),
    )


def test_a_line_with_a_fault_is_compared_with_the_others_all_the_same() -> None:
    sheet = read_sheet(b"full_name;personnel_number;email\n;4;a@example.com\nBob;4;x\nCem;5;a@example.com\n")
    assert sheet.rows == (Row(4, "Cem", "5", "a@example.com"),)
    assert sheet.faults == (
        LineFault(2, "the name is missing"),
        LineFault(3, "the e-mail must be an e-mail address"),
        LineFault(3, "the personnel number 4 is on line 2 already"),
        LineFault(4, "the e-mail a@example.com is on line 2 already"),
    )


def test_a_line_with_a_fault_is_compared_with_the_people_but_changes_nobody() -> None:
    data = b"full_name;personnel_number;email\n;42;eva@example.com\n;43;\nBob;x;anna@example.com\nIda;9;y\n"
    sheet = read_sheet(data)
    assert [row.line for row in sheet.damaged] == [2, 3, 4, 5]
    people = [person("43"), person("7", email="anna@example.com"), person("9", role="hr")]
    plan = plan_import(sheet.damaged, people, frozenset({"eva@example.com"}))
    assert plan == Plan(
        (),
        (),
        (
            LineFault(2, "the e-mail belongs to somebody else already"),
            LineFault(5, f"{people[2].full_name} is hr: change them one by one"),
        ),
    )


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"", 1, "the heading lacks full_name and personnel_number"),
        (b"Anna;1\n", 1, "the column 'Anna' is unknown"),
        (b"full_name;salary\n", 1, "the column 'salary' is unknown"),
        (b"name;full_name;personnel_number\n", 1, "the column full_name is there twice"),
        (b"full_name;personnel_number\n", 1, "is the last line: the file names nobody"),
        ("full_name;personnel_number\nMüller;1\n".encode("latin-1"), 2, "is not UTF-8: save the file as CSV UTF-8"),
        ("full_name;personnel_number\n".encode("utf-16"), 1, "is not UTF-8: save the file as CSV UTF-8"),
        (b'full_name;personnel_number\n"Anna;1\n', 2, "has quotation marks that do not match"),
        (b'full_name;personnel_number\n"Anna"x;1\n', 2, "has quotation marks that do not match"),
        (b"full_name;personnel_number\nAn\x00na;1\n", 2, "the name must not contain control characters"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(data: bytes, line: int, message: str) -> None:
    sheet = read_sheet(data)
    assert not sheet.rows
    assert LineFault(line, message) in sheet.faults


def test_a_file_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.people.csv_import.ROWS_LIMIT", 2)
    sheet = read_sheet(b"full_name;personnel_number\nA;1\nB;2\nC;3\nD;4\n")
    assert sheet.faults == (LineFault(4, "is too much: a file may have 2 people"),)


def test_ten_thousand_lines_are_read_in_a_moment() -> None:
    data = b"full_name;personnel_number;email\n" + b"".join(
        b"Person %d;%d;p%d@example.com\n" % (number, number, number) for number in range(10_000)
    )
    began = time.perf_counter()
    assert len(read_sheet(data).rows) == 10_000
    assert time.perf_counter() - began < 5.0


def test_people_are_found_again_by_number_and_changed_only_where_they_differ() -> None:
    plan = plan_import([ANNA], [person("0042", "A. Weber", "anna@example.com")])
    assert [(change.user_id, change.changes) for change in plan.updated] == [
        ("id-0042-anna@example.com", {"full_name": "Anna Weber"})
    ]
    assert plan_import([ANNA], [person("0042", email="anna@example.com")]).updated == ()


def test_a_cell_left_empty_changes_nothing() -> None:
    row = Row(2, "Anna Weber", "0042", None)
    assert plan_import([row], [person("0042", email="anna@example.com")]).updated == ()


def test_somebody_with_an_address_only_gets_the_number() -> None:
    plan = plan_import([ANNA], [person(None, email="anna@example.com")])
    assert [change.changes for change in plan.updated] == [{"personnel_number": "0042"}]


def test_leading_zeros_count() -> None:
    assert plan_import([ANNA], [person("42")]).created == (ANNA,)


@pytest.mark.parametrize(
    ("there", "elsewhere", "message"),
    [
        ([person("7", email="anna@example.com")], (), "the e-mail belongs to personnel number 7 already"),
        ([person("0042"), person("7", email="anna@example.com")], (), "the e-mail belongs to somebody else already"),
        ([], ("anna@example.com",), "the e-mail belongs to somebody else already"),
        ([person("0042", "Anna W", role="it")], (), "Anna W is it: change them one by one"),
    ],
)
def test_what_a_file_may_not_change(there: list[User], elsewhere: tuple[str, ...], message: str) -> None:
    plan = plan_import([ANNA], there, frozenset(elsewhere))
    assert plan.faults == (LineFault(2, message),)
    assert not plan.created
    assert not plan.updated
