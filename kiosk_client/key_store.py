"""The device key on disk, and what it is enrolled for.

One file, ``key.json``, mode 0600 in a directory of mode 0700. It is written beside its place and moved there in one
step, so a power cut leaves the old file or the new one. A new key is *linked* into place: two enrolments started at
once agree on one key. A file that others may read is refused, not repaired: whoever could read it may have its key.
Where there is a wrapping secret (``key_sealing``) whatever is written is sealed under it; a file from before is read
all the same, and sealed by the next start of the clock or by ``stampgate-kiosk seal``.
"""

from __future__ import annotations

import base64
import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from crypto.device_keys import DeviceKey
from kiosk_client.errors import KeyStoreFault
from kiosk_client.key_sealing import open_content, seal_content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crypto.sealing import Seal

FILE_NAME = "key.json"
PREVIOUS_NAME = "key.previous.json"
OTHERS = 0o077

State = Literal["new", "pending", "active"]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A device key and its enrolment.

    ``state``: ``new`` until the gateway's answer to the enrolment arrived, ``pending`` until IT approved, ``active``.
    ``code`` is kept only while ``new``, so that a lost answer can be asked for again.
    """

    url: str
    key: DeviceKey
    created_at: float
    state: State = "new"
    code: str | None = field(default=None, repr=False)
    device_id: str | None = None
    enrolment_id: str | None = None
    gateway_keyid: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False


class _KeyFile(BaseModel):
    """The file's content, version 1."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[1] = 1
    url: str
    seed: str
    keyid: str
    created_at: float
    state: State
    code: str | None = None
    device_id: str | None = None
    enrolment_id: str | None = None
    gateway_keyid: str | None = None
    ca_file: str | None = None
    insecure_http: bool = False


class _SealedFile(BaseModel):
    """The same, sealed: version 2."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    version: Literal[2] = 2
    sealed: str


def _to_file(stored: StoredKey, wrap: Seal | None) -> bytes:
    content = _KeyFile(
        url=stored.url,
        seed=base64.urlsafe_b64encode(stored.key.seed).rstrip(b"=").decode(),
        keyid=stored.key.keyid,
        created_at=stored.created_at,
        state=stored.state,
        code=stored.code,
        device_id=stored.device_id,
        enrolment_id=stored.enrolment_id,
        gateway_keyid=stored.gateway_keyid,
        ca_file=stored.ca_file,
        insecure_http=stored.insecure_http,
    )
    plain = content.model_dump_json(indent=2, exclude_none=True).encode() + b"\n"
    if wrap is None:
        return plain
    sealed = base64.urlsafe_b64encode(seal_content(wrap, plain)).decode()
    return _SealedFile(sealed=sealed).model_dump_json(indent=2).encode() + b"\n"


def _sealed_in(content: bytes) -> bytes | None:
    """The sealed bytes of a file of version 2; None for any other."""
    try:
        return base64.urlsafe_b64decode(_SealedFile.model_validate_json(content).sealed)
    except (ValidationError, ValueError):
        return None


def _from_file(content: bytes, path: Path, wrap: Seal | None) -> StoredKey:
    damaged = KeyStoreFault(f"The key file {path} is damaged; restore it, or enrol anew with --force")
    sealed = _sealed_in(content)
    if sealed is not None:
        content = open_content(wrap, sealed, path)
    try:
        read = _KeyFile.model_validate_json(content)
        seed = base64.b64decode(read.seed + "=" * (-len(read.seed) % 4), altchars=b"-_", validate=True)
    except (ValidationError, ValueError):
        raise damaged from None
    if len(seed) != 32:
        raise damaged
    key = DeviceKey.from_seed(seed)
    if key.keyid != read.keyid:
        raise damaged
    return StoredKey(
        url=read.url,
        key=key,
        created_at=read.created_at,
        state=read.state,
        code=read.code,
        device_id=read.device_id,
        enrolment_id=read.enrolment_id,
        gateway_keyid=read.gateway_keyid,
        ca_file=read.ca_file,
        insecure_http=read.insecure_http,
    )


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Operating system faults as one line; never the file's content."""
    try:
        yield
    except OSError as fault:
        raise KeyStoreFault(f"{path}: {fault.strerror}") from None


class KeyStore:
    """The one key of a state directory. ``wrap``: what it is sealed under, if anything."""

    def __init__(self, directory: Path, wrap: Seal | None = None) -> None:
        self.directory = directory
        self.wrap = wrap
        self.path = directory / FILE_NAME
        self.previous_path = directory / PREVIOUS_NAME

    def load(self) -> StoredKey | None:
        """The stored key, or None when there is none. Raises ``KeyStoreFault`` for an unsafe or damaged file."""
        content = self._read()
        return None if content is None else _from_file(content, self.path, self.wrap)

    def sealed(self) -> bool | None:
        """Whether the key file is sealed; None when there is none."""
        content = self._read()
        return None if content is None else _sealed_in(content) is not None

    def seal(self) -> bool:
        """Seal a file from before there was a wrapping secret; False when there is nothing to do."""
        if self.wrap is None or self.sealed() is not False:
            return False
        stored = self.load()
        if stored is None:
            return False
        self.save(stored)
        return True

    def _read(self) -> bytes | None:
        with _told(self.path):
            try:
                handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    raise KeyStoreFault(f"The key file {self.path} is not a regular file")
                if stat.S_IMODE(found.st_mode) & OTHERS:
                    raise KeyStoreFault(
                        f"The key file {self.path} may be read by others (mode {stat.S_IMODE(found.st_mode):04o}). "
                        f"If nobody did: chmod 600 {self.path}. Else enrol anew with --force"
                    )
                return file.read()

    def create(self, stored: StoredKey) -> StoredKey:
        """Store a new key if there is none; returns what is stored then, which may be another process's key."""
        self.prepare()
        with _told(self.path):
            written = self._write_beside(stored)
            try:
                os.link(written, self.path)
            except FileExistsError:
                existing = self.load()
                if existing is not None:
                    return existing
                raise
            finally:
                written.unlink(missing_ok=True)
            self._sync_directory()
        return stored

    def save(self, stored: StoredKey) -> None:
        """Replace what is stored about the same key; raises ``KeyStoreFault`` when the key itself is another."""
        current = self.load()
        if current is None or current.key.keyid != stored.key.keyid:
            raise KeyStoreFault(f"The key file {self.path} was changed by another process; run the command again")
        with _told(self.path):
            written = self._write_beside(stored)
            written.replace(self.path)
            self._sync_directory()

    def remove(self) -> None:
        """Throw a key away that was never enrolled."""
        with _told(self.path):
            self.path.unlink(missing_ok=True)

    def set_aside(self) -> bool:
        """Move the key file to ``key.previous.json``, whatever is in it; False when there is none."""
        with _told(self.path):
            try:
                self.path.replace(self.previous_path)
            except FileNotFoundError:
                return False
            self.previous_path.chmod(0o600)
            self._sync_directory()
        return True

    def restore(self) -> bool:
        """Bring back the key that was set aside, in place of a new one that the gateway refused."""
        with _told(self.path):
            try:
                self.previous_path.replace(self.path)
            except FileNotFoundError:
                return False
            self._sync_directory()
        return True

    def forget_previous(self) -> None:
        """Throw away the key that was set aside: the new one is approved."""
        with _told(self.previous_path):
            self.previous_path.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Make the directory if it is missing. Raises ``KeyStoreFault`` when others may write into it."""
        with _told(self.directory):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = stat.S_IMODE(self.directory.stat().st_mode)
        if mode & 0o022:
            raise KeyStoreFault(
                f"The directory {self.directory} may be written by others (mode {mode:04o}): chmod 700 {self.directory}"
            )

    def _write_beside(self, stored: StoredKey) -> Path:
        """The content in a file of its own, mode 0600 from its first moment, on the disk when this returns."""
        beside = self.directory / f".{FILE_NAME}.{os.getpid()}.{os.urandom(4).hex()}"
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_to_file(stored, self.wrap))
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return beside

    def _sync_directory(self) -> None:
        handle = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
