"""The one outer middleware: whatever a request meets inside, it leaves as an answer, counted and with a request id.

It gives the request its id, refuses targets under /api/ that are not canonical, turns every error into its problem
document, sets the security fields and counts. Only refusals, failures and slow requests are logged, by route template:
a raw path or query could hold a token.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web
from multidict import istr

from crypto.message_signatures import read_target
from gateway.clock import NewId, new_id
from gateway.http.problems import Problem, from_error, problem_response
from gateway.metrics import UNMATCHED, Metrics, RouteTally
from gateway.proxy_probe.tokens import PROBE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler, Middleware

    from gateway.proxy_probe.service import ProbeAnswers

REQUEST_ID: Final = web.RequestKey("REQUEST_ID", str)
"""The request's id: in its answer (X-Request-Id), its problem, its log lines and its stamps."""

SLOW_SECONDS: Final = 1.0
"""From here on a request is logged although it went well."""

CLIENT_GONE: Final = 499
"""The status counted when nobody waits for the answer any more (nginx's convention)."""

X_REQUEST_ID: Final = istr("X-Request-Id")
X_CONTENT_TYPE_OPTIONS: Final = istr("X-Content-Type-Options")
REFERRER_POLICY: Final = istr("Referrer-Policy")
API: Final = "/api/"


def request_id(request: web.Request) -> str:
    """Return the id of a request that is inside the middleware."""
    return request[REQUEST_ID]


class _KnownRoute:
    """What the middleware needs to know of a route, found once."""

    __slots__ = ("is_api", "plain_path", "tally")

    def __init__(self, tally: RouteTally, plain_path: str | None, *, is_api: bool) -> None:
        self.tally = tally
        self.plain_path = plain_path
        self.is_api = is_api


def outer(
    metrics: Metrics,
    *,
    type_base: str = "",
    probes: ProbeAnswers | None = None,
    make_id: NewId = new_id,
    monotonic: Callable[[], float] = time.perf_counter,
    slow_seconds: float = SLOW_SECONDS,
) -> Middleware:
    """Return the middleware; it must be the application's first.

    ``type_base`` is put before ``/problems/<name>`` in problem documents, ``monotonic`` tells seconds for durations.
    ``probes`` answers the doctor's probes, which may have any target.
    """
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    known: dict[web.AbstractRoute, _KnownRoute] = {}

    def learn(request: web.Request) -> _KnownRoute:
        route = request.match_info.route
        resource = route.resource
        if resource is None:  # 404 and 405: aiohttp makes a route per request, nothing to remember
            return _KnownRoute(metrics.route(UNMATCHED, request.method), None, is_api=_is_api(request))
        template = resource.canonical
        plain = template if isinstance(resource, web.PlainResource) else None
        found = _KnownRoute(metrics.route(template, request.method), plain, is_api=template.startswith(API))
        known[route] = found
        return found

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = monotonic()
        own_id = make_id()
        request[REQUEST_ID] = own_id
        route = known.get(request.match_info.route) or learn(request)
        problem: Problem | None = None
        passing: web.HTTPException | None = None
        response: web.StreamResponse
        try:
            if probes is not None and PROBE in request.headers:
                answered = await probes.answer(request)
                if answered is not None:
                    return _labelled(answered, own_id)
            # The registered path of a plain route is canonical: only other spellings need to be looked at.
            if request.raw_path != route.plain_path and (route.is_api or _is_api(request)):
                read_target(request.raw_path)
            response = await handler(request)
        except Exception as error:
            if isinstance(error, web.HTTPException) and error.status < 400:
                response = passing = error
            elif isinstance(error, ConnectionError) and request.transport is None:
                route.tally.observe(CLIENT_GONE, monotonic() - started)
                raise
            else:
                problem = from_error(error) or Problem("internal-error", cause=type(error).__name__)
                response = problem_response(problem, own_id, type_base)
                metrics.refused(problem.name)
                _report(log, request, route, problem, error, monotonic() - started)
                if request.writer.output_size > 0:  # half an answer is out: only breaking off is honest
                    route.tally.observe(problem.status, monotonic() - started)
                    raise ConnectionResetError("the answer broke off") from None
        if not response.prepared:
            headers = _labelled(response, own_id).headers
            if route.is_api and hdrs.CACHE_CONTROL not in headers:
                headers[hdrs.CACHE_CONTROL] = "no-store"
        seconds = monotonic() - started
        route.tally.observe(response.status, seconds)
        if seconds > slow_seconds and problem is None:
            log.warning(
                "slow request",
                method=route.tally.method,
                route=route.tally.route,
                status=response.status,
                duration_ms=round(seconds * 1000),
                request_id=own_id,
            )
        if passing is not None:
            raise passing
        return response

    return middleware


def _labelled(response: web.StreamResponse, own_id: str) -> web.StreamResponse:
    """Set the fields that every answer carries."""
    headers = response.headers
    headers[X_REQUEST_ID] = own_id
    headers[X_CONTENT_TYPE_OPTIONS] = "nosniff"
    headers[REFERRER_POLICY] = "no-referrer"
    return response


def _is_api(request: web.Request) -> bool:
    """Tell if the raw target or the path that routing sees is under /api/: the two differ when somebody tries to."""
    return request.raw_path.startswith(API) or request.path.startswith(API)


def _report(
    log: structlog.typing.FilteringBoundLogger,
    request: web.Request,
    route: _KnownRoute,
    problem: Problem,
    error: Exception,
    seconds: float,
) -> None:
    """Log a refusal at INFO, a failure at ERROR, an unexpected one with its places in the code."""
    # A full queue is an everyday refusal, and one that anybody can cause.
    failed = problem.status >= 500 and problem.name != "busy"
    fields: dict[str, object] = {
        "method": route.tally.method,
        "route": route.tally.route,
        "status": problem.status,
        "problem": problem.name,
        "cause": problem.cause,
        "duration_ms": round(seconds * 1000, 1),
        "request_id": request[REQUEST_ID],
    }
    if problem.name == "internal-error":
        fields["exc_info"] = error
    (log.error if failed else log.info)("failed" if failed else "refused", **fields)
