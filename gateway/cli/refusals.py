"""From any error to one line and an exit code: 2 for wrong use, 1 for failure, 130 for Ctrl-C.

The text for people is what the layers below already say for people; whatever nobody expected is named by its type
alone, because a traceback or a driver's message may carry values that belong in no terminal's history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typer import BadParameter, Exit, TyperException

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
        return _one_line(_of_the_parser(error) or error.format_message()), error.exit_code
    # Imported only now: telling a typing error needs neither aiohttp nor SQLAlchemy, a second of loading.
    from crypto.secrets_file import SecretsFileError
    from gateway.administration import NotPrepared
    from gateway.http.problems import Problem
    from gateway.in_service import DataDirectoryInUse
    from gateway.settings import SettingsError
    from storage.errors import StorageError

    match error:
        case Problem():
            return _explain_problem(error)
        case SettingsError():
            return _one_line(str(error)), WRONG_USE
        case DataDirectoryInUse() | NotPrepared() | SecretsFileError() | StorageError():
            return _one_line(str(error)), FAILURE
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return _one_line(f"{where}{error.strerror or type(error).__name__}"), FAILURE
        case _:
            return f"unexpected {type(error).__name__}; please report it with the command you typed", FAILURE


def _of_the_parser(error: TyperException) -> str | None:
    """What is wrong with an option's value, in the words of the settings; None for everything else."""
    if error.__cause__ is None or not isinstance(error, BadParameter) or error.param is None:
        return None
    from pydantic import ValidationError

    from gateway.http.field_faults import FieldFault, field_errors

    if not isinstance(error.__cause__, ValidationError):
        return None
    own = [fault.get("ctx", {}).get("error") for fault in error.__cause__.errors(include_url=False)]
    if any(isinstance(cause, ValueError) and not isinstance(cause, FieldFault) for cause in own):
        said = str(own[0])  # the parser's own sentence, such as the list of choices
    else:
        said = field_errors(error.__cause__)[0].message
    return f"{error.param.get_error_hint()} {said}".replace("'", "")


def _explain_problem(problem: Problem) -> tuple[str, int]:
    if not problem.errors:
        return _one_line(problem.detail), FAILURE
    faults = "; ".join(f"{_called(fault.field)}: {fault.message}" for fault in problem.errors)
    return _one_line(faults), WRONG_USE if problem.status == 400 else FAILURE


def _called(field: str) -> str:
    """A member of a request as people call it: `words.4` is word 4, `allowed_networks.0` is allowed networks 1."""
    name, _, place = field.partition(".")
    if place.isdigit():
        return f"word {place}" if name == "words" else f"{name.replace('_', ' ')} {int(place) + 1}"
    return field.replace("_", " ")


def _one_line(text: str) -> str:
    return " ".join(text.split())
