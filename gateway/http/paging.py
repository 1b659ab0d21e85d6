"""Lists page by page: how much of one is asked for, and where the next page begins."""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

from pydantic import Field

from gateway.http.fields import Id
from gateway.http.models import Body

Item = TypeVar("Item")

PAGE_SIZE: Final = 100
PAGE_LIMIT: Final = 500
"""Items of one page, unless asked for otherwise and at most: a screenful, and what is quickly read and sent."""

Limit = Annotated[int, Field(ge=1, le=PAGE_LIMIT)]


class PageQuery(Body):
    """Which page of a list: that behind the item which `cursor` names, as the page before said."""

    cursor: Id | None = None
    limit: Limit = PAGE_SIZE


def cut(items: list[Item], limit: int) -> tuple[list[Item], Item | None]:
    """Return a page of a list that was read one item further than `limit`, and its last item if there are more."""
    page = items[:limit]
    return page, page[-1] if len(items) > limit else None
