"""The poster over HTTP: each format is what it says, and only the current token gets one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.administration.requests import send

if TYPE_CHECKING:
    from tests.gateway.administration.estate import Company

BEGINNINGS = {"svg": b"<", "png": b"\x89PNG\r\n", "pdf": b"%PDF-"}


async def test_is_a_file_of_the_kind_asked_for(ours: Company) -> None:
    rotated = await ours.site.companies.rotate_link(ours.id, actor="cli")
    for file_format, paper in (("svg", "a4"), ("png", "a4"), ("pdf", "a3")):
        async with ours.house.http.post(
            f"{ours.house.url}/api/companies/{ours.id}/public-stamp/poster",
            json={"token": rotated.token, "format": file_format, "paper": paper},
            headers={"Authorization": f"Bearer {ours.owner.token}"},
        ) as answer:
            data = await answer.read()
            assert answer.status == 200
            assert answer.headers["Content-Disposition"] == f'attachment; filename="poster-{paper}.{file_format}"'
            assert answer.headers["Cache-Control"] == "no-store"
        assert data.startswith(BEGINNINGS[file_format])
        assert rotated.token.encode() not in data


async def test_a_token_that_is_not_the_current_one_gets_none(ours: Company) -> None:
    old = await ours.site.companies.rotate_link(ours.id, actor="cli")
    path = f"/api/companies/{ours.id}/public-stamp/poster"
    await ours.site.companies.rotate_link(ours.id, actor="cli")
    for token in (old.token, "A" * 43):
        reply = await send(ours.house, "POST", path, {"token": token, "format": "pdf"}, token=ours.owner.token)
        assert (reply.status, reply.problem) == (404, "link-not-valid")
    await ours.site.companies.disable_link(ours.id, actor="cli")
    reply = await send(ours.house, "POST", path, {"token": old.token, "format": "pdf"}, token=ours.owner.token)
    assert (reply.status, reply.problem) == (404, "link-not-valid")


async def test_every_fault_is_named_at_once(ours: Company) -> None:
    path = f"/api/companies/{ours.id}/public-stamp/poster"
    body = {"token": "short", "format": "gif", "paper": "a5", "size": 1}
    reply = await send(ours.house, "POST", path, body, token=ours.owner.token)
    assert reply.status == 400
    assert {fault["field"] for fault in reply.body["errors"]} == {"token", "format", "paper", "size"}
