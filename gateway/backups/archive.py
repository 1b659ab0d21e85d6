"""The file of a backup: a ZIP with the secrets, JSON lines for each table, and a manifest that vouches for all.

Whoever has it has everything, as somebody has who copies the database and the secrets file together.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
SECRETS: Final = "secrets.json"
MAX_SMALL_BYTES: Final = 1 << 20
"""Of the manifest and the secrets."""

_TABLES: Final = "tables/"
_LINES: Final = ".jsonl"
_CHUNK_BYTES: Final = 1 << 16


class BackupRefused(Exception):
    """A backup that cannot be made or restored; one line that says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself. `check_value` tells to which secrets its database belongs (hexadecimal)."""

    product: str
    made_at: str
    database: str
    revision: str
    check_value: str
    members: dict[str, str]
    """SHA-256 of each file of the backup."""
    rows: dict[str, int]


class ArchiveWriter:
    """Writes a backup into a file that is open; complete only after `finish`."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self.members: dict[str, str] = {}
        self.rows: dict[str, int] = {}

    def secrets(self, data: bytes) -> None:
        """Put the secrets file in."""
        with self._member(SECRETS) as write:
            write(data)

    @contextmanager
    def table(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Give what takes the lines of a table."""
        self.rows[name] = -1  # the first line names the columns

        def write(line: bytes) -> None:
            self.rows[name] += 1
            put(line)

        with self._member(f"{_TABLES}{name}{_LINES}") as put:
            yield write

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest and close."""
        content: dict[str, Any] = {"format": FORMAT, **asdict(manifest)}
        content["checksum"] = _checksum(content)
        self._zip.writestr(MANIFEST, json.dumps(content, indent=2))
        self._zip.close()

    @contextmanager
    def _member(self, name: str) -> Iterator[Callable[[bytes], object]]:
        digest = hashlib.sha256()

        def write(data: bytes) -> None:
            digest.update(data)
            file.write(data)

        with self._zip.open(name, "w", force_zip64=True) as file:
            yield write
        self.members[name] = digest.hexdigest()


class ArchiveReader:
    """A backup that was read through once and is whole."""

    def __init__(self, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self._zip = archive
        self.manifest = manifest

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator[Self]:
        """Open the backup at `path` and check every byte. Raises `BackupRefused`, and `OSError`."""
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile:
            raise BackupRefused(f"{path} is no backup, or only a part of one") from None
        with archive:
            try:
                yield cls(archive, _checked(archive, path))
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError):
                raise BackupRefused(f"{path} is damaged: use another backup") from None

    def secrets(self) -> bytes:
        """Return the secrets file."""
        return self._zip.read(SECRETS)

    def tables(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Give each table's name and lines."""
        for name in self._zip.namelist():
            if name.startswith(_TABLES):
                yield name.removeprefix(_TABLES).removesuffix(_LINES), self._lines(name)

    def _lines(self, name: str) -> Iterator[bytes]:
        with self._zip.open(name) as file:
            yield from file


def _checked(archive: zipfile.ZipFile, path: Path) -> Manifest:
    damaged = BackupRefused(f"{path} is damaged: use another backup")
    names = archive.namelist()
    if names.count(MANIFEST) != 1 or archive.getinfo(MANIFEST).file_size > MAX_SMALL_BYTES:
        raise BackupRefused(f"{path} is no backup, or only a part of one")
    try:
        content = json.loads(archive.read(MANIFEST))
        if content["format"] != FORMAT:
            raise BackupRefused(f"{path} was made by a newer version: restore it with that one")
        checksum = content.pop("checksum")
        if checksum != _checksum(content):
            raise damaged
        content.pop("format")
        if not all(isinstance(content[name], dict) for name in ("members", "rows")):
            raise damaged
        manifest = Manifest(**content)
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError):  # the last: it is encrypted
        raise damaged from None
    if sorted(names) != sorted([MANIFEST, *manifest.members]) or SECRETS not in manifest.members:
        raise damaged
    if archive.getinfo(SECRETS).file_size > MAX_SMALL_BYTES:
        raise damaged
    for name, wanted in manifest.members.items():
        with archive.open(name) as file:
            if _digest(file) != wanted:
                raise damaged
    return manifest


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _checksum(content: dict[str, Any]) -> str:
    """Return a checksum against slips of disks and transfers; whoever can write the file can also write this."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
