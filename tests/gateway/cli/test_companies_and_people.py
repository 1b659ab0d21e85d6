from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gateway.cli.command_line import Shell


def test_the_only_company_need_not_be_named_and_one_of_several_must(ready: Shell) -> None:
    ready.ok("user", "add", "Anna", "--number", "1")
    ready.ok("company", "add", "Meier AG")
    said = ready.refused("user", "add", "Bob", "--number", "2", code=2)
    assert said == "there are 2 companies, so choose one with --company (name or id): 'Müller GmbH'; 'Meier AG'"
    ready.ok("user", "add", "Bob", "--number", "1", "--company", "meier ag")
    assert "names 2 people; say which by" in ready.refused("user", "set-pin", "1", code=2)
    ready.ok("user", "set-pin", "1", "--company", "Meier AG")
    assert "there is no company 'Nix'" in ready.refused("user", "list", "--company", "Nix")


def test_companies_of_one_name_are_told_apart_by_their_ids(ready: Shell) -> None:
    ready.ok("company", "add", "Müller GmbH")
    ids = {one["id"] for one in ready.ok("company", "list", "--json").items}
    said = ready.refused("user", "list", code=2)
    assert set(re.findall(r"'Müller GmbH', id ([0-9a-f-]+)", said)) == ids
    assert len(ids) == 2
    for company in ids:
        ready.ok("user", "list", "--company", company)


def test_without_a_company_it_says_what_to_do(shell: Shell) -> None:
    shell.ok("init")
    assert "company add" in shell.refused("user", "list")
    assert "There is no company yet" in shell.ok("company", "list").out


def test_company_settings(ready: Shell) -> None:
    shown = ready.ok("company", "set", "--phone", "on", "--name", "Meier", "--kiosk-network", "10.0.0.0/8").out
    assert "Phone stamping: on, but there is no link" in shown
    assert "10.0.0.0/8" in shown
    document = ready.ok("company", "set", "--phone", "off", "--kiosk-network", "", "--json").json
    assert (document["public_stamp_enabled"], document["kiosk_networks"], document["name"]) == (False, [], "Meier")
    assert ready.ok("company", "show").out.splitlines()[0] == "Company:        Meier"
    assert "off" in ready.ok("company", "list").out
    assert "nothing to change" in ready.refused("company", "set", code=2)
    said = ready.refused("company", "set", "--timezone", "Mars", "--locale", "xx", code=2)
    assert said == "timezone: must be a time zone such as Europe/Berlin; locale: must be one of: de, en"


def test_people_can_be_named_in_every_way_they_are_known(ready: Shell) -> None:
    added = ready.ok(*("user", "add", "Anna Weber", "--number", "0042", "--email", "Anna@Example.com", "--json")).json
    for name in (added["id"], "0042", "ANNA@example.com", "anna weber"):
        assert "is set to" not in ready.ok("user", "set-pin", name).err
    assert "there is no person '42'" in ready.refused("user", "set-pin", "42")


def test_a_pin_is_shown_once_unless_it_was_chosen(ready: Shell) -> None:
    ready.ok("user", "add", "Anna", "--number", "1042")
    assert "The PIN of Anna (1042) is " in ready.ok("user", "set-pin", "1042").out
    assert ready.ok("user", "set-pin", "1042", "--pin", "739142").out == "The PIN of Anna is set.\n"
    assert "pin" not in ready.ok("user", "set-pin", "1042", "--pin", "739142", "--json").json
    said = ready.refused("user", "set-pin", "1042", "--pin", "111111", code=2)
    assert said == "pin: A PIN must not repeat one digit.; pin: A PIN must not be a date."
    assert "111111" not in said
    assert "nobody is there to answer" in ready.refused("user", "set-pin", "1042", "--ask", code=2)


def test_people_can_be_shut_out_and_let_in(ready: Shell) -> None:
    ready.ok("user", "add", "Anna", "--number", "1042")
    assert ready.ok("user", "deactivate", "1042").out == "Anna is no longer active.\n"
    assert ready.ok("user", "activate", "1042", "--json").json["active"]


def test_lists_are_paged_and_whole_when_piped(ready: Shell) -> None:
    for name in ("A" * 150, "B" * 150, "[red]C[/red]"):
        ready.ok("user", "add", name, "--number", str(len(name)) + str(ord(name[0])))
    listed = ready.ok("user", "list")
    assert "A" * 150 in listed.out
    assert "[red]C[/red]" in listed.out
    first = ready.ok("user", "list", "--limit", "2", "--json").json
    rest = ready.ok("user", "list", "--limit", "2", "--after", first["next_cursor"], "--json").json
    assert [len(first["items"]), len(rest["items"])] == [2, 1]
    assert "next_cursor" not in rest
    assert "--after" in ready.ok("user", "list", "--limit", "2").err


def test_an_import_says_what_it_did(ready: Shell, tmp_path: Path) -> None:
    file = tmp_path / "leute.csv"
    file.write_bytes("\ufeffName;Personalnummer\nJörg Ünal;7\nAnna;8\n".encode())
    assert ready.ok("user", "import", str(file)).out == "2 added and 0 changed in Müller GmbH.\n"
    file.write_text("full_name,personnel_number\nJörg Önal,7\n")
    assert ready.ok("user", "import", str(file), "--json").json == {"created": 0, "updated": 1, "errors": []}


def test_an_import_with_faults_tells_each_line_and_imports_nobody(ready: Shell, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("full_name;personnel_number\nAnna;1\n" + "Bob;x\n" * 60)
    ran = ready.run("user", "import", str(file))
    assert ran.code == 1
    assert ran.err.splitlines()[:2] == [
        "Nothing was imported: 60 faults in people.csv.",
        "line 3: the personnel number must be 1 to 12 digits",
    ]
    assert "10 more" in ran.err
    ran = ready.run("user", "import", str(file), "--json")
    assert (ran.code, len(ran.json["errors"])) == (1, 60)
    assert ready.ok("user", "list").out == "There is nobody.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("user", "add", "Anna"), 2, "personnel number: is needed, unless there is an e-mail"),
        (("user", "add", "Anna", "--number", "x", "--role", "king"), 2, "role: must be one of"),
        (("user", "import", "no-such-file.csv"), 2, "no-such-file.csv"),
        (("user", "set-password", "1042"), 1, "Without an e-mail nobody can sign in with a password"),
    ],
)
def test_wrong_use_is_one_line(ready: Shell, arguments: tuple[str, ...], code: int, said: str) -> None:
    ready.ok("user", "add", "Anna", "--number", "1042")
    assert said in ready.refused(*arguments, code=code)


def test_a_password_is_read_from_the_first_line(ready: Shell) -> None:
    ready.ok("user", "add", "Olga", "--email", "olga@example.com", "--role", "owner")
    said = ready.ok("user", "set-password", "olga@example.com", stdin="a good long one\nmore").out
    assert said == "The password of Olga is set.\n"
    weak = ready.run("user", "set-password", "olga@example.com", stdin="short\n")
    assert weak.code != 0
    assert "A password has at least 10 characters." in weak.err
    names = [one["name"] for one in ready.ok("audit", "list", "--json").items]
    assert names.count("account.password_reset") == 1


def test_a_number_belongs_to_one_person(ready: Shell) -> None:
    ready.ok("user", "add", "Anna", "--number", "1042")
    assert ready.refused("user", "add", "Bob", "--number", "1042") == "personnel number: belongs to somebody already"
