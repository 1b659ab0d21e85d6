"""Several gateway processes on one address: a parent that prepares once, hands its socket on and keeps them running.

The workers accept from one inherited socket, so a connection in the queue is never lost with the worker that dies. A
worker ends when the parent does, however that ended: it holds one end of a pipe whose other end only the parent has.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import structlog

from crypto.secrets_file import SecretsFileError
from gateway import logs
from gateway.administration import open_administration
from gateway.in_service import DataDirectoryInUse
from gateway.listening import AddressInUse, bind, metrics_address_in_use
from gateway.server import SHUTDOWN_SECONDS, serve
from gateway.settings import Settings
from gateway.tls.certificates import CertificateFault
from storage.database import StorageError

if TYPE_CHECKING:
    from collections.abc import Sequence

RESTART_SECONDS: Final = 1.0
"""Pause before a worker that died is started again, so that one that cannot start does not spin."""

log = structlog.get_logger(__name__)


async def prepare(settings: Settings) -> None:
    """Make secrets and schema once, before several processes would. Raises as `open_administration`."""
    async with open_administration(settings):
        pass


class Supervisor:
    """Runs the workers until a signal, restarting what dies."""

    def __init__(self, settings: Settings, listening: socket.socket) -> None:
        self._settings = settings
        self._listening = listening
        self._alive_read, self._alive_write = os.pipe()
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._stopping = False

    def run(self) -> None:
        """Start the workers and return after SIGTERM or SIGINT, when all have finished what they accepted.

        Raises `AddressInUse` for a worker's metrics port and for the plain port beside TLS: found out before any
        starts, because a worker that cannot start is started again for ever.
        """
        self._try_metrics_ports()
        if self._settings.http_port:
            bind(self._settings.host, self._settings.http_port, option="--http-port").close()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for index in range(self._settings.workers):
            self._start(index)
        while not self._stopping:
            for index, worker in list(self._workers.items()):
                if worker.poll() is not None and not self._stopping:
                    log.error("worker ended", worker=index, exit_status=worker.returncode)
                    time.sleep(RESTART_SECONDS)
                    if not self._stopping:
                        self._start(index)
            time.sleep(0.1)
        self._end()

    def _try_metrics_ports(self) -> None:
        first, host = self._settings.metrics_port, self._settings.metrics_host
        for port in range(first, first + self._settings.workers) if first else ():
            try:
                bind(host, port).close()
            except (AddressInUse, OverflowError):
                raise metrics_address_in_use(host, port) from None

    def _start(self, index: int) -> None:
        settings = self._settings
        environment = os.environ | {
            "STAMPGATE_DATA_DIR": str(settings.data_dir.absolute()),
            "STAMPGATE_HOST": settings.host,
            "STAMPGATE_PORT": str(settings.port),
            "STAMPGATE_WORKERS": str(settings.workers),
            "STAMPGATE_METRICS_HOST": settings.metrics_host,
            "STAMPGATE_METRICS_PORT": str(settings.metrics_port + index if settings.metrics_port else 0),
            "STAMPGATE_HTTP_PORT": str(settings.http_port if index == 0 else 0),  # one of them is enough
            "STAMPGATE_LOG_LEVEL": settings.log_level,
            "STAMPGATE_LOG_FORMAT": settings.log_format,
        }
        for name, path in (("STAMPGATE_TLS_CERT", settings.tls_cert), ("STAMPGATE_TLS_KEY", settings.tls_key)):
            if path is not None:
                environment[name] = str(path.absolute())
        fds = (self._listening.fileno(), self._alive_read)
        command = [sys.executable, "-P", "-m", "gateway.workers", *map(str, fds)]
        self._workers[index] = subprocess.Popen(command, env=environment, pass_fds=fds)  # noqa: S603 - ourselves

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.terminate()
        deadline = time.monotonic() + SHUTDOWN_SECONDS + 5
        for index, worker in self._workers.items():
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker does not end", worker=index)
                worker.kill()


async def _work(settings: Settings, listening: socket.socket, alive: int) -> None:
    loop = asyncio.get_running_loop()
    # The parent never writes: readable means that it is gone.

    def orphaned() -> None:
        loop.remove_reader(alive)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(alive, orphaned)
    await serve(settings, listening)


def main(arguments: Sequence[str]) -> None:
    """One worker: `python -m gateway.workers <listening fd> <pipe fd>`, started by the supervisor alone."""
    listening_fd, alive = map(int, arguments)
    settings = Settings.load()
    logs.configure(settings.log_level, settings.log_format)
    listening = socket.socket(fileno=listening_fd)
    listening.setblocking(False)
    try:
        asyncio.run(_work(settings, listening, alive))
    except (AddressInUse, CertificateFault, DataDirectoryInUse, StorageError, SecretsFileError) as error:
        # Said in one line; the parent starts this worker again, and by then a database may be back.
        log.error("worker cannot serve", cause=str(error))  # noqa: TRY400 - no traceback: nothing is wrong in the code
        sys.exit(1)
    except KeyboardInterrupt:  # Ctrl-C before the signals were ours
        sys.exit(130)


if __name__ == "__main__":
    main(sys.argv[1:])
