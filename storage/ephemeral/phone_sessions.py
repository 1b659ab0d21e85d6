"""Sessions of the phone tier: two minutes from sign-in, whatever happens, known by the hash of their token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.ephemeral.connection import Ephemeral

SESSION_SECONDS = 120
"""From sign-in to the end, absolute (policy, phone tier): enough for one stamp, too short to hand the phone on."""

GARBAGE_SECONDS = SESSION_SECONDS + 60
"""When Redis may drop a session: later than its end, also with clocks that differ."""


@dataclass(frozen=True, slots=True)
class PhoneSession:
    """Who is signed in on a phone, by which version of the company's link.

    ``trust_seq`` is the trust feed's number at sign-in, ``started`` in seconds.
    """

    user_id: str
    company_id: str
    link_version: int
    trust_seq: int
    started: float


class PhoneSessions:
    """Phone sessions by token hash. All methods raise ``EphemeralUnavailable``."""

    def __init__(self, ephemeral: Ephemeral) -> None:
        self._ephemeral = ephemeral

    async def open(self, token_hash: bytes, session: PhoneSession, now: float) -> None:
        """Keeps ``session``, which starts ``now``."""
        fields = (session.user_id, session.company_id, session.link_version, session.trust_seq, session.started, now)
        value = "|".join(str(field) for field in fields)
        await self._ephemeral.command("SET", _key(token_hash), value, "EX", GARBAGE_SECONDS)

    async def read(self, token_hash: bytes, now: float) -> PhoneSession | None:
        """The session of a token, or ``None`` when there is none or its time is over."""
        value = await self._ephemeral.command("GET", _key(token_hash))
        if not isinstance(value, bytes):
            return None
        user_id, company_id, link_version, trust_seq, started, opened = value.decode().split("|")
        if now >= float(opened) + SESSION_SECONDS:
            return None
        return PhoneSession(user_id, company_id, int(link_version), int(trust_seq), float(started))

    async def end(self, token_hash: bytes) -> None:
        """Ends the session of a token, if there is one."""
        await self._ephemeral.command("DEL", _key(token_hash))


def _key(token_hash: bytes) -> str:
    return f"phone:{{{token_hash.hex()}}}"
