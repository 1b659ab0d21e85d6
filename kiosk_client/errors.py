"""One family of errors, each with the name of its problem and a text for people.

``problem`` is the protocol's name (RFC 9457 ``type``) where the gateway refused, else a name of our own for what went
wrong on this side. ``message`` says what is wrong and what to do; it never holds a PIN, token, code or key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiosk_client.wording import ENGLISH, Wording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, tzinfo

    from kiosk_client.answers import Status


class KioskError(Exception):
    """Root of the family."""

    exit_code = 1
    problem = "failed"

    def __init__(
        self,
        cause: str = "",
        *,
        problem: str | None = None,
        retry_after: float | None = None,
        retry_at: datetime | None = None,
        maybe_processed: bool = False,
    ) -> None:
        """``cause`` is a detail behind the text; ``retry_after`` seconds; ``retry_at`` the same as a time.

        The time is told in its own zone: the machine's, or the company's where that is known.
        """
        super().__init__(cause)
        self.cause = cause
        self.problem = problem or type(self).problem
        self.retry_after = retry_after
        self.retry_at = retry_at
        self.maybe_processed = maybe_processed
        """Whether this request, or an earlier attempt of it whose answer was lost, may have been processed."""

    @property
    def message(self) -> str:
        """What is wrong and what to do, in English, on one line."""
        return self.told(ENGLISH)

    def told(self, wording: Wording, zone: tzinfo | None = None) -> str:
        """The same in the language of ``wording``, times in ``zone`` (left out: in the one that they have)."""
        retry_at = self.retry_at
        if retry_at is not None and zone is not None:
            retry_at = retry_at.astimezone(zone)
        return wording.fault(self.problem, self.cause, retry_at, self.retry_after)

    def __str__(self) -> str:
        return self.message


class WrongUse(KioskError):
    """The command was called wrongly."""

    exit_code = 2
    problem = "wrong-use"


class InsecureAddress(WrongUse):
    """Plain HTTP to another machine was not allowed expressly: PINs would travel in clear."""

    problem = "insecure-http"


class KeyStoreFault(KioskError):
    """The key file cannot be used: unsafe mode, damaged, not writable."""

    problem = "key-store"


class NotEnrolled(KioskError):
    """This terminal has no key, or its enrolment is not finished (``NotApproved``)."""

    exit_code = 3
    problem = "not-enrolled"


class NotApproved(NotEnrolled):
    """The enrolment has begun, and nobody here has heard yet that IT has approved it."""

    problem = "not-approved"


class AlreadyEnrolled(KioskError):
    """An enrolled key is never overwritten without being told to."""

    problem = "already-enrolled"


class EnrolmentEnded(KioskError):
    """The gateway no longer knows the pending enrolment: denied, or not approved within 30 min."""

    problem = "enrolment-ended"


class GatewayUnreachable(KioskError):
    """No answer; ``maybe_processed`` when the request may have arrived all the same."""

    exit_code = 4
    problem = "unreachable"


class CertificateRefused(KioskError):
    """The gateway's TLS certificate is not one this terminal trusts."""

    problem = "certificate"


class TlsMissing(KioskError):
    """What answers at an https address does not speak TLS."""

    problem = "tls-missing"


class UnexpectedAnswer(KioskError):
    """Something answered, but not as the protocol says: a proxy, a portal, another program."""

    problem = "unexpected-answer"


class GatewayChanged(KioskError):
    """The gateway's key is not the one pinned at enrolment."""

    problem = "gateway-changed"


class StampUncertain(KioskError):
    """The answer to a stamp was lost and it could not be repeated; the same ``stamp_id`` may be sent again."""

    problem = "stamp-uncertain"

    def __init__(self, stamp_id: str, cause: str = "") -> None:
        super().__init__(cause)
        self.stamp_id = stamp_id


class GatewayRefused(KioskError):
    """The gateway answered with a problem document."""

    def __init__(
        self,
        problem: str,
        *,
        status: int,
        cause: str = "",
        retry_after: float | None = None,
        retry_at: datetime | None = None,
        members: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(cause, problem=problem, retry_after=retry_after, retry_at=retry_at)
        self.status = status
        self.members: Mapping[str, object] = members or {}
        self.maybe_processed = status >= 500 and status != 503


class GatewayBusy(GatewayRefused):
    """503: come back after ``retry_after``; nothing was done."""

    exit_code = 4


class LoginFailed(GatewayRefused):
    """Wrong number or PIN, or the person is disabled: the gateway tells nobody which."""


class LoginThrottled(GatewayRefused):
    """Too many wrong tries; ``retry_at`` says until when."""


class SessionEnded(GatewayRefused):
    """The employee's session is over; sign in again."""


class DeviceRefused(GatewayRefused):
    """The terminal itself is not (or no longer) allowed."""

    exit_code = 5


class ActionNotValid(GatewayRefused):
    """The action does not fit the person's state; ``current`` is that state where the gateway told it."""

    def __init__(self, refused: GatewayRefused, current: Status | None) -> None:
        super().__init__(refused.problem, status=refused.status, cause=refused.cause, members=refused.members)
        self.current = current


_KINDS: Mapping[str, type[GatewayRefused]] = {
    "login-failed": LoginFailed,
    "login-throttled": LoginThrottled,
    "session-expired": SessionEnded,
    "device-unknown": DeviceRefused,
    "device-pending": DeviceRefused,
    "device-suspended": DeviceRefused,
    "device-revoked": DeviceRefused,
    "key-expired": DeviceRefused,
    "network-not-allowed": DeviceRefused,
}


def refusal(
    problem: str,
    *,
    status: int,
    cause: str = "",
    retry_after: float | None = None,
    retry_at: datetime | None = None,
    members: Mapping[str, object] | None = None,
) -> GatewayRefused:
    """The typed error of one problem document."""
    kind = _KINDS.get(problem, GatewayBusy if status == 503 else GatewayRefused)
    return kind(problem, status=status, cause=cause, retry_after=retry_after, retry_at=retry_at, members=members)
