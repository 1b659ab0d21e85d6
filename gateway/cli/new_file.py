"""Files that commands make: for their owner only, and never over another."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from gateway.cli.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Make `path` with mode 0600 for what is written within the block, on disk at its end; one left empty is removed.

    It is made at the beginning: whatever forbids it is found before anything is changed that the file is to tell.
    Raises Refusal when there is something of that name, and OSError.
    """
    try:
        # A link, even a dangling one, is something of that name too.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Refusal(f"{path}: exists already, and nothing is overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
            file.flush()
            os.fsync(descriptor)
        finally:
            if file.tell() == 0:
                path.unlink(missing_ok=True)
