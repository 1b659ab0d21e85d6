"""What `doctor proxy` asks of answers: from the gateway itself, each once, unchanged, and also when it takes long."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

from gateway.cli.deployment import NoAnswer
from gateway.cli.proxy_advice import advice
from gateway.cli.proxy_probes import BASE, NotOurAnswer, Probes, Row
from gateway.proxy_probe.service import RETRY_AFTER, STATUSES

SLOW_SECONDS: Final = 10
"""As long as the gateway itself waits for its database."""

DROPS: Final = 3
CLOCK_TOLERANCE: Final = 5.0


class AnswerChecks(Probes):
    """The checks of answers."""

    async def answers(self) -> list[Row]:
        """Refusals and their fields: terminals live by them."""
        rows = []
        for status in STATUSES.values():
            sent = f"answer {status}"
            try:
                reply, seen = await self._probe("GET", f"{BASE}/answer", ask=f"status={status}")
            except (NoAnswer, NotOurAnswer) as error:
                rows.append(Row("fault", "answer", sent, str(error), advice("answer", self._server)))
                continue
            lost = [] if reply.status == status else [f"status {reply.status}"]
            wanted = {"replay-nonce": seen.replay_nonce, "content-type": "application/json"}
            if status in (429, 503):
                wanted["retry-after"] = RETRY_AFTER
            if status == 401:
                wanted["www-authenticate"] = 'Signature realm="stampgate"'
            lost += [
                f"{name}: {reply.one(name) or 'missing'}" for name, meant in wanted.items() if reply.one(name) != meant
            ]
            if not _same_time(reply.one("date"), seen.now):
                lost.append(f"date: {reply.one('date') or 'missing'}")
            rows.append(self._judge(not lost, "answer", sent, "; ".join(lost) or "unchanged", "answer"))
        return rows

    async def cache(self) -> list[Row]:
        """Each answer is the gateway's own, none from a cache."""
        sent = "the same target twice"
        try:
            for _ in range(2):
                reply, _ = await self._probe("GET", f"{BASE}/cached?one=same")
        except NotOurAnswer as error:
            return [Row("fault", "caching", sent, str(error), advice("cache", self._server))]
        age, kept = reply.one("age"), reply.one("cache-control")
        good = not age and "no-store" in kept
        return [self._judge(good, "caching", sent, "answered anew" if good else f"Age {age}, {kept}", "cache")]

    async def compression(self) -> list[Row]:
        """An answer is compressed for nobody who did not ask, and better for nobody."""
        reply, _ = await self._probe("GET", f"{BASE}/plain")
        coded = reply.one("content-encoding")
        rows = [self._judge(not coded, "compression", "nothing accepted", coded or "none", "compression")]
        accepted = [("Accept-Encoding", "gzip, br, zstd")]
        reply, _ = await self._send("GET", f"{BASE}/plain", accepted)
        coded = reply.one("content-encoding")
        sent = "Accept-Encoding: gzip"
        rows.append(
            Row(
                "note",
                "compression",
                sent,
                coded,
                f"better not for secrets beside chosen text. {advice('compression', self._server)}",
            )
            if coded
            else Row("ok", "compression", sent, "none")
        )
        return rows

    async def slow(self) -> list[Row]:
        """An answer may take as long as the gateway waits for its database."""
        sent = f"an answer after {SLOW_SECONDS} s"
        try:
            await self._probe("GET", f"{BASE}/slow", ask=f"wait={SLOW_SECONDS}")
        except (NoAnswer, NotOurAnswer) as error:
            return [Row("fault", "patience", sent, str(error), advice("time", self._server))]
        return [Row("ok", "patience", sent, "came through")]

    async def dropped(self) -> list[Row]:
        """A connection lost in the middle: the proxy must say so, and not send the request once more."""
        sent, again = "a request that is never answered", 0
        for _ in range(DROPS):
            await self._probe("GET", BASE)  # leaves a connection behind to send the next one on
            try:
                await self._probe("GET", f"{BASE}/dropped", ask="drop")
            except (NoAnswer, NotOurAnswer):
                continue
            again += 1
        return [self._judge(not again, "sent once", sent, "sent again" if again else "an error", "retry")]


def _same_time(date: str, now: float) -> bool:
    try:
        return abs(parsedate_to_datetime(date).timestamp() - now) <= CLOCK_TOLERANCE
    except ValueError:
        return False
