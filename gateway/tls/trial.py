"""A certificate for a trial in a LAN: a root of our own, made for this one certificate and for nothing else.

A tablet's browser is a terminal only over HTTPS, and no public authority gives certificates for addresses such as
192.168.1.20. So a trial makes a root that the tablets are told to trust. Whoever holds a trusted root's key can pretend
to be any site to these tablets: that key signs once and is thrown away, it is never written anywhere. The price:
another name or another year needs another root, and the tablets a visit.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAYS: Final = 397
"""Life of root and certificate: what the strictest browsers accept."""

BACKDATED: Final = timedelta(hours=1)
"""A tablet whose clock is behind trusts it all the same."""

DIRECTORY: Final = "tls"
ROOT: Final = "stampgate-trial-root.crt"
CERT: Final = "trial.crt"
KEY: Final = "trial.key"


class TrialFiles(NamedTuple):
    """Where the files of a data directory's trial are."""

    root: Path
    cert: Path
    key: Path

    @classmethod
    def of(cls, data_dir: Path) -> TrialFiles:
        """Return them, whether they exist or not."""
        directory = data_dir / DIRECTORY
        return cls(directory / ROOT, directory / CERT, directory / KEY)

    @property
    def exist(self) -> bool:
        """Whether a trial certificate was made."""
        return all(path.exists() for path in self)


def own_names(lan_address: str) -> list[str]:
    """Return the names and addresses this machine is reached by, the one for tablets first."""
    host = socket.gethostname().lower()
    local = [] if "." in host or host == "localhost" else [f"{host}.local"]
    return list(dict.fromkeys([lan_address, host, *local, "localhost", "127.0.0.1", "::1"]))


def read_name(text: str) -> x509.GeneralName:
    """Return a DNS name or an address as a certificate holds it. Raises `ValueError`."""
    bare = text.strip().strip("[]").lower()
    try:
        return x509.IPAddress(ip_address(bare))
    except ValueError:
        pass
    labels = bare.split(".")
    if len(bare) > 253 or not all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "").isalnum() for label in labels
    ):
        raise ValueError("is no host name and no address")
    return x509.DNSName(bare)


def make_trial(files: TrialFiles, names: Sequence[str], now: float) -> None:
    """Make root, certificate and key for `names` at `now` (Unix seconds). Raises `ValueError` and `OSError`."""
    held = list(dict.fromkeys(map(read_name, names)))
    at = datetime.fromtimestamp(now, UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    # A name of its own for each root, or a tablet with two of them could take the wrong one.
    issuer = _name(f"Stampgate trial root {at:%Y-%m-%d %H:%M:%S}")
    root = (
        _builder(issuer, issuer, root_key.public_key(), at)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name("Stampgate trial"), issuer, key.public_key(), at)
        .add_extension(x509.SubjectAlternativeName(held), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
        .sign(root_key, hashes.SHA256())
    )
    files.root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    # The root last: where it is, the others are.
    _write(
        files.key,
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        mode=0o600,
    )
    _write(files.cert, leaf.public_bytes(pem) + root.public_bytes(pem), mode=0o644)
    _write(files.root, root.public_bytes(pem), mode=0o644)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, at: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at - BACKDATED + timedelta(days=DAYS))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file in one step; it has its mode from its first moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
