"""The one file that holds what the database must not: versioned master keys and the gateway's own key.

Whoever has the database and this file has everything; whoever has only one of them has no PIN and no session. Keys for
a purpose are derived from the master keys by name (HKDF-SHA256, RFC 5869), so a new purpose never changes the file.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto import base64url
from crypto.device_keys import SEED_BYTES, DeviceKey
from crypto.errors import CryptoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

MASTER_KEY_BYTES: Final = 32
MAX_VERSION: Final = 255
"""A version is one byte in every nonce."""

_FORMAT = 1
_MAX_FILE_BYTES = 64 * 1024
_CHECK_INFO = b"stampgate secrets check v1"
_MEMBERS = frozenset({"format", "current_version", "master_keys", "gateway_key", "checksum"})


class SecretsFileError(CryptoError):
    """The secrets file cannot be used. One line that names the file and what to do, never its contents."""


class Secrets:
    """What the secrets file holds."""

    __slots__ = ("_master_keys", "current_version", "gateway_key")

    current_version: int
    gateway_key: DeviceKey

    def __init__(self, master_keys: Mapping[int, bytes], current_version: int, gateway_key: DeviceKey) -> None:
        self._master_keys = dict(master_keys)
        self.current_version = current_version
        self.gateway_key = gateway_key

    @classmethod
    def generate(cls, randomness: Callable[[int], bytes]) -> Self:
        """Make new secrets: one master key of version 1 and a gateway key."""
        return cls({1: randomness(MASTER_KEY_BYTES)}, 1, DeviceKey.generate(randomness))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return the secrets in the file at `path`.

        Raises:
            SecretsFileError: it is missing, readable for others, or not what was once written.
        """
        return cls._decode(_read_private(path), path)

    @classmethod
    def load_or_create(cls, path: Path, randomness: Callable[[int], bytes]) -> Self:
        """Return the secrets at `path`; on the first start make them, readable for the owner only.

        The file appears complete or not at all, and of two first starts at once one wins and both use its secrets.

        Raises:
            SecretsFileError: see `load`, or the file cannot be written.
        """
        try:
            if not path.exists():
                _create(path, cls.generate(randomness)._encode(), randomness)
        except OSError as error:
            raise SecretsFileError(f"cannot write {path}: {error.strerror}") from None
        return cls.load(path)

    def purpose_keys(self, name: str) -> dict[int, bytes]:
        """Return the keys of 32 bytes for the purpose `name`, one for each version of the master key."""
        return {version: _derive(key, name.encode()) for version, key in self._master_keys.items()}

    @property
    def check_value(self) -> bytes:
        """32 bytes that tell these secrets from any others and give nothing away; new versions leave it unchanged."""
        oldest = self._master_keys[min(self._master_keys)]
        return _derive(oldest + self.gateway_key.seed, _CHECK_INFO)

    def _encode(self) -> bytes:
        content: dict[str, Any] = {
            "format": _FORMAT,
            "current_version": self.current_version,
            "master_keys": {str(version): base64url.encode(key) for version, key in self._master_keys.items()},
            "gateway_key": base64url.encode(self.gateway_key.seed),
        }
        content["checksum"] = _checksum(content)
        return json.dumps(content, indent=2).encode() + b"\n"

    @classmethod
    def _decode(cls, data: bytes, path: Path) -> Self:
        damaged = SecretsFileError(f"{path} is damaged: restore it from a backup")
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            raise damaged from None
        if not isinstance(content, dict) or content.get("format", _FORMAT) != _FORMAT:
            raise SecretsFileError(f"{path} is not a secrets file that this version can read")
        if content.keys() != _MEMBERS or content.pop("checksum") != _checksum(content):
            raise damaged
        try:
            master_keys = {
                int(version): base64url.decode(key, MASTER_KEY_BYTES) for version, key in content["master_keys"].items()
            }
            gateway_key = DeviceKey.from_seed(base64url.decode(content["gateway_key"], SEED_BYTES))
        except (CryptoError, ValueError, TypeError, AttributeError):
            raise damaged from None
        current = content["current_version"]
        if type(current) is not int or current not in master_keys:
            raise damaged
        if not all(1 <= version <= MAX_VERSION for version in master_keys):
            raise damaged
        return cls(master_keys, current, gateway_key)

    def __repr__(self) -> str:
        return f"Secrets(versions={sorted(self._master_keys)}, gateway_key={self.gateway_key!r})"


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key)


def _checksum(content: Mapping[str, object]) -> str:
    """Return a checksum against slips of an editor or a disk; whoever can write the file can also write this."""
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _read_private(path: Path) -> bytes:
    try:
        # Not blocking: somebody may have put a pipe in its place.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # Asked of the open file, so that nothing can be exchanged between the question and the reading.
            _require_private(os.fstat(descriptor).st_mode, path)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(_MAX_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SecretsFileError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MAX_FILE_BYTES:
        raise SecretsFileError(f"{path} is not a secrets file: it is too long")
    return data


def _require_private(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise SecretsFileError(f"{path} is not a file")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SecretsFileError(f"{path} is open to other users: run chmod 600 on it")


def _create(path: Path, data: bytes, randomness: Callable[[int], bytes]) -> None:
    """Put a complete file at `path` unless there is one already."""
    draft = path.with_name(f".{path.name}.{randomness(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a rename would replace: the first one stays.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
