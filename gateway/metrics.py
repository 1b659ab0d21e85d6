"""What Prometheus sees: requests, refusals by problem, logins, locks, batch sizes, the hash queue; own listener.

Every request counts, so counting must cost next to nothing: requests are tallied in plain integers (the event loop is
one thread, and the listener reads them in that same loop) and turned into metric families only when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds: a stamp takes a few milliseconds, a login tens, anything from 1 s on is slow."""

HASH_SECONDS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0)
BATCH_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

UNMATCHED: Final = "unmatched"
"""The route label of requests that fit no route; a raw path would be an unbounded label and could hold a secret."""

KNOWN_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def method_label(method: str) -> str:
    """Return the method if it is a usual one, else ``other``: clients may send any token."""
    return method if method in KNOWN_METHODS else "other"


class RouteTally:
    """The requests of one route and method: how many of each status, and how long they took."""

    __slots__ = ("_seconds", "buckets", "method", "route", "statuses")

    def __init__(self, route: str, method: str) -> None:
        self.route = route
        self.method = method
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(REQUEST_SECONDS) + 1)
        self._seconds = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count one answered request."""
        statuses = self.statuses
        statuses[status] = statuses.get(status, 0) + 1
        self.buckets[bisect_left(REQUEST_SECONDS, seconds)] += 1
        self._seconds += seconds

    @property
    def seconds(self) -> float:
        """All durations together."""
        return self._seconds


class _RequestCollector(Collector):
    """Turns the tallies into metric families when the listener is asked."""

    def __init__(self, tallies: dict[tuple[str, str], RouteTally]) -> None:
        self._tallies = tallies

    def collect(self) -> Iterable[Metric]:
        """Return ``stampgate_requests_total`` and ``stampgate_request_seconds``."""
        requests = CounterMetricFamily("stampgate_requests", "Requests answered.", labels=("route", "method", "status"))
        seconds = HistogramMetricFamily(
            "stampgate_request_seconds", "Time from the parsed request to its answer.", labels=("route", "method")
        )
        for tally in self._tallies.values():
            for status, count in tally.statuses.items():
                requests.add_metric((tally.route, tally.method, str(status)), count)
            seconds.add_metric((tally.route, tally.method), list(_cumulative(tally.buckets)), tally.seconds)
        return (requests, seconds)


def _cumulative(buckets: Iterable[int]) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, REQUEST_SECONDS), "+Inf"), buckets, strict=True):
        total += count
        yield bound, total


class Metrics:
    """All metrics of one gateway process, in a registry of their own (nothing global, so tests can have many)."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._tallies: dict[tuple[str, str], RouteTally] = {}
        self.registry.register(_RequestCollector(self._tallies))
        self.refusals_total = Counter(
            "stampgate_refusals_total", "Refused requests by problem.", ["problem"], registry=self.registry
        )
        self.logins_total = Counter(
            "stampgate_logins_total", "PIN and password checks.", ["tier", "outcome"], registry=self.registry
        )
        self.locks_total = Counter(
            "stampgate_locks_total", "Locks that began.", ["tier", "scope", "reason"], registry=self.registry
        )
        self.dead_posters_total = Counter(
            "stampgate_dead_posters_total", "Requests by a link that is not valid.", ["why"], registry=self.registry
        )
        self.mails_total = Counter(
            "stampgate_mails_total", "Mails by kind and outcome.", ["kind", "outcome"], registry=self.registry
        )
        self.batch_size = Histogram(
            "stampgate_batch_size", "Items per flush.", ["batcher"], buckets=BATCH_SIZES, registry=self.registry
        )
        self.hash_queue = Gauge(
            "stampgate_hash_queue", "PIN and password hashes waiting or running.", registry=self.registry
        )
        self.hash_seconds = Histogram(
            "stampgate_hash_seconds", "Time of one PIN or password hash.", buckets=HASH_SECONDS, registry=self.registry
        )

    def route(self, route: str, method: str) -> RouteTally:
        """Return the tally of a route template and method; the middleware keeps it."""
        key = (route, method_label(method))
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = RouteTally(*key)
        return tally

    def refused(self, problem: str) -> None:
        """Count one refusal by its problem name."""
        self.refusals_total.labels(problem).inc()

    def login(self, tier: str, outcome: str) -> None:
        """Count one check: ``right``, ``wrong``, ``throttled`` (no hash was computed), ``late``."""
        self.logins_total.labels(tier, outcome).inc()

    def lock(self, tier: str, scope: str, reason: str) -> None:
        """Count one lock that began."""
        self.locks_total.labels(tier, scope, reason).inc()

    def dead_poster(self, why: str) -> None:
        """Count one request with a link that is not valid: ``replaced``, ``switched-off``, ``unknown``."""
        self.dead_posters_total.labels(why).inc()

    def mail(self, kind: str, outcome: str) -> None:
        """Count one try to deliver a mail: ``delivered``, ``again``, ``given-up``."""
        self.mails_total.labels(kind, outcome).inc()

    def hash_queue_observer(self) -> Callable[[int], None]:
        """Return what one ``HashPool`` calls with the length of its queue; the gauge shows all pools together."""
        before = 0

        def observe(length: int) -> None:
            nonlocal before
            self.hash_queue.inc(length - before)
            before = length

        return observe

    def batch_observer(self, batcher: str) -> Callable[[int], None]:
        """Return what a ``Batcher`` calls with each batch's size."""
        child = self.batch_size.labels(batcher)
        return lambda size: child.observe(size)


async def serve_metrics(metrics: Metrics, host: str, port: int) -> web.AppRunner:
    """Serve ``/metrics`` on a listener of its own, so that it is never reachable where the kiosks are.

    Returns the started runner; ``await runner.cleanup()`` ends it and ``runner.addresses`` names the bound port.

    Raises:
        OSError: The port is taken.
    """

    async def exposition(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", exposition)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner
