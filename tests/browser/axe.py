"""What axe-core finds wrong with a page for people who use it with a screen reader, a keyboard or weak eyes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from axe_playwright_python.async_playwright import Axe
from axe_playwright_python.base import AxeResults

if TYPE_CHECKING:
    from playwright.async_api import Page

OPTIONS: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
"""Loading every style sheet once more takes a third of the time, and none of the rules that are on looks into them."""

TAKE_OVER = """markup => {
    const other = new DOMParser().parseFromString(markup, "text/html");
    const styles = page => [...page.querySelectorAll("link[rel=stylesheet], style")].map(one => one.outerHTML).join();
    if (styles(other) === "" || styles(other) !== styles(document)) throw new Error("not of the same look");
    const [root, its] = [document.documentElement, other.documentElement];
    for (const { name } of [...root.attributes]) root.removeAttribute(name);
    for (const { name, value } of its.attributes) root.setAttribute(name, value);
    document.title = other.title;
    document.body.replaceWith(document.adoptNode(other.body));
}"""


async def axe(page: Page, part: str | None = None, *, rules: tuple[str, ...] = ()) -> AxeResults:
    """Judge the page as it is now, or what is in `part` of it, a selector, by all rules or by some."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_script())
    options = OPTIONS | ({"runOnly": rules} if rules else {})
    return AxeResults(await page.evaluate("([part, options]) => axe.run(part ?? document, options)", [part, options]))


async def take_over(page: Page, markup: str) -> None:
    """Show what another page of the same look has come to, its title and its body, in a document that has axe-core.

    For each new document a browser reads and compiles half a megabyte of it: most of what judging a page costs.
    """
    await page.evaluate(TAKE_OVER, markup)


@cache
def _script() -> str:
    return str(Axe().axe_script)
