"""Real proxies before a gateway: the system's nginx, Caddy and HAProxy, configured by the files of deploy/.

Only what a test machine cannot have is replaced in these files: ports, addresses, certificates, the log's place.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Kind = Literal["nginx", "caddy", "haproxy"]
KINDS: Final[tuple[Kind, ...]] = ("nginx", "caddy", "haproxy")
NAME: Final = "stamp.example.com"
DEPLOY: Final = Path(__file__).parents[2] / "deploy"
FILES: Final[Mapping[Kind, str]] = {"nginx": "nginx.conf", "caddy": "Caddyfile", "haproxy": "haproxy.cfg"}
START_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Proxy:
    """A proxy that listens on loopback, for `https://stamp.example.com` and its port."""

    port: int
    ca: Path
    """The certificate, which is its own authority."""

    @property
    def url(self) -> str:
        return public_url(self.port)

    @property
    def options(self) -> tuple[str, ...]:
        """What `stampgate doctor proxy` needs to reach it."""
        return ("--connect", f"127.0.0.1:{self.port}", "--ca", str(self.ca))

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))


def program(kind: Kind) -> str:
    """Return where it is. `make test` installs it where it may; elsewhere its tests are skipped."""
    found = shutil.which(kind) or shutil.which(kind, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if sys.platform == "linux" and os.geteuid() == 0:
            pytest.fail(f"{kind} is missing; `make test` installs it")
        pytest.skip(f"{kind} is not installed here")
    return found


def public_url(port: int) -> str:
    return f"https://{NAME}:{port}"


def certificate(directory: Path) -> tuple[Path, Path, Path]:
    """Make a certificate for the name: (certificate, key, both in one file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = directory / "fullchain.pem", directory / "privkey.pem", directory / "combined.pem"
    for file, content in zip(files, (public, private, public + private), strict=True):
        file.write_bytes(content)
    return files


def configuration(kind: Kind, directory: Path, gateway: int, port: int, change: Callable[[str], str]) -> Path:
    """Write what the program is started with: the file of deploy/, changed by `change`, at home in `directory`."""
    chain, key, combined = certificate(directory)
    text = change((DEPLOY / FILES[kind]).read_text("utf-8")).replace("127.0.0.1:8080", f"127.0.0.1:{gateway}")
    file = directory / FILES[kind]
    plain = free_port()
    if kind == "nginx":
        text = re.sub(r"\n *listen \[::\]:[^\n]*", "", text)
        text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(
            "listen 80;", f"listen 127.0.0.1:{plain};"
        )
        text = text.replace("/etc/ssl/stamp.example.com/fullchain.pem", str(chain))
        text = text.replace("/etc/ssl/stamp.example.com/privkey.pem", str(key))
        text = text.replace("/var/log/nginx/stampgate.log", str(directory / "access.log"))
        places = "".join(
            f"{name}_temp_path {directory}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = (
            f"{user}daemon off;\npid {directory}/pid;\nerror_log stderr;\nworker_processes 1;\nevents {{}}\n"
            f"http {{\n{places}{text}\n}}\n"
        )
    elif kind == "caddy":
        text = text.replace(f"\n{NAME} {{", f"\n{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {chain} {key}", 1)
        text = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text
    else:
        text = text.replace("bind :443", f"bind 127.0.0.1:{port}").replace("bind :80", f"bind 127.0.0.1:{plain}")
        text = text.replace("/etc/ssl/stamp.example.com/combined.pem", str(combined))
    file.write_text(text, "utf-8")
    return file


def command(kind: Kind, file: Path) -> list[str]:
    where = program(kind)
    return {
        "nginx": [where, "-c", str(file), "-p", str(file.parent)],
        "caddy": [where, "run", "--config", str(file), "--adapter", "caddyfile"],
        "haproxy": [where, "-db", "-f", str(file)],
    }[kind]


@contextlib.contextmanager
def proxy(
    kind: Kind, directory: Path, gateway: int, port: int, change: Callable[[str], str] = lambda text: text
) -> Iterator[Proxy]:
    """Run a proxy on `port` before the gateway on its own until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    file = configuration(kind, directory, gateway, port, change)
    log = directory / "proxy.log"
    home = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(kind, file), stdout=output, stderr=output, env={**os.environ, **home}, cwd=directory
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield Proxy(port, directory / "fullchain.pem")
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
