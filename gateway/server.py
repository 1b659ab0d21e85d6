"""One gateway process: sockets, the aiohttp server, signals, and an end that finishes what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import socket
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from gateway.app import open_gateway
from gateway.application import make_application
from gateway.http.connections import Runner
from gateway.metrics import serve_metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.app import Gateway
    from gateway.settings import Settings

BACKLOG: Final = 1024
"""Connections the kernel may hold for us: a company's terminals all come back at once after a power cut."""

SHUTDOWN_SECONDS: Final = 10.0
"""How long requests under way may take to finish after the signal to stop."""

KEEPALIVE_SECONDS: Final = 75.0
"""Idle connections of terminals stay open between two people."""

GC_THRESHOLDS: Final = (50_000, 50, 1_000)
"""A full collection walks everything that lives and takes 80 ms; what requests leave behind dies young."""

log = structlog.get_logger(__name__)


class AddressInUse(Exception):
    """The address cannot be listened on; one line for people."""


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a socket listening on `host` and `port` (0: any free one). Raises `AddressInUse`."""
    try:
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(info[0], info[1], info[2])
    except OSError as error:
        raise AddressInUse(f"cannot listen on {host}: {error.strerror or error}") from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(info[4])
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        reason = "it is in use already" if error.errno == 98 else error.strerror
        raise AddressInUse(f"cannot listen on {host} port {port}: {reason}") from None
    return bound


def metrics_address_in_use(host: str, port: int) -> AddressInUse:
    """Return the refusal of a metrics port that somebody else has."""
    return AddressInUse(
        f"cannot serve metrics on {host} port {port}: it is in use already; choose another with --metrics-port, "
        "0 for none"
    )


@contextlib.asynccontextmanager
async def running(settings: Settings, listening: socket.socket) -> AsyncIterator[Gateway]:
    """Run a gateway on `listening` until the block ends; requests accepted by then are finished."""
    port = listening.getsockname()[1]
    async with open_gateway(settings, bound_port=port) as gateway:
        runner = make_runner(gateway)
        await runner.setup()
        metrics_runner: web.AppRunner | None = None
        try:
            if settings.metrics_port:
                try:
                    metrics_runner = await serve_metrics(gateway.metrics, settings.metrics_host, settings.metrics_port)
                except OSError:
                    raise metrics_address_in_use(settings.metrics_host, settings.metrics_port) from None
            await web.SockSite(runner, listening, backlog=BACKLOG).start()
            settle_memory()
            yield gateway
        finally:
            await runner.cleanup()
            if metrics_runner is not None:
                await metrics_runner.cleanup()


def make_runner(gateway: Gateway) -> web.AppRunner:
    """Return the aiohttp server of `gateway`: no access log, and bodies reach the gate as they were sent."""
    return Runner(
        make_application(gateway),
        access_log=None,
        handle_signals=False,
        auto_decompress=False,
        keepalive_timeout=KEEPALIVE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )


def claim_descriptors() -> None:
    """Allow as many open connections as the system lets us: a soft limit of 1024 is soon full of idle phones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def settle_memory() -> None:
    """Take what lives as long as the process out of the garbage collector's sight."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


@contextlib.asynccontextmanager
async def until_stopped() -> AsyncIterator[asyncio.Event]:
    """Give an event that SIGTERM and SIGINT set instead of ending the process."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def serve(settings: Settings, listening: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was accepted and return.

    Raises `AddressInUse`, `StorageError`, `SecretsFileError`.
    """
    claim_descriptors()
    async with until_stopped() as stopping, running(settings, listening):
        host, port = listening.getsockname()[:2]
        log.info("serving", address=f"http://{host}:{port}", state=settings.redis_url.partition(":")[0])
        await stopping.wait()
        log.info("stopping")
