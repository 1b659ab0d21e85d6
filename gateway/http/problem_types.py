"""Every refusal the gateway knows, in one table: what it means and what a client does about it (RFC 9457).

The answers, ``GET /problems/{name}``, the OpenAPI document and the metric labels all read this table, so a refusal
cannot exist in one of them only. The texts never contain what was sent or what would have been right.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Challenge = Literal["signature", "bearer"]


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of refusal.

    ``detail`` is the default text for people, ``client`` what the caller should do. ``retry_after`` (seconds) is set
    for every 429 and 503; ``challenge`` for every 401, whose answer must carry WWW-Authenticate (RFC 9110 §11.6.1).
    """

    name: str
    status: int
    title: str
    detail: str
    client: str
    challenge: Challenge | None = None
    retry_after: int | None = None


GIVES_UP: Final = "Give up: sending it again cannot help. The client or a proxy before the gateway must be put right."
SIGNS_AGAIN: Final = "Sign the request once more with the fresh Replay-Nonce of this answer. Never more than once."
SHOWS_IT: Final = "Show it on the screen and ask IT."
SIGNS_IN: Final = "Sign in again."

_SIGNATURE: Final = (
    ("signature-missing", "Signature missing", "The request carries no signature with the tag this route needs."),
    ("signature-malformed", "Signature malformed", "The signature fields do not follow the published grammar."),
    (
        "covered-components",
        "Wrong covered components",
        "The signature must cover exactly the published components in exactly their order.",
    ),
    (
        "signature-parameters",
        "Wrong signature parameters",
        "The signature must have exactly the published parameters, each of its published form.",
    ),
    ("signature-invalid", "Signature invalid", "The signature does not fit this request and this key."),
    ("content-digest-mismatch", "Content digest mismatch", "Content-Digest does not fit the body as it arrived."),
)

_TABLE: Final = (
    *(ProblemType(name, 401, title, detail, GIVES_UP, "signature") for name, title, detail in _SIGNATURE),
    ProblemType(
        "non-canonical-target",
        400,
        "Request target is not canonical",
        "The request target must be a plain path without percent-encoding, empty or dot segments, or a trailing '?'.",
        GIVES_UP,
    ),
    ProblemType(
        "unknown-authority",
        400,
        "Unknown authority",
        "The Host of the request is none of the names this gateway is known by.",
        "Use the gateway's public address. The gateway's owner may add names by STAMPGATE_EXTRA_AUTHORITIES.",
    ),
    ProblemType(
        "bad-nonce",
        401,
        "Nonce not accepted",
        "The nonce is unknown, has expired, or was given to another key.",
        SIGNS_AGAIN,
        "signature",
    ),
    ProblemType(
        "clock-skew",
        401,
        "Clock differs too much",
        "The signature was not created within 60 seconds of the gateway's time.",
        "Take the gateway's time from server_time, then sign once more with the fresh Replay-Nonce of this answer.",
        "signature",
    ),
    ProblemType(
        "nonce-replayed",
        401,
        "Nonce used before",
        "This nonce has already been used. A nonce is good for one request.",
        "Give up on this request; sign the next one with the fresh Replay-Nonce of this answer.",
        "signature",
    ),
    ProblemType(
        "device-unknown",
        401,
        "Terminal unknown",
        "The gateway knows no terminal with this key.",
        "Enrol this terminal with a new enrolment code.",
        "signature",
    ),
    ProblemType("device-pending", 403, "Terminal not approved yet", "IT has not approved this terminal yet.", SHOWS_IT),
    ProblemType("device-suspended", 403, "Terminal suspended", "IT has suspended this terminal.", SHOWS_IT),
    ProblemType(
        "device-revoked", 403, "Terminal revoked", "This terminal was revoked; its key is blocked for ever.", SHOWS_IT
    ),
    ProblemType(
        "key-expired",
        403,
        "Terminal key expired",
        "The key of this terminal is too old.",
        "Show it and ask IT to replace the terminal's key.",
    ),
    ProblemType(
        "network-not-allowed",
        403,
        "Network not allowed",
        "This terminal may not be used from this network.",
        SHOWS_IT,
    ),
    ProblemType(
        "enrolment-code-invalid",
        400,
        "Enrolment code not valid",
        "The enrolment code is wrong, was used before, or has expired.",
        "Check the code, or ask IT for a new one. A code is valid for 30 minutes and for one terminal.",
    ),
    ProblemType(
        "weak-key", 400, "Key not acceptable", "This public key is not a safe Ed25519 key.", "Make a new key and enrol."
    ),
    ProblemType(
        "key-reused", 400, "Key used before", "This key was enrolled before.", "Make a new key and enrol with it."
    ),
    ProblemType(
        "state-unavailable",
        503,
        "Temporarily unavailable",
        "The gateway cannot reach what it needs to decide this safely.",
        "Wait as long as Retry-After says, then try again. A stamp keeps its stamp_id.",
        retry_after=2,
    ),
    ProblemType(
        "busy",
        503,
        "Busy",
        "Too many people are signing in at this moment.",
        "Wait as long as Retry-After says, then try again.",
        retry_after=1,
    ),
    ProblemType(
        "not-ready",
        503,
        "Not ready",
        "The gateway cannot reach everything it depends on; 'down' names what is missing.",
        "Send no requests here until it is ready again.",
        retry_after=5,
    ),
    ProblemType(
        "login-failed",
        401,
        "Sign-in failed",
        "Personnel number and PIN, or e-mail and password, do not fit together.",
        "Check both and try again. HR can set a new PIN.",
        "bearer",
    ),
    ProblemType(
        "login-throttled",
        429,
        "Too many tries",
        "Too many failed tries. Signing in is paused.",
        "Wait as long as Retry-After says, or ask HR or IT to unlock.",
        retry_after=5,
    ),
    ProblemType(
        "not-signed-in",
        401,
        "Not signed in",
        "This needs somebody signed in with e-mail and password; the session may be over or was ended.",
        SIGNS_IN,
        "bearer",
    ),
    ProblemType("session-expired", 401, "Session over", "The session is over or was ended.", SIGNS_IN, "bearer"),
    ProblemType(
        "confirmation-required",
        403,
        "Password needed again",
        "This act needs a password entered within the last 10 minutes.",
        "Confirm the password, then try again.",
    ),
    ProblemType(
        "registration-closed",
        403,
        "Registration closed",
        "Nobody can register here without an invitation.",
        "Ask the owner of the company for an invitation.",
    ),
    ProblemType(
        "invitation-not-valid",
        400,
        "Invitation not valid",
        "The invitation is wrong, was used before, has expired, or is for another e-mail address.",
        "Check the address, or ask for a new invitation.",
    ),
    ProblemType(
        "reset-not-valid",
        400,
        "Link not valid any more",
        "The link to set a new password is wrong, was used before, or has expired.",
        "Ask for a new link.",
    ),
    ProblemType(
        "link-not-valid",
        404,
        "Link not valid",
        "This poster is out of date, or phone stamping is switched off.",
        "Use the terminal, or scan a current poster.",
    ),
    ProblemType(
        "action-not-valid",
        409,
        "Not possible now",
        "This action is not possible now; 'current_status' says what is true now and which actions are.",
        "Show the current status and offer its actions.",
    ),
    ProblemType(
        "stamp-id-reused",
        409,
        "Stamp id used before",
        "This stamp_id already belongs to another action of this person.",
        "Use a fresh stamp_id for each new stamp.",
    ),
    ProblemType(
        "words-mismatch",
        409,
        "Words do not match",
        "The words are not those on the terminal's screen. Three wrong tries end the enrolment.",
        "Compare with the terminal's screen. If the words differ there, deny the enrolment.",
    ),
    ProblemType(
        "device-state-not-valid",
        409,
        "Not possible in this state",
        "The terminal's state does not allow this.",
        "Read the terminal's state again and choose what it allows.",
    ),
    ProblemType(
        "conflict",
        409,
        "Conflict",
        "This contradicts what is already there.",
        "Read the current state, then decide anew.",
    ),
    ProblemType("not-allowed", 403, "Not allowed", "You may not do this.", "Ask someone whose role allows it."),
    ProblemType(
        "too-many-requests",
        429,
        "Too many requests",
        "Too many tries from this address.",
        "Wait as long as Retry-After says, then try again.",
        retry_after=60,
    ),
    ProblemType(
        "bad-request",
        400,
        "Request not valid",
        "The request is not valid; 'errors' names every fault.",
        "Correct every field that 'errors' names, then send it again.",
    ),
    ProblemType("not-found", 404, "Not found", "There is nothing here.", "Check the address."),
    ProblemType(
        "method-not-allowed",
        405,
        "Method not allowed",
        "This address does not know this method.",
        "Use one of the methods named by Allow.",
    ),
    ProblemType(
        "body-too-large",
        413,
        "Body too large",
        "The body is larger than this route accepts.",
        "Send less.",
    ),
    ProblemType(
        "request-timeout",
        408,
        "Request took too long",
        "The body did not arrive in time.",
        "Send the request again, all of it at once.",
    ),
    ProblemType(
        "unsupported-media-type",
        415,
        "Media type not supported",
        "The body must be application/json in UTF-8, without a content encoding.",
        "Send Content-Type: application/json and no Content-Encoding.",
    ),
    ProblemType(
        "internal-error",
        500,
        "Internal error",
        "Something went wrong inside the gateway. The log names it under this request_id.",
        "Try again later; tell IT the request_id if it stays.",
    ),
)

PROBLEMS: Final[Mapping[str, ProblemType]] = MappingProxyType({kind.name: kind for kind in _TABLE})
"""Every problem by its name, the last segment of its ``type``."""
