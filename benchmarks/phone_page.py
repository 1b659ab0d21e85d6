"""How soon the phone page can be used on a slow phone: a real Chromium, slowed down in its processor and its network.

The networks are WebPageTest's "3G Fast" and "3G Slow", put into effect by Chromium itself: each request waits for the
round trip, bytes come at the rate. Connections are made at once, as over one that is open already. The processor is
slowed 6-fold; once more without that, to tell what is the network's share. A first visit has nothing kept; a return
visit has script and style sheet, as everybody's next stamp.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from benchmarks import machine
from benchmarks.population import PIN
from benchmarks.report import Figure, at_most
from tests.browser.chromium import FLAGS, executable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, CDPSession, Page

    from benchmarks.arena import Arena

TITLE = "The phone page on a slow phone"
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 800},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "locale": "de-DE",
    "timezone_id": "Europe/Berlin",
}
SLOWDOWN = 6
"""What Lighthouse and DevTools take for a low-end phone before a machine such as developers have."""

USABLE_MS = 1000.0
SLOW_ROUND_TRIP = 400
WEIGHT_BYTES = 50_000.0

WHEN_READY = """window.ready = new Promise((ready) => {
  new MutationObserver((_, observer) => {
    if (document.getElementById("sign-in")?.hidden !== false) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => ready(performance.now())));
  }).observe(document, { subtree: true, childList: true, attributes: true });
})"""
"""Tells when the form has been painted."""

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
STAMP = """() => new Promise((done) => {
  const began = performance.now();
  const button = document.querySelector("[data-action=clock_in]");
  new MutationObserver(() => {
    if (!document.getElementById("confirmed").hidden) done(performance.now() - began);
    else if (!document.getElementById("signed-in").hidden) button.click();
  }).observe(document.body, { subtree: true, attributes: true });
  document.querySelector("#sign-in [type=submit]").click();
})"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Milliseconds each request waits, kbit/s each way, by how much the processor is slowed."""

    name: str
    round_trip: int
    down: int
    up: int
    slowdown: int = SLOWDOWN


SLOW_PHONES = (
    Conditions("3G Fast", 150, 1600, 768),
    Conditions("3G Slow", 400, 400, 400),
    Conditions("3G Fast, processor as it is", 150, 1600, 768, slowdown=1),
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit: milliseconds from the tap on the link, and what came over the network."""

    first_paint: float
    ready: float
    requests: int
    bytes: int


def browser_version() -> str:
    """Return which browser measures."""
    with sync_playwright() as playwright, _launched(playwright) as browser:
        return browser.version


def measure(arena: Arena, loads: int) -> list[Figure]:
    """Visit the page `loads` times under each of the conditions, for the first time and again, and stamp: medians."""
    address = f"http://127.0.0.1:{arena.targets['sqlite'].process.port}/stamp#t={arena.population.link}"
    numbers = iter(arena.population.login_numbers)
    figures = []
    machine.unpin()
    with sync_playwright() as playwright, _launched(playwright) as browser:
        for conditions in SLOW_PHONES:
            first, again, stamps = [], [], []
            for _ in range(loads):
                context = browser.new_context(**PHONE)
                context.add_init_script(WHEN_READY)
                page, visit = _visit(context, address, conditions)
                first.append(visit)
                page.close()
                page, visit = _visit(context, address, conditions)
                again.append(visit)
                page.locator("#number").fill(next(numbers))
                page.locator("#pin").fill(PIN)
                stamps.append(page.evaluate(STAMP))
                context.close()
            name, is_fast = conditions.name, conditions.round_trip < SLOW_ROUND_TRIP
            figures += [
                Figure(f"{name}, first visit: first paint", median(one.first_paint for one in first), "ms"),
                _ready(is_fast, f"{name}, first visit", first),
                Figure(f"{name}, return visit: first paint", median(one.first_paint for one in again), "ms"),
                _ready(True, f"{name}, return visit", again),
                Figure(f"{name}: from the tap on Sign in to the confirmed stamp", median(stamps), "ms"),
            ]
    figures += [
        at_most(WEIGHT_BYTES, "first visit: bytes over the network, header fields included", first[0].bytes, "B"),
        at_most(5, "first visit: requests", first[0].requests),
        Figure("return visit: bytes over the network, header fields included", again[0].bytes, "B"),
        Figure("return visit: requests", again[0].requests),
    ]
    return figures


def _ready(is_limited: bool, name: str, visits: list[Visit]) -> Figure:
    # Three round trips of 400 ms (page, script, whose poster it is) cannot be had within a second: told, not limited.
    name, value = f"{name}: ready to sign in", median(one.ready for one in visits)
    return at_most(USABLE_MS, name, value, "ms") if is_limited else Figure(name, value, "ms")


@contextmanager
def _launched(playwright: Any) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
    try:
        yield browser
    finally:
        browser.close()


def _visit(context: BrowserContext, address: str, conditions: Conditions) -> tuple[Page, Visit]:
    """Open the link in a new tab, as cameras do."""
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    sizes = _counted(devtools)
    devtools.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": conditions.round_trip,
            "downloadThroughput": conditions.down * 125,
            "uploadThroughput": conditions.up * 125,
        },
    )
    devtools.send("Emulation.setCPUThrottlingRate", {"rate": conditions.slowdown})
    page.goto(address)
    ready, first_paint = page.evaluate("window.ready"), page.evaluate(FIRST_PAINT)
    return page, Visit(first_paint, ready, len(sizes), sum(sizes))


def _counted(devtools: CDPSession) -> list[int]:
    """Return the bytes of each answer that comes over the network from now on."""
    devtools.send("Network.enable")
    sizes: list[int] = []
    kept: set[str] = set()
    devtools.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))

    def finished(event: dict[str, Any]) -> None:
        if event["requestId"] not in kept and event["encodedDataLength"] > 0:
            sizes.append(int(event["encodedDataLength"]))

    devtools.on("Network.loadingFinished", finished)
    return sizes
