"""The lockout policy by example, with the product's own limits."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from storage.ephemeral.pin_guard import (
    DAY,
    HOUR,
    KIOSK_LIMITS,
    LIMITS,
    MINUTE,
    PHONE_LIMITS,
    Attempt,
    Lock,
    PinGuard,
    Reserved,
    Throttled,
    Tier,
)

if TYPE_CHECKING:
    from storage.ephemeral.connection import Ephemeral

NUMBER = "5e" * 32


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Desk:
    """One company's guard and a clock that is moved."""

    guard: PinGuard
    clock: Clock = field(default_factory=Clock)
    company: str = field(default_factory=lambda: str(uuid.uuid4()))

    def attempt(
        self, tier: Tier = "kiosk", number: str = NUMBER, device: str | None = None, source: str | None = None
    ) -> Attempt:
        if tier == "kiosk":
            device = device or "kiosk-1"
        return Attempt(str(uuid.uuid4()), self.company, tier, number, device, source)

    async def wrong(self, attempt: Attempt) -> list[Lock]:
        """A try that is let through and proves wrong."""
        answer = await self.guard.reserve(attempt, self.clock.now)
        assert isinstance(answer, Reserved), answer
        return [*answer.locks, *await self.guard.wrong(attempt, self.clock.now)]

    async def right(self, attempt: Attempt) -> None:
        answer = await self.guard.reserve(attempt, self.clock.now)
        assert isinstance(answer, Reserved), answer
        assert (await self.guard.right(attempt, self.clock.now)).in_time

    async def refusal(self, attempt: Attempt) -> Throttled:
        answer = await self.guard.reserve(attempt, self.clock.now)
        assert isinstance(answer, Throttled), answer
        return answer


@pytest.fixture
def desk(ephemeral: Ephemeral) -> Desk:
    return Desk(PinGuard(ephemeral))


@pytest.fixture
def small_desk(ephemeral: Ephemeral) -> Desk:
    """The product's limits, but that a kiosk or a company's phones pause after ten wrong tries.

    After how many in the product, `test_the_products_limits_are_the_policys` tells: they are arguments of the script.
    """
    limits = {
        "kiosk": replace(KIOSK_LIMITS, device=10),
        "phone": replace(PHONE_LIMITS, company=10),
    }
    return Desk(PinGuard(ephemeral, limits))


async def test_of_sixty_wrong_pins_at_once_exactly_five_are_hashed(desk: Desk) -> None:
    attempts = [desk.attempt() for _ in range(60)]
    hashed = 0

    async def guess(attempt: Attempt) -> list[Lock]:
        nonlocal hashed
        if isinstance(await desk.guard.reserve(attempt, desk.clock.now), Throttled):
            return []
        hashed += 1
        await asyncio.sleep(0)
        return await desk.guard.wrong(attempt, desk.clock.now)

    begun = await asyncio.gather(*(guess(attempt) for attempt in attempts))
    assert hashed == 5
    until = desk.clock.now + 5 * MINUTE
    assert [lock for locks in begun for lock in locks] == [Lock("number", NUMBER, "consecutive", desk.clock.now, until)]


async def test_sixty_tries_reserved_at_once_get_five_places(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.guard.reserve(desk.attempt(), desk.clock.now) for _ in range(60)))
    assert sorted(answer.position for answer in answers if isinstance(answer, Reserved)) == [1, 2, 3, 4, 5]
    assert {answer.retry_after for answer in answers if isinstance(answer, Throttled)} == {1}


@pytest.mark.parametrize("tier", ["kiosk", "phone"])
async def test_forty_people_at_one_door_at_once_are_never_slowed(desk: Desk, tier: Tier) -> None:
    attempts = [desk.attempt(tier, number=f"{person:064x}", source="192.0.2.7") for person in range(40)]
    answers = await asyncio.gather(*(desk.guard.reserve(attempt, desk.clock.now) for attempt in attempts))
    assert answers == [Reserved(1)] * 40
    settled = await asyncio.gather(*(desk.guard.right(attempt, desk.clock.now) for attempt in attempts))
    assert all(one.in_time for one in settled)


@pytest.mark.parametrize(
    ("tier", "minutes"),
    [("kiosk", [5, 10, 20, 40, 60, 60]), ("phone", [15, 30, 60, 120, 240, 480, 960, 1440, 1440])],
)
async def test_each_lock_takes_twice_as_long_up_to_a_cap(ephemeral: Ephemeral, tier: Tier, minutes: list[int]) -> None:
    # The daily limit would come first on phones: here the ladder is alone.
    limits = {name: replace(of, daily=10_000) for name, of in LIMITS.items()}
    desk = Desk(PinGuard(ephemeral, limits))
    for step in minutes:
        for _ in range(4):
            assert await desk.wrong(desk.attempt(tier)) == []
        (lock,) = await desk.wrong(desk.attempt(tier))
        assert (lock.reason, lock.until - desk.clock.now) == ("consecutive", step * MINUTE)
        desk.clock.pass_(step * MINUTE - 0.5)
        assert await desk.refusal(desk.attempt(tier)) == Throttled("number", 1)
        desk.clock.pass_(0.5)


async def lock_once(desk: Desk) -> Lock:
    for _ in range(4):
        await desk.wrong(desk.attempt())
    (lock,) = await desk.wrong(desk.attempt())
    return lock


async def test_the_ladder_starts_anew_a_day_after_the_lock_ended(desk: Desk) -> None:
    lock = await lock_once(desk)
    desk.clock.now = lock.until + DAY
    assert (await lock_once(desk)).until == desk.clock.now + 5 * MINUTE


async def test_the_ladder_goes_on_just_before_that(desk: Desk) -> None:
    lock = await lock_once(desk)
    desk.clock.now = lock.until + DAY - 1
    assert (await lock_once(desk)).until == desk.clock.now + 10 * MINUTE


async def test_success_resets_the_count_in_a_row_and_the_ladder(desk: Desk) -> None:
    desk.clock.now = (await lock_once(desk)).until
    for _ in range(4):
        await desk.wrong(desk.attempt())
    await desk.right(desk.attempt())
    assert (await lock_once(desk)).until == desk.clock.now + 5 * MINUTE


async def test_success_never_resets_the_day_so_nobody_rides_on_the_victims_logins(desk: Desk) -> None:
    first = desk.clock.now
    locks: list[Lock] = []
    for _ in range(20):
        locks += await desk.wrong(desk.attempt())
        if len(locks) == 0:
            await desk.right(desk.attempt())
        desk.clock.pass_(1)
    assert locks == [Lock("number", NUMBER, "daily", first + 19, first + DAY)]


async def test_a_day_with_twenty_wrong_locks_until_the_oldest_leaves_it(desk: Desk) -> None:
    first = desk.clock.now
    for _ in range(19):
        await desk.wrong(desk.attempt())
        await desk.right(desk.attempt())
        desk.clock.pass_(60)
    await desk.wrong(desk.attempt())
    assert await desk.refusal(desk.attempt()) == Throttled("number", DAY - 19 * 60)
    desk.clock.now = first + DAY
    (lock,) = await desk.wrong(desk.attempt())  # one has left the day, so one try is free
    assert (lock.reason, lock.until) == ("daily", first + 60 + DAY)
    assert await desk.refusal(desk.attempt()) == Throttled("number", 60)


async def test_ten_wrong_in_a_day_lock_the_phone_and_never_the_kiosk(desk: Desk) -> None:
    for _ in range(9):
        await desk.wrong(desk.attempt("phone"))
        await desk.right(desk.attempt("phone"))
    (lock,) = await desk.wrong(desk.attempt("phone"))
    assert lock.reason == "daily"
    assert (await desk.refusal(desk.attempt("phone"))).scope == "number"
    await desk.right(desk.attempt("kiosk"))


async def test_tries_in_flight_count_towards_the_day_too(desk: Desk) -> None:
    for _ in range(18):
        await desk.wrong(desk.attempt())
        await desk.right(desk.attempt())
    answers = await asyncio.gather(*(desk.guard.reserve(desk.attempt(), desk.clock.now) for _ in range(5)))
    assert sum(isinstance(answer, Reserved) for answer in answers) == 2


async def test_tries_while_locked_are_not_counted_so_nobody_can_hold_a_lock_open(desk: Desk) -> None:
    lock = await lock_once(desk)
    for _ in range(8):
        assert (await desk.refusal(desk.attempt())).scope == "number"
        desk.clock.pass_(1)
    desk.clock.now = lock.until
    for _ in range(4):
        assert await desk.wrong(desk.attempt()) == []


async def test_an_attempt_without_result_is_wrong_from_its_tenth_second(desk: Desk) -> None:
    started = desk.clock.now
    lost = [desk.attempt() for _ in range(5)]
    for attempt in lost:
        await desk.guard.reserve(attempt, desk.clock.now)
    desk.clock.pass_(9.999)
    assert (await desk.refusal(desk.attempt())).locks == ()
    desk.clock.pass_(20)
    other = await desk.guard.reserve(desk.attempt(number="00" * 32), desk.clock.now)
    lock = Lock("number", NUMBER, "consecutive", started + 10, started + 10 + 5 * MINUTE)
    assert other == Reserved(1, (lock,))
    # 5 min after the tenth second, not after somebody noticed.
    assert await desk.refusal(desk.attempt()) == Throttled("number", 5 * MINUTE - 19)


async def test_a_refusal_reports_the_locks_it_found(desk: Desk) -> None:
    for _ in range(5):
        await desk.guard.reserve(desk.attempt(), desk.clock.now)
    desk.clock.pass_(10)
    refusal = await desk.refusal(desk.attempt())
    assert [lock.reason for lock in refusal.locks] == ["consecutive"]


@pytest.mark.parametrize("outcome", ["right", "wrong", "release"])
async def test_a_result_after_the_tenth_second_is_not_counted_again(desk: Desk, outcome: str) -> None:
    attempt = desk.attempt()
    await desk.guard.reserve(attempt, desk.clock.now)
    desk.clock.pass_(10)
    late = await getattr(desk.guard, outcome)(attempt, desk.clock.now)
    if outcome == "right":
        assert not late.in_time
    for _ in range(3):
        assert await desk.wrong(desk.attempt()) == []
    assert [lock.reason for lock in await desk.wrong(desk.attempt())] == ["consecutive"]


async def test_a_released_attempt_was_never_there(desk: Desk) -> None:
    for _ in range(8):
        attempt = desk.attempt()
        assert await desk.guard.reserve(attempt, desk.clock.now) == Reserved(1)
        assert await desk.guard.release(attempt, desk.clock.now) == []
    for _ in range(4):
        assert await desk.wrong(desk.attempt()) == []


async def test_so_many_wrong_in_an_hour_pause_the_kiosk_for_all_and_no_other_kiosk(small_desk: Desk) -> None:
    desk, locks = small_desk, list[Lock]()
    for person in range(10):
        locks += await desk.wrong(desk.attempt(number=f"{person:064x}"))
        desk.clock.pass_(1)
    began = desk.clock.now - 1
    assert locks == [Lock("device", "kiosk-1", "pause", began, began + 15 * MINUTE)]
    assert await desk.refusal(desk.attempt()) == Throttled("device", 15 * MINUTE - 1)
    await desk.right(desk.attempt(device="kiosk-2"))
    desk.clock.now = began + 15 * MINUTE
    assert await desk.wrong(desk.attempt(number=f"{0:064x}")) == []


async def test_fewer_wrong_than_that_in_any_hour_pause_nothing(small_desk: Desk) -> None:
    for person in range(25):
        assert await small_desk.wrong(small_desk.attempt(number=f"{person:064x}")) == []
        small_desk.clock.pass_(HOUR / 9)


async def test_so_many_wrong_in_an_hour_pause_the_companys_phones_not_its_kiosks(small_desk: Desk) -> None:
    desk, locks = small_desk, list[Lock]()
    for person in range(10):
        locks += await desk.wrong(desk.attempt("phone", number=f"{person:064x}", source=f"192.0.2.{person}"))
    assert [(lock.scope, lock.subject, lock.until - desk.clock.now) for lock in locks] == [
        ("company", desk.company, 15 * MINUTE)
    ]
    assert await desk.refusal(desk.attempt("phone", source="198.51.100.1")) == Throttled("company", 15 * MINUTE)
    await desk.right(desk.attempt("kiosk"))
    elsewhere = Desk(desk.guard, desk.clock)
    await elsewhere.right(elsewhere.attempt("phone"))


async def test_an_address_with_thirty_wrong_gets_one_try_per_five_seconds_never_a_block(desk: Desk) -> None:
    for person in range(30):
        await desk.wrong(desk.attempt("phone", number=f"{person:064x}", source="2001:db8::/64"))
    for person in range(5):
        desk.clock.pass_(4.999)
        refusal = await desk.refusal(desk.attempt("phone", source="2001:db8::/64"))
        assert refusal == Throttled("source", 5)
        desk.clock.pass_(0.001)
        await desk.wrong(desk.attempt("phone", number=f"{1000 + person:064x}", source="2001:db8::/64"))
    await desk.right(desk.attempt("phone", source="192.0.2.1"))
    desk.clock.pass_(HOUR)
    await desk.right(desk.attempt("phone", source="2001:db8::/64"))
    await desk.right(desk.attempt("phone", source="2001:db8::/64"))


async def test_the_scope_that_refuses_longest_is_told(small_desk: Desk) -> None:
    desk, locks = small_desk, []
    for person in range(10):
        locks += await desk.wrong(desk.attempt(number=f"{person % 2:064x}"))
    assert sorted(lock.scope for lock in locks) == ["device", "number", "number"]
    assert await desk.refusal(desk.attempt(number=f"{0:064x}")) == Throttled("device", 15 * MINUTE)
    elsewhere = desk.attempt(number=f"{0:064x}", device="kiosk-2")
    assert await desk.refusal(elsewhere) == Throttled("number", 5 * MINUTE)


async def test_an_unlock_gives_a_full_new_set_of_tries_from_the_first_step(desk: Desk) -> None:
    await lock_once(desk)
    await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, 7, desk.clock.now)
    assert (await lock_once(desk)).until == desk.clock.now + 5 * MINUTE


async def test_an_unlock_applied_twice_or_late_wipes_nothing_new(desk: Desk) -> None:
    await lock_once(desk)
    await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, 7, desk.clock.now)
    await lock_once(desk)
    for seq in (7, 6):
        await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, seq, desk.clock.now)
        assert (await desk.refusal(desk.attempt())).scope == "number"
    await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, 8, desk.clock.now)
    await desk.right(desk.attempt())


async def test_an_unlock_leaves_tries_in_flight_in_flight(desk: Desk) -> None:
    for _ in range(5):
        await desk.guard.reserve(desk.attempt(), desk.clock.now)
    await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, 1, desk.clock.now)
    assert (await desk.refusal(desk.attempt())).scope == "number"


async def test_an_unlock_wipes_what_turned_wrong_before_it_though_found_after_it(desk: Desk) -> None:
    for _ in range(4):
        await desk.guard.reserve(desk.attempt(), desk.clock.now)
    desk.clock.pass_(10)
    await desk.guard.clear(desk.company, "kiosk", "number", NUMBER, 1, desk.clock.now)
    for _ in range(4):
        assert await desk.wrong(desk.attempt()) == []
    assert [lock.reason for lock in await desk.wrong(desk.attempt())] == ["consecutive"]


async def test_what_turns_wrong_while_a_kiosk_pauses_does_not_count_towards_its_next_pause(small_desk: Desk) -> None:
    desk = small_desk
    under_way = [desk.attempt(number=f"{person + 1000:064x}") for person in range(5)]
    for attempt in under_way:
        await desk.guard.reserve(attempt, desk.clock.now)
    for person in range(10):
        await desk.wrong(desk.attempt(number=f"{person:064x}"))
    for attempt in under_way:
        assert await desk.guard.wrong(attempt, desk.clock.now + 1) == []
    desk.clock.pass_(15 * MINUTE)
    for person in range(9):
        assert await desk.wrong(desk.attempt(number=f"{person:064x}")) == []


async def test_an_unlock_ends_a_pause(small_desk: Desk) -> None:
    desk = small_desk
    for person in range(10):
        await desk.wrong(desk.attempt(number=f"{person:064x}"))
    assert (await desk.refusal(desk.attempt())).scope == "device"
    await desk.guard.clear(desk.company, "kiosk", "device", "kiosk-1", 1, desk.clock.now)
    await desk.right(desk.attempt())
    for person in range(10):
        await desk.wrong(desk.attempt("phone", number=f"{person:064x}"))
    assert (await desk.refusal(desk.attempt("phone"))).scope == "company"
    await desk.guard.clear(desk.company, "phone", "company", desk.company, 1, desk.clock.now)
    await desk.right(desk.attempt("phone"))


async def test_lost_keys_never_grant_more_tries_than_the_limit(ephemeral: Ephemeral, desk: Desk) -> None:
    """A store that evicts: the number's state goes while its attempts are open."""
    attempts = [desk.attempt() for _ in range(3)]
    for attempt in attempts:
        await desk.guard.reserve(attempt, desk.clock.now)
    await ephemeral.command("DEL", f"{{{desk.company}}}:pin:kiosk:number:{NUMBER}")
    for attempt in attempts:
        await desk.guard.release(attempt, desk.clock.now)
    answers = [await desk.guard.reserve(desk.attempt(), desk.clock.now) for _ in range(9)]
    assert sum(isinstance(answer, Reserved) for answer in answers) == 5


def test_the_products_limits_are_the_policys() -> None:
    assert KIOSK_LIMITS.arguments() == (
        *(10_000, 5, 300_000, 3_600_000, 86_400_000, 20, 86_400_000),
        *(60, 3_600_000, 900_000, 0, 3_600_000, 900_000, 0, 3_600_000, 5_000),
    )
    assert PHONE_LIMITS.arguments() == (
        *(10_000, 5, 900_000, 86_400_000, 86_400_000, 10, 86_400_000),
        *(0, 3_600_000, 900_000, 100, 3_600_000, 900_000, 30, 3_600_000, 5_000),
    )


def test_an_attempt_whose_fields_could_be_confused_is_refused() -> None:
    with pytest.raises(ValueError, match="separates"):
        Attempt("1", "c", "kiosk", "a|b")
