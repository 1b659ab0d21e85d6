"""One stamp from sign-in to sign-out, without a person at a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kiosk_client.clock_prompt import zone_of
from kiosk_client.errors import ActionNotValid, KioskError, LoginThrottled, StampUncertain
from kiosk_client.presentation import rfc3339
from kiosk_client.wording import ENGLISH, moment, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kiosk_client.answers import Company, SignIn, Stamped
    from kiosk_client.client import KioskClient


async def stamp_once(
    client: KioskClient,
    action: str,
    number: str,
    pin: str,
    stamp_id: str | None,
    settle: Callable[[], Awaitable[None]] | None = None,
) -> tuple[SignIn, Stamped, Company | None]:
    """Sign in, stamp, sign out; returns who it was, what was recorded, and whose terminal it is.

    ``settle`` comes first: it brings a key change to its end that was cut off.
    Raises ``KioskError``; its text says what would fit, or how to finish a stamp whose answer was lost.
    """
    async with client:
        if settle is not None:
            await settle()
        company = (await client.device()).company
        zone = zone_of(company.timezone if company else None)
        try:
            session = await client.login(number, pin)
        except LoginThrottled as locked:
            if company is not None and locked.retry_at is not None:
                locked.retry_at = locked.retry_at.astimezone(zone)
            raise
        try:
            return session, await client.stamp(session, action, stamp_id), company
        except StampUncertain as lost:
            raise KioskError(f"{lost.message} To finish it safely: add --stamp-id {lost.stamp_id}") from None
        except ActionNotValid as refused:
            current = refused.current or session.status
            words = ENGLISH.state(current, zone, moment(client.server_clock.now(), zone))
            valid = ", ".join(plain(name) for name in current.actions)
            raise KioskError(f"{refused.message} Now: {words}. Valid: {valid}") from None
        finally:
            await client.logout(session)


def stamped_json(sign_in: SignIn, stamped: Stamped) -> dict[str, object]:
    """What a script reads about a stamp."""
    recorded, current = stamped.stamp, stamped.status
    return {
        "stamp": {
            "id": recorded.id,
            "stamp_id": recorded.stamp_id,
            "action": recorded.action,
            "at": rfc3339(recorded.at),
            "tier": recorded.tier,
            "device_id": recorded.device_id,
        },
        "status": {
            "state": current.state,
            "since": rfc3339(current.since),
            "worked_today_seconds": current.worked_today_seconds,
            "actions": list(current.actions),
        },
        "employee": sign_in.employee.display_name,
        "failed_attempts": sign_in.failed_attempts,
        "repeated": stamped.repeated,
    }
