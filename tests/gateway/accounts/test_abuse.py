"""What somebody with bad intent or an old right tries: each ends at once, and takes nobody else along."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

import pytest

from crypto.tokens import new_token, token_hash
from gateway.accounts import guard
from gateway.accounts.password_hashing import PASSWORDS_WAITING
from gateway.accounts.resets import RESET_SECONDS
from gateway.http.field_faults import FieldFault
from gateway.http.problems import Problem
from gateway.people.fields import read_email
from storage import account_sessions, password_resets
from storage.password_resets import PasswordReset
from tests.gateway.accounts.person import EMAIL, PASSWORD, WRONG, is_signed_in, login, register, token_of, with_login
from tests.gateway.signed_in import call, sign_in_as
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from storage.users import User
    from tests.gateway.house import House


async def test_a_flood_of_passwords_is_refused_and_takes_no_turn_of_a_pin(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, terminal = await house.person("0101"), await house.terminal()
    released = threading.Event()

    def stuck(*_: object) -> bool:
        released.wait(20)
        return False

    monkeypatch.setattr(house.gateway.administration.passwords, "_verify", stuck)
    flood = [asyncio.ensure_future(login(house, f"a{at}@example.com", WRONG)) for at in range(PASSWORDS_WAITING + 9)]
    await until(lambda: sum(one.done() for one in flood) == 8)
    assert (await terminal.sign_in("0101", person.pin)).status == 200
    released.set()
    statuses = [reply.status for reply in await asyncio.gather(*flood)]
    assert sorted(statuses) == [401] * (PASSWORDS_WAITING + 1) + [503] * 8


async def test_whoever_is_let_in_again_starts_anew(house: House) -> None:
    site = house.gateway.administration
    user = await with_login(house)
    await with_login(house, "second@rosenthal.example")
    token = await token_of(house)
    await site.people.set_active(user.id, False, actor="cli")
    assert not await is_signed_in(house, token)
    await site.people.set_active(user.id, True, actor="cli")
    assert not await is_signed_in(house, token)
    assert (await login(house)).status == 200


@pytest.mark.parametrize("how", ["deactivated", "another role"])
async def test_an_invitation_ends_with_the_right_to_invite(house: House, how: str) -> None:
    site = house.gateway.administration
    await with_login(house)
    other = await sign_in_as(house, "owner")
    invited = await house.gateway.invitations.invite(
        house.company_id,
        email="eve@example.com",
        role="owner",
        actor=f"user:{other.user.id}",
        invited_by=other.user.id,
    )
    changes = {"active": False} if how == "deactivated" else {"role": "hr"}
    await site.people.change(other.user.id, changes, actor="cli")
    refused = await register(house, email="eve@example.com", invitation=invited.link.rpartition("=")[2])
    assert refused.problem == "invitation-not-valid"


async def test_setting_a_password_while_somebody_guesses_never_deadlocks(
    both: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL two transactions that took guard and tries in another order would both fail now and then."""
    monkeypatch.setattr(guard, "SOURCE_TRIES", 1_000_000)
    site = both.gateway.administration
    is_sqlite = site.settings.effective_database_url.startswith("sqlite")  # there one transaction writes at a time
    user = await with_login(both)
    done = False

    async def guess() -> None:
        while not done:
            reply = await login(both, EMAIL, WRONG)
            assert reply.problem in ("login-failed", "login-throttled", "busy"), reply

    guessing = [asyncio.create_task(guess()) for _ in range(4)]
    try:
        for at in range(3 if is_sqlite else 12):
            await site.accounts.set_password(user.id, f"{PASSWORD} {at}", actor="cli")
            for lock in await site.lockouts.list_(both.company_id):
                try:
                    await site.lockouts.clear([lock.lockout.id], actor="cli")
                except Problem as over:
                    assert over.name == "not-found"  # the new password ended it first
    finally:
        done = True
        await asyncio.gather(*guessing)


async def test_deactivating_somebody_who_is_just_using_a_link_never_deadlocks(
    both: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL each would hold what the other wants, were the person's row not taken first."""
    site = both.gateway.administration
    user = await with_login(both)
    await with_login(both, "second@rosenthal.example")
    await token_of(both)
    token = new_token(site.randomness)
    async with site.database.write() as connection:
        await password_resets.add(connection, link_of(user, token, both.clock()))
    taken, ending = asyncio.Event(), asyncio.Event()
    take, end_all = password_resets.take, account_sessions.end_all

    async def take_and_wait(*arguments: Any) -> bool:
        was_there = await take(*arguments)
        taken.set()
        with contextlib.suppress(TimeoutError):  # what must not happen is waited for only so long
            await asyncio.wait_for(ending.wait(), 0.5)
        return was_there

    async def end_all_and_tell(*arguments: Any, **options: Any) -> int:
        ended = await end_all(*arguments, **options)
        ending.set()
        return ended

    monkeypatch.setattr(password_resets, "take", take_and_wait)
    monkeypatch.setattr(account_sessions, "end_all", end_all_and_tell)
    resetting = asyncio.create_task(both.gateway.password_resets.reset(token, f"{PASSWORD} anew"))
    await taken.wait()
    await site.people.set_active(user.id, False, actor="cli")
    await resetting


def link_of(user: User, token: str, now: float) -> PasswordReset:
    return PasswordReset(
        token_hash=token_hash(token),
        user_id=user.id,
        email=EMAIL,
        created_at=now,
        expires_at=now + RESET_SECONDS,
    )


async def test_the_right_password_of_another_confirms_nothing(house: House) -> None:
    site = house.gateway.administration
    await with_login(house)
    one = await sign_in_as(house, "hr", email="shared@rosenthal.example")
    assert (await call(house, "POST", "/api/auth/confirm", {"password": PASSWORD}, token=one.token)).status == 401
    await site.accounts.set_password(one.user.id, PASSWORD, actor="cli")


@pytest.mark.parametrize(
    "text", ["a..b@x.de", ".a@x.de", "a.@x.de", "ü@x.de", "=?utf-8?q?a?=@x.de", "a\x00@x.de", "a b@x.de"]
)
def test_an_address_that_no_mail_reaches_is_none(text: str) -> None:
    with pytest.raises(FieldFault):
        read_email(text)


@pytest.mark.parametrize("text", ["Ada.Winter+clock@Example.COM", "o'neil@x.de", "a@mü-ller.example", "A_b-c@x"])
def test_a_usual_address_is_read_and_reading_it_again_changes_nothing(text: str) -> None:
    assert read_email(read_email(text)) == read_email(text)
