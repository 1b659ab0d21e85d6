"""An address where there is nothing: ways on for a browser, a problem document for programs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.gateway.house import House

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("language", "said"),
    [("en-GB", "There is nothing at this address"), ("de-AT,en;q=0.5", "Unter dieser Adresse gibt es nichts")],
)
async def test_a_browser_gets_a_page_with_ways_on(house: House, language: str, said: str) -> None:
    headers = {**BROWSER, "Accept-Language": language}
    async with house.http.get(f"{house.url}/stamps/old?x=%3Cb%3E", headers=headers) as answer:
        text = await answer.text()
        assert (answer.status, answer.content_type) == (404, "text/html")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Accept, Accept-Language"
        assert "script" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Request-Id"]
    assert f"<h1>{said}</h1>" in text
    assert "<b>" not in text
    for way in ("/kiosk", "/console"):
        assert f'href="{way}"' in text
        async with house.http.get(f"{house.url}{way}") as answer:
            assert answer.status == 200


async def test_a_program_gets_a_problem_document(house: House) -> None:
    paths, methods = ("/stamps", "/api/stamps", "/api//auth/me"), ("GET", "POST", "DELETE")
    for path, method in itertools.product(paths, methods):
        async with house.http.request(method, f"{house.url}{path}", headers={"Accept": "application/json"}) as answer:
            assert answer.content_type == "application/problem+json", (method, path)


async def test_the_interface_answers_browsers_as_it_answers_programs(house: House) -> None:
    async with house.http.get(f"{house.url}/api/nowhere", headers=BROWSER) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with house.http.post(f"{house.url}/kiosk", headers=BROWSER) as answer:
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
