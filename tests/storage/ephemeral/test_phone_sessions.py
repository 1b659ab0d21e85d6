"""Phone sessions: two minutes, absolute."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.phone_sessions import PhoneSession, PhoneSessions

if TYPE_CHECKING:
    from storage.ephemeral.connection import Ephemeral

NOW = 1_700_000_000.125
TOKEN = b"\x07" * 32
SESSION = PhoneSession("user-1", "company-1", 3, 99, NOW)


@pytest.fixture
def sessions(ephemeral: Ephemeral) -> PhoneSessions:
    return PhoneSessions(ephemeral)


async def test_a_session_is_read_by_its_token(sessions: PhoneSessions) -> None:
    await sessions.open(TOKEN, SESSION, NOW)
    assert await sessions.read(TOKEN, NOW) == SESSION
    assert await sessions.read(b"\x08" * 32, NOW) is None


async def test_a_session_ends_two_minutes_after_sign_in_however_often_it_is_used(sessions: PhoneSessions) -> None:
    await sessions.open(TOKEN, SESSION, NOW)
    for second in range(0, 120, 10):
        assert await sessions.read(TOKEN, NOW + second) == SESSION
    assert await sessions.read(TOKEN, NOW + 119.9) == SESSION
    assert await sessions.read(TOKEN, NOW + 120) is None


async def test_an_ended_session_is_gone_and_ending_it_again_is_no_error(sessions: PhoneSessions) -> None:
    await sessions.open(TOKEN, SESSION, NOW)
    await sessions.end(TOKEN)
    assert await sessions.read(TOKEN, NOW) is None
    await sessions.end(TOKEN)
