"""What axe-core finds wrong with a page for people who use it with a screen reader, a keyboard or weak eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from axe_playwright_python.async_playwright import Axe

if TYPE_CHECKING:
    from axe_playwright_python.base import AxeResults
    from playwright.async_api import Page

OPTIONS = {"resultTypes": ["violations"], "preload": False}
"""Loading every style sheet once more takes a third of the time, and none of the rules that are on looks into them."""


async def axe(page: Page, part: str | None = None) -> AxeResults:
    """Judge the page as it is now, or what is in `part` of it, a selector."""
    return await Axe().run(page, part, OPTIONS)
