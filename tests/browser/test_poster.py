"""The poster as SVG in a real browser: its code is read from the screen, and no other font moves its words."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from gateway.phone.poster import PAPERS, SIZES, Paper, poster
from tests.gateway.printing.pages import codes

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser

pytestmark = pytest.mark.asyncio(loop_scope="package")

LINK = "https://stamp.example.com/stamp#t=QtKXNAwTFmeOCBqtOf3JZYHt580CFc56uHk0F1Wbu-U"
NAMES = (
    "Müller GmbH",
    "Przedsiębiorstwo Wielobranżowe Łódź-Żółkiewski & Größenwahn Überlandwerke Süßwaren GmbH & Co. KGaA",
    "</text><script>document.title = 'broken'</script>",
)


@pytest.mark.parametrize("company", NAMES)
@pytest.mark.parametrize("paper", PAPERS)
async def test_a_camera_reads_the_link_from_the_screen(
    browser: Browser, tmp_path: Path, company: str, paper: Paper
) -> None:
    file = tmp_path / "poster.svg"
    file.write_bytes(poster(company, LINK, date(2026, 3, 1), file_format="svg", paper=paper))
    width, height = (round(edge / 25.4 * 96) for edge in SIZES[paper])
    context = await browser.new_context(viewport={"width": width, "height": height})
    asked: list[str] = []
    try:
        page = await context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri())
        assert codes(await page.screenshot()) == [LINK]
        assert await page.evaluate("document.title") == f"{company}: Zeit stempeln mit dem Handy"
        assert asked == [file.as_uri()]
    finally:
        await context.close()


@pytest.mark.parametrize("family", ["DejaVu Sans", "monospace", "serif"])
async def test_whatever_font_there_is_the_words_stay_where_they_were_set(
    browser: Browser, tmp_path: Path, family: str
) -> None:
    file = tmp_path / "poster.svg"
    file.write_bytes(poster(NAMES[1], LINK, date(2026, 3, 1), file_format="svg"))
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(file.as_uri())
        edges = await page.evaluate(
            """family => {
                document.documentElement.setAttribute('font-family', family);
                return [...document.querySelectorAll('text')].map(text => text.getBBox())
                    .map(box => [box.x, box.x + box.width]);
            }""",
            family,
        )
        assert len(edges) > 10
        assert min(left for left, _ in edges) >= 15
        assert max(right for _, right in edges) <= 195
    finally:
        await context.close()
