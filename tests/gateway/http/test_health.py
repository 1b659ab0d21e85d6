from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.http import health, problem_pages
from gateway.http.middlewares import outer
from gateway.http.problems import PROBLEMS
from gateway.http.routes import register
from gateway.metrics import Metrics


async def works() -> None:
    return


async def fails() -> None:
    raise OSError("redis://:geheim@redis")


async def hangs() -> None:
    await asyncio.Event().wait()


async def serve(aiohttp_client: Any, **checks: health.Check) -> Any:
    app = web.Application(middlewares=[outer(Metrics())])
    register(app, health.routes(checks))
    register(app, problem_pages.routes())
    return await aiohttp_client(app)


async def test_a_gateway_that_has_everything_is_ready(aiohttp_client: Any) -> None:
    client = await serve(aiohttp_client, database=works, redis=works)
    async with client.get("/health/ready") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ready", "checks": ["database", "redis"]}


async def test_each_dependency_that_is_down_is_named_and_its_reason_is_not(
    aiohttp_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    client = await serve(aiohttp_client, database=works, redis=fails, feed=hangs)
    async with client.get("/health/ready") as response:
        document = await response.json()
        text = await response.text()
    assert response.status == 503
    assert response.headers["Retry-After"] == "5"
    assert document["type"] == "/problems/not-ready"
    assert document["down"] == ["redis", "feed"]
    assert "geheim" not in text


async def test_a_process_is_alive_whatever_is_down(aiohttp_client: Any) -> None:
    client = await serve(aiohttp_client, redis=fails)
    async with client.get("/health/live") as response:
        assert response.status == 200
        assert await response.json() == {"status": "alive"}
    async with client.head("/health/live") as response:
        assert response.status == 200


@pytest.mark.parametrize("name", PROBLEMS)
async def test_every_problem_has_its_page_at_its_type(aiohttp_client: Any, name: str) -> None:
    client = await serve(aiohttp_client)
    async with client.get(f"/problems/{name}") as response:
        assert response.status == 200
        document = await response.json()
    kind = PROBLEMS[name]
    assert document == {
        "name": name,
        "title": kind.title,
        "status": kind.status,
        "meaning": kind.detail,
        "client": kind.client,
    }


async def test_a_browser_gets_a_page_under_a_strict_policy(aiohttp_client: Any) -> None:
    client = await serve(aiohttp_client)
    for path, text in (("/problems/busy", "Too many people"), ("/problems", "/problems/bad-nonce")):
        async with client.get(path, headers={"Accept": "text/html,*/*"}) as response:
            assert response.content_type == "text/html"
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]
            assert text in await response.text()


async def test_all_problems_are_listed(aiohttp_client: Any) -> None:
    client = await serve(aiohttp_client)
    async with client.get("/problems") as response:
        assert [item["name"] for item in (await response.json())["items"]] == list(PROBLEMS)


@pytest.mark.parametrize("name", ["nothing", "<script>", "%00", "%ff", "..%2f"])
async def test_a_problem_that_does_not_exist_is_not_found(aiohttp_client: Any, name: str) -> None:
    client = await serve(aiohttp_client)
    async with client.get(f"/problems/{name}", headers={"Accept": "text/html"}) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert "script" not in await response.text()
