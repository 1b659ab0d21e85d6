"""Whether somebody outside could tell one thing from another: by what an answer says, or by how long it takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tests.gateway.raw_http import RawReply
    from tests.gateway.terminal import Reply

OWN_TO_EACH_ANSWER = frozenset({"x-request-id", "replay-nonce", "date"})


def seen(reply: Reply | RawReply, own: Collection[str] = OWN_TO_EACH_ANSWER) -> tuple[int, dict[str, str], Any]:
    """All of an answer that could tell; `own`: fields that each answer has anew."""
    headers = {name: value for name, value in reply.headers.items() if name.lower() not in own}
    body = reply.body if reply.body is None else {**reply.body, "request_id": ""}
    return reply.status, headers, body


def chance_of_equal(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the two-sided p of the Mann-Whitney test: how likely such ranks are if both come from the same source.

    Normal approximation (good from 8 samples each); equal values share their rank.
    """
    pooled = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    ranks: dict[float, list[int]] = {}
    for rank, (value, _) in enumerate(pooled, 1):
        ranks.setdefault(value, []).append(rank)
    rank_sum = sum(sum(ranks[value]) / len(ranks[value]) for value in one)
    n, m = len(one), len(other)
    u = rank_sum - n * (n + 1) / 2
    z = (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))
