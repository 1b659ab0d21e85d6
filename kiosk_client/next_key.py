"""The next key on disk, from before it is offered until the gateway has answered a request of it.

It lies beside the present one, in a file of the same kind, and takes its place in one step: at any moment one of the
two is a key the gateway accepts, whatever happened to the power or to an answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING

from kiosk_client.errors import KeyStoreFault
from kiosk_client.key_store import KeyStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEXT_NAME = "key.next.json"
LOCK_NAME = ".key.lock"

IN_USE = (
    "Another stampgate-kiosk works with the key in {}. The clock changes it by itself; to do it now, end the clock "
    "first"
)


class NextKey(KeyStore):
    """The key that is to follow the one of a key store, in the same directory."""

    def __init__(self, store: KeyStore) -> None:
        super().__init__(store.directory, store.wrap)
        self.path = store.directory / NEXT_NAME
        self._present = store

    def take_over(self) -> None:
        """Put the next key in the place of the present one, which is gone then. Raises ``KeyStoreFault``."""
        try:
            self.path.replace(self._present.path)
            self._sync_directory()
        except OSError as fault:
            raise KeyStoreFault(f"{self.path}: {fault.strerror}") from None


@contextlib.contextmanager
def sole_user(directory: Path, *, patience: float = 0.0) -> Iterator[None]:
    """Be the only process that may change the key of a state directory, for the length of the block.

    A process that goes on signing with a key that another one has changed would look like a copy of the terminal.
    Waits up to ``patience`` seconds for another's turn to end; raises ``KeyStoreFault`` then.
    """
    try:
        handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise KeyStoreFault(f"{directory}: {fault.strerror}") from None
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() >= deadline:
                    raise KeyStoreFault(IN_USE.format(directory)) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def short_use(store: KeyStore) -> Iterator[bool]:
    """Use the key for some seconds, alone or beside a running clock; True when alone, so that ``settle`` may be asked.

    Raises ``KeyStoreFault`` while another process is in the middle of a key change.
    """
    with contextlib.ExitStack() as turn:
        try:
            turn.enter_context(sole_user(store.directory))
        except KeyStoreFault:
            if NextKey(store).load() is not None:
                raise KeyStoreFault("The key is being changed; please try again in a moment") from None
            yield False
        else:
            yield True
