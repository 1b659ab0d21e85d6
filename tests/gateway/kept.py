"""Data directories that many tests begin with: made once in each test process, and copied from then on.

What is kept are the secrets and the SQLite file of a gateway that has ended. Each test works on a copy of its own.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")


class Kept(Generic[T]):
    """A data directory as `make` filled it, and what `make` told of it."""

    def __init__(self, make: Callable[[Path], AbstractAsyncContextManager[T]]) -> None:
        self._make = make
        self._files: dict[str, bytes] = {}
        self._told: list[T] = []

    async def put(self, directory: Path) -> T:
        """Make `directory` as the first one was left; return what was told of it."""
        if not self._told:
            with tempfile.TemporaryDirectory(prefix="stampgate-kept-") as elsewhere:
                first = Path(elsewhere) / "data"
                async with self._make(first) as told:
                    pass
                self._files = {file.name: file.read_bytes() for file in first.iterdir()}
            self._told.append(told)
        copy_to(directory, self._files)
        return self._told[0]


def copy_to(directory: Path, files: dict[str, bytes]) -> None:
    """Write the files of a data directory, readable for the owner alone as the gateway makes them."""
    directory.mkdir(mode=0o700, parents=True)
    for name, content in files.items():
        file = directory / name
        file.touch(mode=0o600)
        file.write_bytes(content)


def is_new(directory: Path, options: dict[str, object]) -> bool:
    """Whether a gateway with these options would make its SQLite file in `directory`."""
    return not directory.exists() and "database_url" not in options
