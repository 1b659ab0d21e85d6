"""The certificate a gateway serves with, taken up anew when its files change.

Whoever renews a certificate (certbot, a company's own CA) writes new files and need not restart anything: connections
that are open stay as they are, new ones get the new certificate. A pair that cannot be used is logged once and left
alone; the gateway goes on with the one it has.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import structlog

from gateway.background import BackgroundTask
from gateway.tls.certificates import Certificate, CertificateFault, read_certificate

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.clock import Clock

LOOK_SECONDS: Final = 5.0
"""How often the files are looked at."""

log = structlog.get_logger(__name__)


class ServedCertificate:
    """One pair of PEM files and the TLS context made of them. Raises `CertificateFault` if they cannot be used."""

    def __init__(self, cert: Path, key: Path, clock: Clock) -> None:
        self._cert, self._key, self._clock = cert, key, clock
        self._looked = self._marks()
        self._task = BackgroundTask(self._watch, "tls-certificate")
        self.certificate, self._current = self._load()
        self.context = self._current
        # Never loaded into again: files that change between two reads would leave it with half a pair.
        self.context.sni_callback = self._hand_over

    async def start(self) -> None:
        """Begin to watch the files."""
        self._task.start()

    async def stop(self) -> None:
        """End that."""
        await self._task.stop()

    def look(self) -> bool:
        """Take the files up if they are others than before; return whether new connections get another certificate."""
        marks = self._marks()
        if marks == self._looked:
            return False
        self._looked = marks
        try:
            self.certificate, self._current = self._load()
        except CertificateFault as fault:
            log.warning("the new TLS certificate is not taken up", cause=str(fault))
            return False
        log.info("TLS certificate taken up", until=round(self.certificate.not_after))
        return True

    def _hand_over(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Give a connection that begins the current pair; called for those that name no host, too."""
        connection.context = self._current

    def _load(self) -> tuple[Certificate, ssl.SSLContext]:
        """Return the certificate and a context of its own for it, if the pair can be used now."""
        certificate = read_certificate(self._cert)
        if certificate.not_after <= self._clock():
            raise CertificateFault(f"the certificate in {self._cert} has expired")
        context = _context()
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        except ssl.SSLError as error:
            reason = "does not belong to the certificate" if "MISMATCH" in (error.reason or "") else "cannot be used"
            raise CertificateFault(f"the key in {self._key} {reason}") from None
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else None
            raise CertificateFault(f"{self._key}: {said or 'a key with a passphrase cannot be used'}") from None
        return certificate, context

    def _marks(self) -> tuple[object, ...]:
        """What changes when a file does, also when it is replaced by an older one."""
        marks: list[object] = []
        for path in (self._cert, self._key):
            try:
                found = path.stat()
            except OSError:
                marks.append(None)
            else:
                marks.append((found.st_ino, found.st_mtime_ns, found.st_size))
        return tuple(marks)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    # Else OpenSSL asks for one at the terminal.
    raise ValueError("no passphrase is known")
