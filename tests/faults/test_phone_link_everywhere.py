"""A poster dies at every gateway within a second: two processes on PostgreSQL and Redis, and two on one SQLite file."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.faults.site import PIN
from tests.faults.two_gateways import two_gateways
from tests.gateway.house import open_house, serving
from tests.gateway.phone import Phone
from tests.gateway.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.companies.service import Companies
    from tests.servers.redis import RedisServer

PROMISED_SECONDS = 1.0
NUMBER = "0101"
ENDS = ["rotated", "disabled", "switched off"]


async def end(companies: Companies, company_id: str, how: str) -> None:
    match how:
        case "rotated":
            await companies.rotate_link(company_id, actor="cli")
        case "disabled":
            await companies.disable_link(company_id, actor="cli")
        case "switched off":
            await companies.update(company_id, {"public_stamp_enabled": False}, actor="cli")


async def is_signed_in(phone: Phone) -> bool:
    """Sign in as soon as the gateway knows of the link and of everything before it."""
    return (await phone.sign_in(NUMBER, PIN)).status == 200 and (await phone.status()).status == 200


async def dead_after(phone: Phone, ended: asyncio.Future[float]) -> float:
    """Ask again and again; return the seconds from the end of the link until neither it nor the open session works."""
    began = await ended
    while (await phone.company()).status == 200 or (await phone.status()).status == 200:
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.05)
    seconds = time.monotonic() - began
    refusals = [
        await phone.company(),
        await phone.sign_in(NUMBER, PIN),
        await phone.status(),
        await phone.act("clock_in"),
    ]
    assert [reply.problem for reply in refusals] == ["link-not-valid"] * 2 + ["session-expired"] * 2
    return seconds


async def test_a_link_ends_with_its_sessions_at_both_gateways_within_a_second(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    async with two_gateways(tmp_path, redis_server) as gateways:
        site, company_id = gateways.site, gateways.site.company_id
        companies, user_id, seconds = site.administration.companies, await site.person(NUMBER), []
        here, there = phones = [Phone(site.http, url, "") for url in gateways.urls]
        for how in ENDS:
            await companies.update(company_id, {"public_stamp_enabled": True}, actor="cli")
            here.link = there.link = (await companies.rotate_link(company_id, actor="cli")).token
            for phone in phones:
                await until(lambda one=phone: is_signed_in(one))  # type: ignore[misc]
            # Each has signed in at its own gateway and is known at the other one, too.
            here.token, there.token = there.token, here.token
            for phone in phones:
                assert (await phone.status()).status == 200
            ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            waiting = [asyncio.create_task(dead_after(phone, ended)) for phone in phones]
            await end(companies, company_id, how)
            ended.set_result(time.monotonic())
            seconds += await asyncio.gather(*waiting)
        assert max(seconds) < PROMISED_SECONDS, sorted(seconds)
        assert await site.stamps_of(user_id) == []


async def test_so_it_does_at_a_second_gateway_on_the_same_sqlite_file(tmp_path: Path) -> None:
    """Sessions and counts of wrong PINs are each process's own there, which is why one is meant; trust is not."""
    data, seconds = tmp_path / "data", []
    async with open_house(data) as house, serving(data) as (_, url):
        companies = house.gateway.administration.companies
        await house.person(NUMBER, PIN)
        for how in ENDS:
            await companies.update(house.company_id, {"public_stamp_enabled": True}, actor="cli")
            link = (await companies.rotate_link(house.company_id, actor="cli")).token
            phone = Phone(house.http, url, link)
            await until(lambda one=phone: is_signed_in(one))  # type: ignore[misc]
            ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            waiting = asyncio.create_task(dead_after(phone, ended))
            await end(companies, house.company_id, how)
            ended.set_result(time.monotonic())
            seconds.append(await waiting)
    assert max(seconds) < PROMISED_SECONDS, dict(zip(ENDS, seconds, strict=True))
