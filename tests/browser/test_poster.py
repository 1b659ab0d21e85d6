"""The poster as SVG in a real browser: its code is read from the screen, and no other font moves its words."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from gateway.phone.poster import PAPERS, SIZES, poster
from tests.gateway.printing.pages import codes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="package")

LINK = "https://stamp.example.com/stamp#t=QtKXNAwTFmeOCBqtOf3JZYHt580CFc56uHk0F1Wbu-U"
NAMES = (
    "Müller GmbH",
    "Przedsiębiorstwo Wielobranżowe Łódź-Żółkiewski & Größenwahn Überlandwerke Süßwaren GmbH & Co. KGaA",
    "</text><script>document.title = 'broken'</script>",
)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("company", NAMES)
async def test_a_camera_reads_the_link_from_the_screen(page: Page, tmp_path: Path, company: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for paper in PAPERS:
        file = tmp_path / f"{paper}.svg"
        file.write_bytes(poster(company, LINK, date(2026, 3, 1), file_format="svg", paper=paper))
        width, height = (round(edge / 25.4 * 96) for edge in SIZES[paper])
        await page.set_viewport_size({"width": width, "height": height})
        await page.goto(file.as_uri())
        assert codes(await page.screenshot()) == [LINK]
        assert await page.evaluate("document.title") == f"{company}: Zeit stempeln mit dem Handy"
        assert asked.pop() == file.as_uri()
        assert asked == []


async def test_whatever_font_there_is_the_words_stay_where_they_were_set(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "poster.svg"
    file.write_bytes(poster(NAMES[1], LINK, date(2026, 3, 1), file_format="svg"))
    await page.goto(file.as_uri())
    for family in ("DejaVu Sans", "monospace", "serif"):
        edges = await page.evaluate(
            """family => {
                document.documentElement.setAttribute('font-family', family);
                return [...document.querySelectorAll('text')].map(text => text.getBBox())
                    .map(box => [box.x, box.x + box.width]);
            }""",
            family,
        )
        assert len(edges) > 10, family
        assert min(left for left, _ in edges) >= 15, family
        assert max(right for _, right in edges) <= 195, family
