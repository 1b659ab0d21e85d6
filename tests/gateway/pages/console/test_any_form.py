"""No form gives a 500: every post of the console with fields from nearly right to absurd; and what is said is known."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

from gateway.application import all_routes
from gateway.pages.catalogues import load_catalogues
from gateway.pages.console.said import SENTENCES
from gateway.pages.console.texts import FIELD_TEXTS, LINE_TEXTS, PROBLEM_TEXTS, fault_text, translated
from tests.gateway.pages.console.visitor import PASSWORD, an_address, visitor_as
from tests.samples import samples

if TYPE_CHECKING:
    from tests.gateway.house import House

SEED = 20261125
POSTS_PER_ROUTE = samples(1)
"""In each language: the code is the same but for the texts."""
SOMEBODY = "0190b0e0-6f5a-7000-8000-000000000000"
ENDS = ("/console/sign-out", "/console/account/sessions/end-others")
ABSURD = (
    *("", " ", "x" * 3000, "\x00", "\u202e", "<b>bold</b>", "'; DROP TABLE users; --", "null", "-1", "9" * 30),
    *("2199-01-01T08:00", "0000-00-00", "10.0.0.7/8", "owner", "a@b", "clock_in", "../../etc/passwd", "٣٤٥", "é" * 300),
)
FIELDS = {
    "full_name": "Ada",
    "personnel_number": "0101",
    "email": "ada@rosenthal.example",
    "role": "employee",
    "label": "Door",
    "location": "Hall",
    "allowed_networks": "10.0.0.0/8",
    "reason": "why",
    "word_1": "amber",
    "name": "Rosenthal",
    "timezone": "Europe/Berlin",
    "locale": "de",
    "kiosk_networks": "",
    "user": SOMEBODY,
    "stamp": SOMEBODY,
    "action": "clock_in",
    "at": "2026-01-01T08:00",
    "enabled": "yes",
    "link_token": "x" * 43,
    "format": "svg",
    "paper": "a4",
    "token": "x" * 43,
    "invitation": "x" * 43,
    "password": PASSWORD,
    "password_again": PASSWORD,
    "company_name": "Other",
    "next": "/console",
    "current_password": "nope",
    "new_password": "another long password",
    "new_password_again": "another long password",
    "remember": "yes",
    "file": "full_name;personnel_number\nAda;0101",
}


async def test_no_form_and_no_filter_gives_a_500(house: House) -> None:
    chance = random.Random(SEED)
    person, terminal = await house.person("0101"), await house.pending_terminal(label="Door")
    visitors = [await visitor_as(house, "owner"), await visitor_as(house, "owner", "de", email="o@b.example")]
    routes = [route for route in all_routes(house.gateway) if route.tag == "console" and route.path not in ENDS]
    seen = set()
    for route in routes:
        for visitor in visitors * POSTS_PER_ROUTE:
            known = person.id if "people" in route.path else terminal.device_id
            path = an_address(route, chance.choice([SOMEBODY, known, "x"]))
            fields = {name: chance.choice([value, value, chance.choice(ABSURD)]) for name, value in FIELDS.items()}
            if route.method == "GET":
                wanted = ("q", "user", "from", "to", "cursor", "name", "active", "stamp", "next", "lang")
                query = "&".join(f"{name}={chance.choice(['', '%00', '%ff', 'x', '1', SOMEBODY])}" for name in wanted)
                shown = await visitor.get(f"{path}?{query}")
            elif route.path.startswith("/console/people/import") and chance.random() < 0.5:
                shown = await visitor.upload(path, chance.choice(ABSURD))
            else:
                shown = await visitor.post(path, fields)
            assert shown.status < 500, (route.method, path, fields)
            assert "<b>bold" not in shown.text
            seen.add(shown.status)
    assert {200, 303, 400, 404} <= seen


def template_of(said: str) -> str | None:
    """The text a sentence was made from, if it is one of those that are translated."""
    for template in (*FIELD_TEXTS, *LINE_TEXTS, *PROBLEM_TEXTS):
        pattern = re.sub(r"\\\{[a-z]+\\\}", "(.+)", re.escape(template))
        if re.fullmatch(rf"{pattern}\.?", said, re.IGNORECASE | re.DOTALL):
            return template
    return None


async def test_every_fault_that_a_form_shows_is_one_that_the_catalogues_translate(house: House) -> None:
    chance = random.Random(SEED)
    english, german = await visitor_as(house, "owner"), await visitor_as(house, "owner", "de", email="o@b.example")
    shown: set[str] = set()
    forms = ("people/new", "terminals/new", "settings", "settings/invite", "account/password", "stamps/correct")
    for form in forms:
        for _ in range(samples(4)):
            fields = {name: chance.choice(ABSURD) for name in FIELDS} | {"user": (await house_user(house))}
            fields["stamp"] = ""
            faults = (await english.post(f"/console/{form}", fields)).faults
            for fault in faults:
                assert all(template_of(part) for part in parts(fault)), fault
            if shown.issuperset(faults):
                continue  # the same ones were told in German already
            shown.update(faults)
            faults = (await german.post(f"/console/{form}", fields)).faults
            assert not [fault for fault in faults for part in parts(fault) if template_of(part)], faults
    assert len(shown) > 12


def parts(fault: str) -> list[str]:
    """Several rules of a password are one fault."""
    return [fault] if template_of(fault) else [f"{part.rstrip('.')}." for part in fault.split(". ")]


async def house_user(house: House) -> str:
    return (await house.gateway.administration.people.list_(house.company_id, limit=1))[0].id


def test_texts_with_values_in_them_are_found_and_translated_with_the_values() -> None:
    german = load_catalogues()["de"].gettext
    assert translated("must be 200 characters or fewer", german) == "darf höchstens 200 Zeichen haben"
    assert fault_text("the column 'pin' is unknown", german) == "Die Spalte 'pin' ist unbekannt."
    joined = "A password has at least 10 characters. This password is one of those tried first."
    assert translated(joined, german).count("Passwort") == 2
    assert translated("something nobody has translated", german) == "something nobody has translated"


def test_every_sentence_after_an_act_exists_in_every_language() -> None:
    for language, catalogue in load_catalogues().items():
        for sentence in SENTENCES.values():
            assert language == "en" or catalogue.gettext(sentence) != sentence
