from __future__ import annotations

import pytest

from gateway.http.field_faults import FieldFault
from gateway.people.fields import read_email, read_personnel_number, read_role, read_text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("  Anna   Weber ", "Anna Weber"),
        ("Jose\u0301", "José"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("x" * 200, "x" * 200),
    ],
)
def test_names_are_kept_as_people_write_them(text: str, read: str) -> None:
    assert read_text(text) == read


@pytest.mark.parametrize("text", ["", " \u3000", "x" * 201, "An\nna", "\u202egnol", "a\ud800b", "\x1b[31mred"])
def test_names_that_would_lie_in_a_list_are_refused(text: str) -> None:
    with pytest.raises(FieldFault):
        read_text(text)


@pytest.mark.parametrize("text", ["0", "000042", "123456789012", " 7 "])
def test_personnel_numbers_are_one_to_twelve_digits(text: str) -> None:
    assert read_personnel_number(text) == text.strip()


@pytest.mark.parametrize("text", ["", "1234567890123", "-1", "1.0", "١٢", "12a", "1 2"])
def test_other_personnel_numbers_are_refused(text: str) -> None:
    with pytest.raises(FieldFault):
        read_personnel_number(text)


@pytest.mark.parametrize("text", ["Anna@Example.COM", "a.b+c@mail.example.com", "anna@localhost", "anne@müller.de"])
def test_addresses_are_kept_in_small_letters(text: str) -> None:
    assert read_email(text) == text.lower()


@pytest.mark.parametrize(
    "text", ["", "anna", "@example.com", "anna@", "a b@example.com", "a@b@c", "a@.de", "a@b..de", "x" * 250 + "@b.de"]
)
def test_other_addresses_are_refused(text: str) -> None:
    with pytest.raises(FieldFault):
        read_email(text)


def test_there_are_four_roles() -> None:
    assert [read_role(role) for role in ("owner", "it", "hr", "employee")] == ["owner", "it", "hr", "employee"]
    with pytest.raises(FieldFault):
        read_role("root")
