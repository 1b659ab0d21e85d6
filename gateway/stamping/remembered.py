"""The presence of people as this process saw it last: who has just signed in need not be read again to stamp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.stamps import PresenceRow

PEOPLE_AT_MOST: Final = 4096
"""People remembered, about 3 MB; beyond, whoever was not seen for the longest time is read again."""


class RememberedPresence:
    """Presence rows by person, the latest version that was seen of each.

    Any of them may be old by now: another gateway, a correction or the command line may have changed it. So it is good
    for one thing alone, a write that is only done over this very version (`storage.stamps.commit_batch`). Nobody is
    refused anything by it.
    """

    def __init__(self, people_at_most: int = PEOPLE_AT_MOST) -> None:
        self._people_at_most = people_at_most
        self._rows: dict[str, PresenceRow] = {}
        self._connection_number = 0

    def of(self, user_ids: Iterable[str]) -> dict[str, PresenceRow]:
        """Return what is remembered of these people."""
        rows = self._rows
        return {user_id: rows[user_id] for user_id in user_ids if user_id in rows}

    def keep(self, rows: Iterable[PresenceRow], connection_number: int) -> None:
        """Remember `rows`, each unless a later version is: reading takes time, in which more may have happened.

        Of two rows of one version the one seen last counts: a restored backup may begin to count anew.
        `connection_number` is the writing connection's when they were asked for: if another was made since, they are
        too old.
        """
        self.forget_before(connection_number)
        if connection_number < self._connection_number:
            return
        known = self._rows
        for row in rows:
            user_id = row.user_id
            before = known.pop(user_id, None)
            known[user_id] = row if before is None or before.version <= row.version else before
        while len(known) > self._people_at_most:
            del known[next(iter(known))]

    def forget_before(self, connection_number: int) -> bool:
        """Forget everything that was seen before the writing connection of this number; tell whether there was one.

        A standby that has taken the server's place may lack the latest changes, and then count the same versions anew.
        """
        if connection_number <= self._connection_number:
            return False
        self._connection_number = connection_number
        self._rows.clear()
        return True

    def forget(self, user_ids: Iterable[str]) -> None:
        """Read these people anew the next time."""
        for user_id in user_ids:
            self._rows.pop(user_id, None)
