"""Backing up beside a running gateway, and restoring into a stopped one.

A backup is one moment of the database: one transaction that sees nothing of what is written meanwhile, on both
databases. A restore is one transaction too: it happens altogether or not at all, and the secrets follow it.
"""

from __future__ import annotations

import os
from contextlib import aclosing
from typing import TYPE_CHECKING, BinaryIO, Final

from crypto.secrets_file import Secrets, SecretsFileError
from gateway.backups.archive import ArchiveReader, ArchiveWriter, BackupRefused, Manifest
from gateway.http.models import rfc3339
from gateway.product import product_version
from storage import copying
from storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gateway.clock import Clock
    from gateway.settings import Settings

    Progress = Callable[[int, int], None]

BEFORE_RESTORE: Final = ".before-restore"
"""What is put behind the name of a secrets file that a restore replaces."""


async def back_up(settings: Settings, file: BinaryIO, *, clock: Clock, progress: Progress) -> Manifest:
    """Write database and secrets into `file`; `progress` hears how many rows of how many are done.

    Raises `BackupRefused`, `SecretsFileError`, `SecretsMismatch`, `StorageError`.
    """
    secrets = Secrets.load(settings.secrets_path)
    database = Database(settings.effective_database_url)
    try:
        revision = await database.revision()
        if revision is None:
            raise BackupRefused("there is no database yet: nothing to back up")
        await database.bind_secrets(secrets.check_value)
        writer = ArchiveWriter(file)
        writer.secrets(settings.secrets_path.read_bytes())
        async with database.read() as connection:
            tables = await connection.run_sync(copying.tables)
            total, done = sum([await copying.count(connection, table) for table in tables]), 0
            for table in tables:
                with writer.table(table.name) as write:
                    async with aclosing(copying.lines(connection, table)) as pages:
                        async for page in pages:
                            for line in page:
                                write(line)
                            progress(done + writer.rows[table.name], total)
                done += writer.rows[table.name]
    finally:
        await database.close()
    manifest = Manifest(
        product=product_version(),
        made_at=rfc3339(clock()),
        database="sqlite" if database.is_sqlite else "postgresql",
        revision=revision,
        check_value=secrets.check_value.hex(),
        members=writer.members,
        rows=writer.rows,
    )
    writer.finish(manifest)
    return manifest


async def restore(settings: Settings, archive: ArchiveReader, *, force: bool, progress: Progress) -> None:
    """Put a backup in place, also into the other kind of database. Without `force` nothing may be there yet.

    Raises `BackupRefused`, `SecretsFileError`, `StorageError`; then nothing was changed.
    """
    manifest = archive.manifest
    database = Database(settings.effective_database_url)
    if not database.knows(manifest.revision):
        raise BackupRefused(f"the backup is of revision {manifest.revision}, newer than this version: update first")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = _draft(settings.secrets_path, archive.secrets())
    try:
        if Secrets.load(draft).check_value.hex() != manifest.check_value:
            raise BackupRefused("the backup's secrets are not those of its database")
        other = _other_secrets(settings.secrets_path, draft)
        if not force:
            if await database.revision() is not None:
                raise BackupRefused("there is a database already: --force replaces it and all that it holds")
            if other:
                raise BackupRefused(f"{settings.secrets_path} holds other secrets: --force puts them aside")
        total, done = sum(manifest.rows.values()), 0

        def tell(rows: int) -> None:
            nonlocal done
            done += rows
            progress(done, total)

        await database.replace(manifest.revision, archive.tables(), tell)
        if other:
            settings.secrets_path.replace(_aside(settings.secrets_path))
        draft.replace(settings.secrets_path)
        _settle(settings.secrets_path.parent)
    finally:
        draft.unlink(missing_ok=True)
        await database.close()


def _draft(path: Path, data: bytes) -> Path:
    """Write the secrets beside their place, for their owner only."""
    draft = path.with_name(f".{path.name}.restored")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    return draft


def _other_secrets(path: Path, draft: Path) -> bool:
    """Tell if there are secrets already, and not those of the backup."""
    if not path.exists():
        return False
    try:
        return Secrets.load(path).check_value != Secrets.load(draft).check_value
    except SecretsFileError:
        return True


def _aside(path: Path) -> Path:
    """Return where to put a secrets file aside: a name that nothing has, so what an earlier restore put there stays."""
    aside, number = path.with_name(f"{path.name}{BEFORE_RESTORE}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}{BEFORE_RESTORE}-{number}")
    return aside


def _settle(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
