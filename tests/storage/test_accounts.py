"""Sessions, tries, links and invitations of e-mail logins."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from storage import account_guard, account_sessions, accounts, invitations, password_resets, users
from storage.account_sessions import AccountSession
from storage.database import Conflict
from storage.invitations import Invitation
from storage.password_resets import PasswordReset
from tests.storage.rows import NOW, add_company, add_user, new_id

if TYPE_CHECKING:
    from storage.database import Database
    from storage.users import User

SUBJECT, OTHER = b"s" * 32, b"o" * 32


async def person(database: Database) -> User:
    return await add_user(database, (await add_company(database)).id, email="ada@example.org", role="hr")


def session_of(user: User, **fields: Any) -> AccountSession:
    values = {"created_at": NOW, "last_seen_at": NOW, "confirmed_at": NOW, "expires_at": NOW + 100, **fields}
    return AccountSession(id=new_id(), user_id=user.id, **values)


async def test_a_session_is_found_by_its_tokens_hash_with_its_person(database: Database) -> None:
    user = await person(database)
    session = session_of(user, remember=True, client="Firefox on Windows")
    async with database.write() as connection:
        await account_sessions.add(connection, session, b"t" * 32)
        found = await account_sessions.find(connection, b"t" * 32)
        assert await account_sessions.find(connection, b"x" * 32) is None
    assert found is not None
    assert found.session == session
    assert (found.company_id, found.full_name, found.email, found.role, found.active) == (
        user.company_id,
        user.full_name,
        user.email,
        "hr",
        True,
    )
    with pytest.raises(Conflict, match=r"account_sessions\.token_hash"):
        async with database.write() as connection:
            await account_sessions.add(connection, session_of(user), b"t" * 32)


async def test_a_session_is_touched_forwards_only_and_confirmed(database: Database) -> None:
    session = session_of(await person(database))
    async with database.write() as connection:
        await account_sessions.add(connection, session, b"t" * 32)
        await account_sessions.touch(connection, session.id, NOW + 5)
        await account_sessions.touch(connection, session.id, NOW + 3)
        await account_sessions.confirm(connection, session.id, NOW + 7)
        found = await account_sessions.find(connection, b"t" * 32)
    assert found is not None
    assert found.session == replace(session, last_seen_at=NOW + 5, confirmed_at=NOW + 7)


async def test_sessions_are_listed_ended_and_purged(database: Database) -> None:
    user = await person(database)
    other = await add_user(database, user.company_id)
    old, over, new = session_of(user), session_of(user, expires_at=NOW), session_of(user, created_at=NOW + 1)
    foreign = session_of(other)
    async with database.write() as connection:
        for at, session in enumerate((old, over, new, foreign)):
            await account_sessions.add(connection, session, bytes([at]) * 32)
        assert await account_sessions.list_(connection, user.id, NOW) == [new, old]
        assert not await account_sessions.end(connection, user.id, foreign.id)
        assert await account_sessions.end(connection, user.id, old.id)
        assert not await account_sessions.end(connection, user.id, old.id)
        assert await account_sessions.purge(connection, NOW) == 1
        assert await account_sessions.end_all(connection, user.id, but=new.id) == 0
        assert await account_sessions.end_all(connection, user.id) == 1
        assert await account_sessions.list_(connection, other.id, NOW) == [foreign]


async def test_tries_are_counted_by_what_became_of_them(database: Database) -> None:
    ids = [new_id() for _ in range(5)]
    async with database.write() as connection:
        assert await account_guard.claim(connection, SUBJECT, NOW) is None
        for try_id in ids:
            await account_guard.add_try(connection, try_id, SUBJECT, NOW)
        await account_guard.add_try(connection, new_id(), OTHER, NOW)
        await account_guard.mark_wrong(connection, ids[0])
        assert await account_guard.count(connection, SUBJECT, NOW) == (1, 4)
        assert await account_guard.count(connection, SUBJECT, NOW + 1) == (0, 0)
        assert await account_guard.take_back(connection, ids[1], NOW - 10)
        assert not await account_guard.take_back(connection, ids[1], NOW - 10)
        assert not await account_guard.take_back(connection, ids[0], NOW - 10)
        assert not await account_guard.take_back(connection, ids[2], NOW)
        await account_guard.forget_wrong(connection, SUBJECT)
        assert await account_guard.count(connection, SUBJECT, NOW) == (0, 3)
        await account_guard.expire(connection, SUBJECT, NOW - 0.1)
        assert await account_guard.count(connection, SUBJECT, NOW) == (0, 3)
        await account_guard.expire(connection, SUBJECT, NOW)
        assert await account_guard.count(connection, SUBJECT, NOW) == (3, 0)
        assert await account_guard.count(connection, OTHER, NOW) == (0, 1)


async def test_a_lock_is_told_to_whoever_claims_and_outlives_the_purge(database: Database) -> None:
    async with database.write() as connection:
        for subject in (SUBJECT, OTHER):
            await account_guard.claim(connection, subject, NOW)
            await account_guard.add_try(connection, new_id(), subject, NOW)
        await account_guard.lock(connection, SUBJECT, NOW + 900)
        assert await account_guard.count(connection, SUBJECT, 0.0) == (0, 0)
        await account_guard.purge(connection, NOW + 1, NOW + 1)
        assert await account_guard.count(connection, OTHER, 0.0) == (0, 0)
        assert await account_guard.claim(connection, SUBJECT, NOW + 2) == NOW + 900
        await account_guard.clear(connection, SUBJECT, NOW + 2)
        assert await account_guard.claim(connection, SUBJECT, NOW + 3) is None


async def test_whoever_claims_an_address_waits_for_who_has_it(database: Database) -> None:
    most = 0

    async def reserve() -> None:
        nonlocal most
        async with database.write() as connection:
            await account_guard.claim(connection, SUBJECT, NOW)
            _, in_flight = await account_guard.count(connection, SUBJECT, NOW)
            if in_flight < 3:
                await account_guard.add_try(connection, new_id(), SUBJECT, NOW)
                most += 1

    await asyncio.gather(*(reserve() for _ in range(20)))
    assert most == 3


async def test_a_password_is_held_only_while_it_is_the_one_of_somebody_active(database: Database) -> None:
    user = await person(database)
    async with database.write() as connection:
        assert not await accounts.hold(connection, user.id, "first")
        await accounts.set_password(connection, user.id, "first", NOW)
        assert await accounts.hold(connection, user.id, "first")
        await accounts.rehash(connection, user.id, "other", "renewed")
        assert await accounts.hold(connection, user.id, "first")
        await accounts.rehash(connection, user.id, "first", "renewed")
        assert await accounts.hold(connection, user.id, "renewed")
        await users.set_active(connection, user.id, False)
        assert not await accounts.hold(connection, user.id, "renewed")


async def test_a_link_is_taken_once_and_counted_and_forgotten(database: Database) -> None:
    user = await person(database)

    def reset(at: int) -> PasswordReset:
        return PasswordReset(
            token_hash=bytes([at]) * 32,
            user_id=user.id,
            email="ada@example.org",
            created_at=NOW + at,
            expires_at=NOW + at + 10,
        )

    async with database.write() as connection:
        for at in range(4):
            await password_resets.add(connection, reset(at))
        assert await password_resets.get(connection, bytes([1]) * 32, NOW) == reset(1)
        assert await password_resets.get(connection, bytes([1]) * 32, NOW + 11) is None
        assert await password_resets.count(connection, user.id, NOW + 2) == 2
        assert await password_resets.take(connection, bytes([1]) * 32)
        assert not await password_resets.take(connection, bytes([1]) * 32)
        assert await password_resets.purge(connection, NOW + 10) == 1
        await password_resets.forget(connection, user.id)
        assert await password_resets.count(connection, user.id, 0.0) == 0


async def test_an_invitation_replaces_the_earlier_one_of_its_address(database: Database) -> None:
    company = await add_company(database)

    def invitation(email: str) -> Invitation:
        return Invitation(
            id=new_id(), company_id=company.id, email=email, role="it", created_at=NOW, expires_at=NOW + 10
        )

    first, second, other = invitation("a@example.org"), invitation("a@example.org"), invitation("b@example.org")
    async with database.write() as connection:
        for at, one in enumerate((first, second, other)):
            await invitations.add(connection, one, bytes([at]) * 32)
        assert await invitations.get(connection, bytes([0]) * 32, NOW) is None
        assert await invitations.get(connection, bytes([1]) * 32, NOW) == second
        assert await invitations.get(connection, bytes([1]) * 32, NOW + 10) is None
        assert await invitations.take(connection, second.id)
        assert not await invitations.take(connection, second.id)
        assert await invitations.purge(connection, NOW + 10) == 1
