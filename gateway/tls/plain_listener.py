"""The plain HTTP listener beside HTTPS: it has the page `/trust`, and sends everything else to the protected address.

A tablet that does not trust the certificate yet must be able to read how to. Nothing else is served here: no sign-in,
no stamp, no interface ever travels in clear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from gateway.clock import new_id
from gateway.http.middlewares import outer
from gateway.http.problems import Problem
from gateway.http.routes import register
from gateway.metrics import Metrics
from gateway.pages import trust

if TYPE_CHECKING:
    import socket
    from pathlib import Path


async def serve_plain(listening: socket.socket, public_url: str, data_dir: Path) -> web.AppRunner:
    """Serve on `listening` until the returned runner is cleaned up; `public_url` is where people are sent."""

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        target = request.raw_path
        if (
            request.method not in (hdrs.METH_GET, hdrs.METH_HEAD)
            or not target.startswith("/")
            or target[1:2] in ("/", "\\")
        ):
            raise Problem("bad-request", f"Stampgate is at {public_url}: HTTPS only.", cause="plain HTTP")
        raise web.HTTPPermanentRedirect(public_url + target, headers={hdrs.CACHE_CONTROL: "no-store"})

    # Metrics of its own that nobody reads: what is counted is what the gateway answers.
    app = web.Application(middlewares=[outer(Metrics(), make_id=new_id)], client_max_size=1)
    register(app, trust.routes(data_dir, public_url, alone=True))
    app.router.add_route("*", "/{rest:.*}", elsewhere)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, keepalive_timeout=5.0, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner
