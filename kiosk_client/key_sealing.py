"""The key file sealed under a wrapping secret that is not on the same disk.

Whoever takes the memory card of a terminal has its key file. So the file can be encrypted under a secret that systemd
hands to the service alone, as a credential (systemd.exec(5), ``LoadCredentialEncrypted=``): it lies on the disk only
encrypted to this machine's TPM or host key. The wrapping secret never changes, so that key changes can be written.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crypto.sealing import NotSealedHere, Seal
from kiosk_client.errors import KeyStoreFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CREDENTIAL: Final = "stampgate-kiosk-wrap"
"""The credential's name in the unit file."""

SECRET_BYTES: Final = range(32, 1025)
"""As long as the key it wraps at least; more than a page is some other file."""

_CONTEXT: Final = b"stampgate-kiosk key file"


def wrap_of(environment: Mapping[str, str], randomness: Callable[[int], bytes]) -> Seal | None:
    """The seal under the service's credential, or None when systemd gave none.

    Raises ``KeyStoreFault`` for a credential that cannot be read or is no wrapping secret.
    """
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    path = Path(directory) / CREDENTIAL
    try:
        secret = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise KeyStoreFault(f"The credential {CREDENTIAL} cannot be read: {fault.strerror}") from None
    if len(secret) not in SECRET_BYTES:
        raise KeyStoreFault(f"The credential {CREDENTIAL} is no wrapping secret: it has {len(secret)} bytes, not 32")
    key = hashlib.blake2b(secret, digest_size=32, person=b"stampgate wrap").digest()
    return Seal({1: key}, 1, randomness)


def seal_content(wrap: Seal, content: bytes) -> bytes:
    """The content of a key file, readable only under the same wrapping secret."""
    return wrap.close(content, _CONTEXT)


def open_content(wrap: Seal | None, sealed: bytes, path: Path) -> bytes:
    """What ``seal_content`` sealed. Raises ``KeyStoreFault`` without the credential, or with another one."""
    if wrap is None:
        raise KeyStoreFault(
            f"The key file {path} is sealed, and the credential {CREDENTIAL} that opens it is missing. Run this inside "
            "the service's unit (docs/terminals-pi.md), or enrol anew with --force"
        )
    try:
        return wrap.open(sealed, _CONTEXT)
    except NotSealedHere:
        raise KeyStoreFault(
            f"The key file {path} was sealed with another credential than this {CREDENTIAL}, or it is damaged. Restore "
            "the credential, or enrol anew with --force"
        ) from None
