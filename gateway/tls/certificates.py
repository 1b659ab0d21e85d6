"""What a certificate says: whom it is for, until when, and the fingerprint that people compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

if TYPE_CHECKING:
    from pathlib import Path

LARGEST_FILE: Final = 256 * 1024
"""Bytes; a chain of certificates has a few thousand."""


class CertificateFault(Exception):
    """A certificate or its key cannot be used; one line for people that quotes nothing of the files."""


class Certificate(NamedTuple):
    """A certificate: DNS names and addresses it is for, in its order, and its life in Unix seconds."""

    names: tuple[str, ...]
    not_before: float
    not_after: float
    fingerprint: str
    """SHA-256 of the certificate as 32 pairs of hex digits with colons, as browsers show it."""


def read_certificate(path: Path) -> Certificate:
    """Return the first certificate of a PEM file: the server's own, before those of its issuers.

    Raises `CertificateFault`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE)
    except OSError as error:
        raise CertificateFault(f"{path}: {error.strerror or 'cannot be read'}") from None
    try:
        first = x509.load_pem_x509_certificates(content)[0]
    except ValueError:
        raise CertificateFault(f"{path} holds no certificate in PEM") from None
    return Certificate(
        _names(first), first.not_valid_before_utc.timestamp(), first.not_valid_after_utc.timestamp(), fingerprint(first)
    )


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint as people compare it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = (str(name.value) for name in held if isinstance(name, x509.DNSName | x509.IPAddress))
    return tuple(f"[{name}]" if ":" in name else name for name in names)
