"""One gateway process: sockets, the aiohttp server, signals, and an end that finishes what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import time
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from gateway.app import open_gateway
from gateway.application import make_application
from gateway.http.connections import Runner
from gateway.in_service import in_service
from gateway.listening import BACKLOG, bind, metrics_address_in_use
from gateway.metrics import serve_metrics
from gateway.tls.plain_listener import serve_plain
from gateway.tls.serving import ServedCertificate

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from gateway.app import Gateway
    from gateway.settings import Settings

SHUTDOWN_SECONDS: Final = 10.0
"""How long requests under way may take to finish after the signal to stop."""

KEEPALIVE_SECONDS: Final = 75.0
"""Idle connections of terminals stay open between two people."""

GC_THRESHOLDS: Final = (50_000, 50, 1_000)
"""A full collection walks everything that lives and takes 80 ms; what requests leave behind dies young."""

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running(settings: Settings, listening: socket.socket) -> AsyncIterator[Gateway]:
    """Run a gateway on `listening` until the block ends; requests accepted by then are finished."""
    port = listening.getsockname()[1]
    async with contextlib.AsyncExitStack() as closing:
        served = serving_certificate(settings)
        closing.enter_context(in_service(settings, settings.public_address(port)))
        gateway = await closing.enter_async_context(open_gateway(settings, bound_port=port))
        if settings.metrics_port:
            try:
                metrics = await serve_metrics(gateway.metrics, settings.metrics_host, settings.metrics_port)
            except OSError:
                raise metrics_address_in_use(settings.metrics_host, settings.metrics_port) from None
            closing.push_async_callback(metrics.cleanup)
        if settings.http_port:
            plain = bind(settings.host, settings.http_port, option="--http-port")
            address = gateway.administration.public_url
            closing.push_async_callback((await serve_plain(plain, address, settings.data_dir)).cleanup)
        if served is not None:
            await served.start()
            closing.push_async_callback(served.stop)
        runner = make_runner(gateway)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        context = None if served is None else served.context
        await web.SockSite(runner, listening, backlog=BACKLOG, ssl_context=context).start()
        settle_memory()
        yield gateway


def serving_certificate(settings: Settings) -> ServedCertificate | None:
    """Return the certificate to serve with, if this gateway does TLS itself. Raises `CertificateFault`."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return ServedCertificate(settings.tls_cert, settings.tls_key, time.time)


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

    Raises `AddressInUse`, `CertificateFault`, `DataDirectoryInUse`, `StorageError`, `SecretsFileError`.
    """
    claim_descriptors()
    async with until_stopped() as stopping, running(settings, listening):
        host, port = listening.getsockname()[:2]
        scheme = "http" if settings.tls_cert is None else "https"
        log.info("serving", address=f"{scheme}://{host}:{port}", state=settings.redis_url.partition(":")[0])
        await stopping.wait()
        log.info("stopping")
