from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.http.problems import Problem

if TYPE_CHECKING:
    from gateway.administration import Administration
    from storage.companies import Company


async def test_the_trail_is_read_page_by_page_newest_first(site: Administration, company: Company) -> None:
    for number in range(5):
        await site.people.add(company.id, full_name=f"P{number}", personnel_number=str(number), actor="cli")
    first = await site.audit.list_(company.id, limit=4)
    rest = await site.audit.list_(company.id, limit=4, cursor=first.next_cursor)
    assert len(first.events) == 4
    assert rest.next_cursor is None
    ids = [event.id for event in (*first.events, *rest.events)]
    assert ids == sorted(ids, reverse=True)
    assert [event.name for event in rest.events] == ["user.created", "settings.changed"]


async def test_the_trail_can_be_asked_for_one_kind_of_event(site: Administration, company: Company) -> None:
    page = await site.audit.list_(name="settings.changed")
    assert [event.name for event in page.events] == ["settings.changed"]
    with pytest.raises(Problem, match="bad-request"):
        await site.audit.list_(name="no.such")
