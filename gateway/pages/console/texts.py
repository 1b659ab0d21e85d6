"""What the services say to people, in the language of the page.

Services and models speak English, because the interface does. Each of their sentences that can stand on a page is here,
as a pattern where it holds a number or a name; the catalogues translate these. One that is not here is shown as it is:
in the wrong language rather than not at all, and a test looks for those.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from gateway.pages.console.dates import length
from gateway.pages.console.marks import N_

if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH_LIMIT: Final = 1000
"""Characters; no sentence of ours is as long, and a longer one is not worth the loop's time."""

VALUE_LIMIT: Final = 300
"""Characters of a name or number inside a sentence. Some of it people choose, and two values of any length in one
pattern could be divided in as many ways as their lengths multiplied."""

FIELD_TEXTS: Final = (
    N_("is required"),
    N_("must not be empty"),
    N_("must be text"),
    N_("is not valid"),
    N_("must have at most {count} characters"),
    N_("must be {count} characters or fewer"),
    N_("must have at least {count} characters"),
    N_("must have at most {count} entries"),
    N_("must be one of {values}"),
    N_("must be one of: {values}"),
    N_("must not contain control characters"),
    N_("must not contain characters that turn the writing direction"),
    N_("must be 1 to 12 digits"),
    N_("must be an e-mail address"),
    N_("must be a UUID"),
    N_("must be a complete token"),
    N_("must be a time such as 2026-01-31T08:00:00Z"),
    N_("must be a time with its zone, such as 2026-01-31T08:00:00Z"),
    N_("must be a date such as 2026-01-31"),
    N_("must not be before the first day"),
    N_("must be a date and a time"),
    N_("does not exist: the clocks were put forward then"),
    N_("must be chosen: the clocks were put back then, so this time came twice"),
    N_("must be a next_cursor of this list"),
    N_("must not be in the future"),
    N_("must not be ten years ago or more"),
    N_("is no stamp of this person"),
    N_("belongs to somebody already"),
    N_("is needed, unless there is an e-mail"),
    N_("is needed for this role, which is of use only with a login"),
    N_("is another than this person has already"),
    N_("is not the name of an event"),
    N_("must be a time zone such as Europe/Berlin"),
    N_("must be an address or a network like 192.168.10.0/24"),
    N_("has bits set behind its prefix: 192.168.10.7/24 must be written 192.168.10.0/24, or 192.168.10.7 alone"),
    N_("must be the words {values}"),
    N_("is no word that a terminal shows: look at its screen again"),
    N_("does not match the first one"),
    N_("A password has at least {count} characters."),
    N_("A password has at most {count} characters."),
    N_("This password is one of those tried first."),
    N_("A password must not be the e-mail address or its first part."),
)
"""Faults of single fields; they follow the field's label."""

LINE_TEXTS: Final = (
    N_("is not UTF-8: save the file as CSV UTF-8"),
    N_("is too much: a file may have {count} people"),
    N_("has quotation marks that do not match"),
    N_("is the last line: the file names nobody"),
    N_("the e-mail belongs to personnel number {number} already"),
    N_("the e-mail belongs to somebody else already"),
    N_("{name} is {role}: change them one by one"),
    N_("the column {name} is unknown"),
    N_("the column {name} is there twice"),
    N_("the heading lacks {values}"),
    N_("has more cells than the heading's {count}"),
    N_("the name is missing"),
    N_("neither personnel number nor e-mail is given"),
    N_("the name must not be empty"),
    N_("the name must be {count} characters or fewer"),
    N_("the name must not contain control characters"),
    N_("the name must not contain characters that turn the writing direction"),
    N_("the personnel number must be 1 to 12 digits"),
    N_("the e-mail must be an e-mail address"),
    N_("the personnel number {number} is on line {line} already"),
    N_("the e-mail {address} is on line {line} already"),
)
"""Faults of lines of a file that is imported."""

PROBLEM_TEXTS: Final = (
    N_("E-mail and password do not fit together."),
    N_("Too many failed tries. Please wait {time}, or ask for a new password."),
    N_("Too many people are signing in at this moment. Please try again."),
    N_("Nobody can register here without an invitation."),
    N_("The invitation is wrong, was used before, has expired, or is for another e-mail address."),
    N_("The link to set a new password is wrong, was used before, or has expired."),
    N_("Too many tries from this address. Please try again later."),
    N_("The gateway cannot reach what it needs to decide this safely. Please try again."),
    N_("This contradicts what is already there."),
    N_("Please correct the marked fields."),
    N_("You may not do this."),
    N_("There is nothing here."),
    N_("There is no such person."),
    N_("There is no such terminal."),
    N_("There is no such lock, or it is over."),
    N_("There is no such session."),
    N_("There is no such stamp."),
    N_("There is no such event."),
    N_("There is no such invitation, or it was accepted."),
    N_("The limit of wrong tries in a year is reached: only a new PIN ends this lock."),
    N_("This is the last active owner of the company, who stays."),
    N_("The personnel number was changed at the same moment: try again."),
    N_("Without a personnel number nobody can sign in with a PIN: give one first."),
    N_("Somebody changed these people at the same moment: try again."),
    N_("This is corrected already: correct the correction."),
    N_("Exactly this is there already."),
    N_("This is not the token of the current link."),
    N_("That is not what the terminal shows. {count} tries are left."),
    N_("That is not what the terminal shows. 1 try is left."),
    N_("That is not what the terminal shows. The enrolment is denied: it needs a new code."),
    N_("The terminal's state does not allow this any more: somebody else was faster. Look at it again."),
    N_("The file is too large."),
    N_("The request is not valid."),
    N_("The request took too long."),
    N_("Something went wrong inside the gateway. The log names it under the number below."),
    N_("This came from another page than ours, so nothing was done. Open the console anew and try again."),
)
"""Refusals as a whole."""

_BY_NAME: Final = {
    "login-failed": "E-mail and password do not fit together.",
    "busy": "Too many people are signing in at this moment. Please try again.",
    "too-many-requests": "Too many tries from this address. Please try again later.",
    "state-unavailable": "The gateway cannot reach what it needs to decide this safely. Please try again.",
    "device-state-not-valid": (
        "The terminal's state does not allow this any more: somebody else was faster. Look at it again."
    ),
    "bad-request": "The request is not valid.",
    "unsupported-media-type": "The request is not valid.",
    "body-too-large": "The file is too large.",
    "request-timeout": "The request took too long.",
    "internal-error": "Something went wrong inside the gateway. The log names it under the number below.",
}
"""Problems whose general sentence fits a page better than the interface's own, which speaks to programs."""


def problem_text(name: str, detail: str, retry_after: int | None, gettext: Callable[[str], str]) -> str:
    """Return what a page says about a refusal. `retry_after` in seconds."""
    if name == "login-throttled":
        text = gettext("Too many failed tries. Please wait {time}, or ask for a new password.")
        return text.format(time=length(max(1, -(-(retry_after or 60) // 60)), gettext))
    return translated(_BY_NAME.get(name, detail), gettext)


def fault_text(message: str, gettext: Callable[[str], str]) -> str:
    """Return the fault of a field or line as a sentence of its own."""
    text = translated(message, gettext)
    sentence = text[:1].upper() + text[1:]
    return sentence if sentence.endswith((".", "!")) else f"{sentence}."


def translated(text: str, gettext: Callable[[str], str]) -> str:
    """Return what a service says in the language of `gettext`."""
    if len(text) > LENGTH_LIMIT:
        return text
    told: list[str] = []
    rest = text
    while (whole := _known(rest, gettext)) is None:
        first, stop, after = rest.partition(". ")  # several rules of a password broken at once
        if not stop:
            return " ".join([*told, rest])
        told.append(_known(f"{first}.", gettext) or f"{first}.")
        rest = after
    return " ".join([*told, whole])


def _known(text: str, gettext: Callable[[str], str]) -> str | None:
    """Return a single sentence of the services in another language; None for one that is not theirs."""
    for template, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return gettext(template).format(**found.groupdict())
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    known = (*FIELD_TEXTS, *LINE_TEXTS, *PROBLEM_TEXTS)
    # Whole sentences first: a pattern could take one of them for its own.
    return tuple((text, _pattern(text)) for text in sorted(known, key=lambda text: "{" in text))


def _pattern(template: str) -> re.Pattern[str]:
    """Return what a template can have become."""
    parts = re.split(r"\{([a-z]+)\}", template)
    literal, named = map(re.escape, parts[::2]), (f"(?P<{name}>.{{1,{VALUE_LIMIT}}})" for name in parts[1::2])
    return re.compile("".join(text for pair in zip(literal, (*named, ""), strict=True) for text in pair), re.DOTALL)
