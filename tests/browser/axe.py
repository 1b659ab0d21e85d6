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

RUN = "async ([part, options]) => (await axe.run(part ?? document, options)).violations"
"""Only what is wrong is handed over: all else is half a megabyte that nobody looks at."""

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

ADD = """markups => {
    const names = ["id", "for", "form", "list", "headers", "aria-labelledby", "aria-describedby", "aria-controls",
        "aria-owns", "aria-details", "aria-errormessage", "aria-activedescendant"];
    const rules = [...document.styleSheets].flatMap(sheet => [...sheet.cssRules]);
    const isOfText = rule => /#[a-z]/i.test(rule.selectorText)
        && (rule.style.color || rule.style.opacity || rule.style.font);
    if (rules.some(isOfText)) throw new Error("how a text looks depends on an id, and ids are made others here");
    markups.forEach((markup, place) => {
        const its = new DOMParser().parseFromString(markup, "text/html").querySelector("main");
        for (const one of its.querySelectorAll(names.map(name => `[${name}]`).join())) {
            for (const name of names) {
                const value = one.getAttribute(name);
                if (value) one.setAttribute(name, value.trim().split(/\\s+/).map(id => `${id}-${place}`).join(" "));
            }
        }
        document.querySelector("main").append(...document.adoptNode(its).childNodes);
    });
    for (const one of document.querySelectorAll("option:nth-child(n + 4):not([selected])")) one.remove();
}"""
"""What is of one page refers to what is of the same page, as if no other were there.

Of hundreds of time zones to choose from, which are more than all else on all pages, a few are judged.
"""

BEYOND_THE_EDGE = f"""markups => markups.map(markup => {{
    ({TAKE_OVER})(markup);
    return Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth);
}})"""


async def axe(page: Page, part: str | None = None, *, rules: tuple[str, ...] = ()) -> AxeResults:
    """Judge the page as it is now, or what is in `part` of it, a selector, by all rules or by some."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_script())
    options = OPTIONS | ({"runOnly": rules} if rules else {})
    return AxeResults({"violations": await page.evaluate(RUN, [part, options])})


async def take_over(page: Page, markup: str) -> None:
    """Show what another page of the same look has come to, its title and its body, in a document that has axe-core.

    For each new document a browser reads and compiles half a megabyte of it: most of what judging a page costs.
    """
    await page.evaluate(TAKE_OVER, markup)


async def take_over_all(page: Page, markups: list[str]) -> None:
    """Show the contents of several pages one below the other, in what is around that of the first.

    To judge them so is a third of the work of one page after the other.
    """
    await take_over(page, markups[0])
    await page.evaluate(ADD, markups[1:])


async def read_all(page: Page, markups: list[str], question: str) -> list[Any]:
    """Ask the same of one page after the other: `question` is a function in JavaScript that is given a document."""
    parse = 'new DOMParser().parseFromString(markup, "text/html")'
    return list(await page.evaluate(f"markups => markups.map(markup => ({question})({parse}))", markups))


async def beyond_the_edge(page: Page, markups: list[str]) -> list[int]:
    """Take over one page after the other, and tell of each by how much it is wider than the window."""
    return list(await page.evaluate(BEYOND_THE_EDGE, markups))


@cache
def _script() -> str:
    return str(Axe().axe_script)
