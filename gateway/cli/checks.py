"""What `doctor` looks at. Each check is one function that finds one line, and none changes anything."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from sqlalchemy import func, select

from crypto.secrets_file import Secrets, SecretsFileError
from gateway.settings import unknown_variables
from storage import audit
from storage.database import Database, SecretsMismatch, StorageError
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.settings import Settings

CLOCK_TOLERANCE: Final = 5.0
"""Seconds between this machine and its database. Terminals may be 60 s off; a gateway that is, refuses them all."""

LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. A note is worth reading, a fault must be mended."""

    level: Literal["ok", "note", "fault"]
    about: str
    text: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at everything, in the order in which one thing needs the other."""
    secrets_found, secrets = _secrets(settings)
    found = [_settings(), _data_dir(settings), secrets_found]
    found += [one async for one in _database(settings, secrets)]
    found += [await _redis(settings), _public_url(settings), _mail(settings)]
    return found


def _settings() -> Finding:
    """They could be read, or no command would have begun; a misspelt variable is read by nobody."""
    unknown = unknown_variables(os.environ)
    if unknown:
        return Finding("note", "settings", f"read; no setting is called {', '.join(unknown)}")
    return Finding("ok", "settings", "read")


def _data_dir(settings: Settings) -> Finding:
    path = settings.data_dir
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Finding("fault", "data directory", f"{path}: {error.strerror}; run `stampgate init`")
    if not stat.S_ISDIR(mode):
        return Finding("fault", "data directory", f"{path} is not a directory")
    if not os.access(path, os.W_OK | os.X_OK):
        return Finding("fault", "data directory", f"{path} cannot be written by this user")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        return Finding("note", "data directory", f"{path} is open to other users: run chmod 700 on it")
    return Finding("ok", "data directory", str(path))


def _secrets(settings: Settings) -> tuple[Finding, Secrets | None]:
    try:
        secrets = Secrets.load(settings.secrets_path)
    except SecretsFileError as error:
        return Finding("fault", "secrets", str(error)), None
    return Finding("ok", "secrets", f"version {secrets.current_version}, for the owner only"), secrets


async def _database(settings: Settings, secrets: Secrets | None) -> AsyncIterator[Finding]:
    kind = settings.effective_database_url.partition(":")[0].partition("+")[0]
    database = Database(settings.effective_database_url)
    try:
        revision, head = await database.revision(), await database.head()
        if revision is None:
            yield Finding("fault", "database", f"{kind} is empty: run `stampgate db upgrade`")
            return
        if revision != head:
            yield Finding("fault", "database", f"{kind} is at {revision}, not {head}: run `stampgate db upgrade`")
            return
        yield Finding("ok", "database", f"{kind}, at revision {revision}")
        if secrets is not None:
            await database.bind_secrets(secrets.check_value)
            yield Finding("ok", "check value", "the database belongs to these secrets")
        yield await _clock(database)
    except SecretsMismatch as error:
        yield Finding("fault", "check value", str(error))
    except StorageError as error:
        yield Finding("fault", "database", f"{kind}: {error}")
    finally:
        await database.close()


async def _clock(database: Database) -> Finding:
    """Against the database server's clock; a file has none, but what was written cannot be of tomorrow."""
    now = time.time()
    async with database.read() as connection:
        if database.is_sqlite:
            latest = await audit.list_(connection, None, limit=1)
            ahead = latest[0].at - now if latest else 0.0
            where = "the latest audit event"
        else:
            theirs = float(await connection.scalar(select(func.extract("epoch", func.clock_timestamp()))) or now)
            ahead = theirs - now
            where = "the database server"
    behind = ahead > CLOCK_TOLERANCE
    if behind or (abs(ahead) > CLOCK_TOLERANCE and not database.is_sqlite):
        return Finding("fault", "clock", f"{abs(ahead):.0f} s {'behind' if behind else 'ahead of'} {where}")
    return Finding("ok", "clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)))


async def _redis(settings: Settings) -> Finding:
    try:
        ephemeral = Ephemeral.open(settings.redis_url)
    except ValueError as error:
        return Finding("fault", "Redis", str(error))
    try:
        if ephemeral.is_memory:
            return Finding(
                "note", "Redis", "memory://: one process; a restart ends sessions and forgets wrong PINs in a row"
            )
        await ephemeral.ping()
        others = await ephemeral.eviction_policies() - {"noeviction"}
    except EphemeralUnavailable as error:
        return Finding("fault", "Redis", f"{error}; kiosk and phone logins are refused without it")
    finally:
        await ephemeral.close()
    if others:
        return Finding(
            "fault", "Redis", f"maxmemory-policy is {', '.join(sorted(others))}: set noeviction, or locks get lost"
        )
    return Finding("ok", "Redis", "reachable, noeviction")


def _public_url(settings: Settings) -> Finding:
    if settings.public_url is None:
        return Finding("note", "public URL", "not set: only this machine can use the gateway (STAMPGATE_PUBLIC_URL)")
    parts = urlsplit(settings.public_url)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return Finding("note", "public URL", f"{settings.public_url}: terminals and phones need https in a browser")
    return Finding("ok", "public URL", settings.public_url)


def _mail(settings: Settings) -> Finding:
    server = settings.smtp_server
    if server is None:
        return Finding("note", "mail", "off: links to set a password go to the log instead (STAMPGATE_SMTP_URL)")
    if server.start_tls is not True and not server.use_tls and server.host not in LOOPBACK:
        return Finding("note", "mail", f"{server.host}: without TLS, mails and the login travel readable")
    return Finding("ok", "mail", f"{server.host} port {server.port}, from {settings.mail_sender}")
