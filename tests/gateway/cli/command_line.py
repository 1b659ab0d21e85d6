"""Runs commands as a shell would: arguments in, exit code and both outputs back; in this process or in another."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from gateway.cli import main
from tests.gateway.cheap_hash import CHEAP_HASH_ENVIRONMENT
from tests.gateway.forked import Forked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """One command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed for scripts."""
        return json.loads(self.out)

    @property
    def items(self) -> list[dict[str, Any]]:
        """The list that was printed for scripts."""
        found: list[dict[str, Any]] = self.json["items"]
        return found


class Shell:
    """A directory and an environment to run commands in."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.data_dir = directory / "data"
        self.environment = {
            "STAMPGATE_DATA_DIR": str(self.data_dir),
            "STAMPGATE_PUBLIC_URL": "https://stamp.example.com",
            **CHEAP_HASH_ENVIRONMENT,
            **settings,
        }

    def run(self, *arguments: str, stdin: str = "", settings: Mapping[str, str | None] | None = None) -> Ran:
        """Run `stampgate` with `arguments` in this process. `settings` are put over the environment."""
        with CliRunner().isolation(input=stdin, env={**self.environment, **(settings or {})}) as (out, err, _):
            code = main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
            return Ran(code, out.getvalue().decode(), err.getvalue().decode())

    def ok(self, *arguments: str, stdin: str = "") -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*arguments, stdin=stdin)
        assert ran.code == 0, ran.err
        return ran

    def refused(self, *arguments: str, code: int = 1, **settings: str | None) -> str:
        """Run a command that must fail with `code`, and return the one line it says."""
        ran = self.run(*arguments, settings=settings)
        assert ran.code == code, (ran.code, ran.out, ran.err)
        assert ran.err.startswith("stampgate: ")
        assert ran.err.count("\n") == 1
        assert "Traceback" not in ran.err
        return ran.err.removeprefix("stampgate: ").strip()

    def fork(
        self, *arguments: str, stdout: Path | None = None, stderr: Path | None = None, terminal: int | None = None
    ) -> Forked:
        """Start `stampgate` as a process of its own."""
        return Forked(
            arguments, environment=self.process_environment(), stdout=stdout, stderr=stderr, terminal=terminal
        )

    def process_environment(self) -> Mapping[str, str]:
        """The environment of a process of its own."""
        return os.environ | self.environment
