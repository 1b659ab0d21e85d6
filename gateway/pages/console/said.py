"""The one sentence a page begins with after something was done: named in a cookie, worded here.

What was done is a post; the answer leads on to a page, so that loading it again does nothing twice. Only a name of this
table (and counts) travels, so nobody can make a page say anything else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from gateway.pages.console.marks import N_

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SENTENCES: Final[Mapping[str, str]] = {
    "signed-up": N_("Welcome. Your company is set up; what to do next is below."),
    "joined": N_("Welcome. Your login is set up."),
    "signed-out": N_("You are signed out."),
    "password-reset": N_("The new password is set. Every session was ended: please sign in."),
    "password-changed": N_("The password is changed. Every other session was ended."),
    "confirmed": N_("Password confirmed. For ten minutes you will not be asked again."),
    "session-ended": N_("The session was ended."),
    "sessions-ended": N_("Every other session was ended."),
    "terminal-changed": N_("The terminal is changed."),
    "terminal-approved": N_("The terminal is approved. It becomes the clock by itself."),
    "terminal-denied": N_("The enrolment is denied. The terminal needs a new code."),
    "terminal-suspended": N_("The terminal is suspended. Nobody can stamp there until it is resumed."),
    "terminal-resumed": N_("The terminal is active again."),
    "terminal-revoked": N_("The terminal is revoked. Its key is blocked for ever."),
    "person-added": N_("The person is added."),
    "person-changed": N_("The person is changed."),
    "person-deactivated": N_("The person is deactivated and can no longer sign in or stamp."),
    "person-activated": N_("The person is active again."),
    "slips-fetched": N_("These slips have been fetched already, or were deleted after a day."),
    "imported": N_("Import done. Added: {first}. Changed: {second}."),
    "phone-on": N_("Phone stamping is on."),
    "phone-off": N_("Phone stamping is off."),
    "poster-ended": N_("The poster is dead. Phones cannot stamp until there is a new one."),
    "corrected": N_("The correction is made. What was there before stays and is shown beside it."),
    "unlocked": N_("Unlocked. There is a full new set of tries."),
    "all-unlocked": N_("Unlocked: {first}."),
    "settings-changed": N_("The settings are changed."),
    "invited": N_("The invitation is on its way by mail. It is good for seven days."),
    "invitation-withdrawn": N_("The invitation is withdrawn. Its link is worthless."),
    "invited-without-mail": N_("The invitation is made. Mail is off: the link is in the gateway's log."),
}

_FORM: Final = re.compile(r"([a-z-]{1,40})((?:\.[0-9]{1,9}){0,2})", re.ASCII)


def name_with(name: str, *counts: int) -> str:
    """Return what the cookie holds. Raises `KeyError` for a name that is not in the table."""
    _ = SENTENCES[name]
    return ".".join((name, *map(str, counts)))


def sentence(value: str | None, gettext: Callable[[str], str]) -> str | None:
    """Return the sentence a cookie names, in the language of `gettext`; None for anything that names none."""
    found = _FORM.fullmatch(value or "")
    if found is None or found[1] not in SENTENCES:
        return None
    first, second, *_ = [*str(found[2]).split(".")[1:], "0", "0"]
    return gettext(SENTENCES[found[1]]).format(first=first, second=second)
