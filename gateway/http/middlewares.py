"""What is done for every request: whatever it meets inside, it leaves as an answer, counted and with a request id.

It gets its id, a target under /api/ that is not canonical is refused, every error becomes its problem document, the
security fields are set, and it is counted. Only refusals, failures and slow requests are logged, by route template: a
raw path or query could hold a token. aiohttp's requests get all this from one middleware, plain ones (those that
`connections` takes from aiohttp) from `Outer.answer`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import hdrs, web
from multidict import istr

from crypto.message_signatures import read_target
from gateway.clock import NewId, new_id
from gateway.http.preferences import accepts_pages
from gateway.http.problem_answers import from_error, problem_answer, problem_response
from gateway.http.problems import Problem
from gateway.metrics import UNMATCHED, Metrics, RouteTally
from gateway.proxy_probe.tokens import PROBE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler, Middleware

    from gateway.http.plain import PlainAnswer, PlainRequest
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

_SAFETY: Final[Mapping[str, str]] = {X_CONTENT_TYPE_OPTIONS: "nosniff", REFERRER_POLICY: "no-referrer"}
"""What every answer says to browsers."""


def request_id(request: web.Request) -> str:
    """Return the id of a request that is inside the middleware."""
    return request[REQUEST_ID]


class Outer:
    """The rules themselves; `middleware` applies them to aiohttp's requests, `answer` to plain ones.

    ``type_base`` is put before ``/problems/<name>`` in problem documents, ``monotonic`` tells seconds for durations.
    ``probes`` answers the doctor's probes, which may have any target and always come aiohttp's way. ``nowhere`` is what
    a browser sees where no route is.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        type_base: str = "",
        probes: ProbeAnswers | None = None,
        nowhere: Callable[[web.Request], web.Response] | None = None,
        make_id: NewId = new_id,
        monotonic: Callable[[], float] = time.perf_counter,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self._metrics = metrics
        self._type_base = type_base
        self._probes = probes
        self._nowhere = nowhere
        self.make_id = make_id
        self.monotonic = monotonic
        self._slow_seconds = slow_seconds
        self._log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

    async def answer(
        self,
        tally: RouteTally,
        rule: Callable[[PlainRequest], Awaitable[PlainAnswer]],
        request: PlainRequest,
        started: float,
    ) -> PlainAnswer | None:
        """Answer a request whose target is a route's own path; `None` when nobody waits for the answer any more."""
        problem: Problem | None = None
        try:
            answer = await rule(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is answered
            if isinstance(error, ConnectionError) and request.transport is None:
                tally.observe(CLIENT_GONE, self.monotonic() - started)
                return None
            problem = self._refused(error, tally, request.id, started)
            answer = problem_answer(problem, request.id, self._type_base)
        fields = answer.fields
        fields[X_REQUEST_ID] = request.id
        fields.update(_SAFETY)
        if hdrs.CACHE_CONTROL not in fields:
            fields[hdrs.CACHE_CONTROL] = "no-store"
        self._done(tally, answer.status, request.id, started, problem)
        return answer

    def middleware(self) -> Middleware:
        """Return the middleware; it must be the application's first."""
        known: dict[web.AbstractRoute, _KnownRoute] = {}

        def learn(request: web.Request) -> _KnownRoute:
            route = request.match_info.route
            resource = route.resource
            if resource is None:  # 404 and 405: aiohttp makes a route per request, nothing to remember
                return _KnownRoute(self._metrics.route(UNMATCHED, request.method), None, is_api=_is_api(request))
            template = resource.canonical
            plain = template if isinstance(resource, web.PlainResource) else None
            tally = self._metrics.route(template, request.method)
            found = known[route] = _KnownRoute(tally, plain, is_api=template.startswith(API))
            return found

        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._handle(known.get(request.match_info.route) or learn(request), request, handler)

        return middleware

    async def _handle(self, route: _KnownRoute, request: web.Request, handler: Handler) -> web.StreamResponse:
        started = self.monotonic()
        own_id = self.make_id()
        request[REQUEST_ID] = own_id
        problem: Problem | None = None
        passing: web.HTTPException | None = None
        response: web.StreamResponse
        try:
            if self._probes is not None and PROBE in request.headers:
                answered = await self._probes.answer(request)
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
                route.tally.observe(CLIENT_GONE, self.monotonic() - started)
                raise
            else:
                problem = self._refused(error, route.tally, own_id, started)
                nowhere = self._nowhere if _is_browser_astray(request, problem) else None
                response = nowhere(request) if nowhere else problem_response(problem, own_id, self._type_base)
                if request.writer.output_size > 0:  # half an answer is out: only breaking off is honest
                    route.tally.observe(problem.status, self.monotonic() - started)
                    raise ConnectionResetError("the answer broke off") from None
        if not response.prepared:
            headers = _labelled(response, own_id).headers
            if route.is_api and hdrs.CACHE_CONTROL not in headers:
                headers[hdrs.CACHE_CONTROL] = "no-store"
        self._done(route.tally, response.status, own_id, started, problem)
        if passing is not None:
            raise passing
        return response

    def _refused(self, error: Exception, tally: RouteTally, own_id: str, started: float) -> Problem:
        """Return the problem that answers an error. Logs a refusal at INFO, a failure at ERROR, an unexpected one with
        its places in the code."""
        problem = from_error(error) or Problem("internal-error", cause=type(error).__name__)
        self._metrics.refused(problem.name)
        # A full queue is an everyday refusal, and one that anybody can cause.
        failed = problem.status >= 500 and problem.name != "busy"
        fields: dict[str, object] = {
            "method": tally.method,
            "route": tally.route,
            "status": problem.status,
            "problem": problem.name,
            "cause": problem.cause,
            "duration_ms": round((self.monotonic() - started) * 1000, 1),
            "request_id": own_id,
        }
        if problem.name == "internal-error":
            fields["exc_info"] = error
        (self._log.error if failed else self._log.info)("failed" if failed else "refused", **fields)
        return problem

    def _done(self, tally: RouteTally, status: int, own_id: str, started: float, problem: Problem | None) -> None:
        seconds = self.monotonic() - started
        tally.observe(status, seconds)
        if seconds > self._slow_seconds and problem is None:
            self._log.warning(
                "slow request",
                method=tally.method,
                route=tally.route,
                status=status,
                duration_ms=round(seconds * 1000),
                request_id=own_id,
            )


def outer(
    metrics: Metrics,
    *,
    type_base: str = "",
    make_id: NewId = new_id,
    monotonic: Callable[[], float] = time.perf_counter,
    slow_seconds: float = SLOW_SECONDS,
) -> Middleware:
    """Return the middleware alone, for an application that is reached in no other way."""
    rules = Outer(metrics, type_base=type_base, make_id=make_id, monotonic=monotonic, slow_seconds=slow_seconds)
    return rules.middleware()


def _labelled(response: web.StreamResponse, own_id: str) -> web.StreamResponse:
    """Set the fields that every answer carries."""
    headers = response.headers
    headers[X_REQUEST_ID] = own_id
    headers.update(_SAFETY)
    if headers.get(hdrs.CONNECTION) == "close":  # aiohttp itself would only say so
        response.force_close()
    return response


class _KnownRoute:
    """What the middleware needs to know of a route, found once."""

    __slots__ = ("is_api", "plain_path", "tally")

    def __init__(self, tally: RouteTally, plain_path: str | None, *, is_api: bool) -> None:
        self.tally = tally
        self.plain_path = plain_path
        self.is_api = is_api


def _is_browser_astray(request: web.Request, problem: Problem) -> bool:
    """Tell if this is a browser that was sent to an address where no route is."""
    is_unmatched = problem.name == "not-found" and request.match_info.route.resource is None
    return is_unmatched and not _is_api(request) and accepts_pages(request.headers.get(hdrs.ACCEPT, ""))


def _is_api(request: web.Request) -> bool:
    """Tell if the raw target or the path that routing sees is under /api/: the two differ when somebody tries to."""
    return request.raw_path.startswith(API) or request.path.startswith(API)
