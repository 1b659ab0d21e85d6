"""From any error to one line and an exit code: 2 for wrong use, 1 for failure, 130 for Ctrl-C.

The text for people is what the layers below already say for people; whatever nobody expected is named by its type
alone, because a traceback or a driver's message may carry values that belong in no terminal's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typer import Exit, TyperException

if TYPE_CHECKING:
    from gateway.http.problems import Problem

FAILURE: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130


class Refusal(TyperException):
    """Something that cannot be done, in one line."""

    exit_code = FAILURE


class WrongUse(Refusal):
    """Something that was typed wrongly, in one line."""

    exit_code = WRONG_USE


class Finished(Exit):
    """Everything has been said already; only the exit code is left."""


def explain(error: Exception) -> tuple[str, int]:
    """(line for stderr, exit code) of an error that ended a command."""
    if isinstance(error, TyperException):
        return _one_line(error.format_message()), error.exit_code
    # Imported only now: telling a typing error needs neither aiohttp nor SQLAlchemy, a second of loading.
    from crypto.secrets_file import SecretsFileError
    from gateway.administration import NotPrepared
    from gateway.http.problems import Problem
    from gateway.settings import SettingsError
    from storage.errors import StorageError

    match error:
        case Problem():
            return _explain_problem(error)
        case SettingsError():
            return _one_line(str(error)), WRONG_USE
        case NotPrepared() | SecretsFileError() | StorageError():
            return _one_line(str(error)), FAILURE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return _one_line(f"{where}{error.strerror or type(error).__name__}"), FAILURE
        case _:
            return f"unexpected {type(error).__name__}; please report it with the command you typed", FAILURE


def _explain_problem(problem: Problem) -> tuple[str, int]:
    if not problem.errors:
        return _one_line(problem.detail), FAILURE
    faults = "; ".join(f"{fault.field}: {fault.message}" for fault in problem.errors)
    return _one_line(faults), WRONG_USE if problem.status == 400 else FAILURE


def _one_line(text: str) -> str:
    return " ".join(text.split())
