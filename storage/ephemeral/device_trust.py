"""Admission of signed requests: each nonce once, and the terminal's employee session, in one call of the store.

This is the store's hot path: every kiosk request passes here once. All requests of one moment travel in one ``EVALSHA``
(on a cluster, one per bucket), packed by hand, and the answer is one small array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from zlib import crc32

from storage.ephemeral.commands import Argument, Command, Reply, Script, bulk
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

BUCKETS = tuple(f"{{b{number:02x}}}" for number in range(64))
"""Hash tags: everything one admission needs is on one node of a cluster, and the terminals spread over the nodes."""

SESSION_SECONDS = 900
"""A terminal's session ends so long after sign-in, whatever happens (policy, kiosk tier)."""

IDLE_SECONDS = 60
"""And so long after the last request admitted with it."""

AFTER_STAMP_SECONDS = 10
"""And at the latest so long after a stamp, so that the next person never stamps for the last one."""

GARBAGE_SECONDS = SESSION_SECONDS + 300
"""When Redis may drop a session: later than any end above, also with clocks that differ."""

SCRIPT = Script.load("device_trust")


class KioskSession(NamedTuple):
    """Who is signed in at a terminal. ``trust_seq`` is the trust feed's number at sign-in, ``started`` in seconds."""

    user_id: str
    company_id: str
    trust_seq: int
    started: float


Outcome: TypeAlias = Literal["admitted", "replayed", "unborn"]


class Admission(NamedTuple):
    """Whether the request's nonce was fresh, and the session its token opened on this terminal.

    ``unborn``: the nonce is older than what the store can vouch for; the client re-signs with a new one.
    """

    outcome: Outcome
    session: KioskSession | None = None


_EVALSHA = bulk("EVALSHA", SCRIPT.sha)
_ANY_KEY = bulk(f"{BUCKETS[0]}:born")
_ADMIT = bulk("admit")
_PERIODS = bulk(IDLE_SECONDS * 1000, AFTER_STAMP_SECONDS * 1000)

_ADMITTED = Admission("admitted")
_REPLAYED = Admission("replayed")
_UNBORN = Admission("unborn")


class _Request(NamedTuple):
    """One admission, its arguments packed already: bucket, keyid, nonce, minted at, now, claim."""

    bucket: str
    keyid: str
    nonce: str
    wire: bytes


class DeviceTrust:
    """Consumed nonces and terminal sessions. ``observe`` is told the size of each batch of admissions."""

    def __init__(self, ephemeral: Ephemeral, *, observe: Callable[[int], None] | None = None) -> None:
        self._ephemeral = ephemeral
        self._floor = 0
        self._latest = 0
        flush = self._admit_by_bucket if ephemeral.is_cluster else self._admit_at_once
        self._admissions = ephemeral.batcher(flush, name="device_trust", observe=observe)

    @property
    def nonce_floor(self) -> int:
        """Unix seconds: nonces minted earlier may be refused as unborn, so mint with ``not_before`` this."""
        return self._floor

    async def announce(self, now: float, floor: int = 0) -> None:
        """At a gateway's start: gives every bucket without a birth one, so that terminals need not sign twice.

        ``floor`` (Unix seconds) is the latest time this gateway may have minted for. Raises ``EphemeralUnavailable``.
        """
        arguments: list[Argument] = ["announce", int(now), max(floor, self._floor, self._latest)]
        if self._ephemeral.is_cluster:
            commands = [Command.run(SCRIPT, [f"{bucket}:born"], [*arguments, bucket]) for bucket in BUCKETS]
        else:
            commands = [Command.run(SCRIPT, [f"{BUCKETS[0]}:born"], [*arguments, *BUCKETS])]
        for outcome in await self._ephemeral.run(commands):
            if isinstance(outcome, Exception):
                raise outcome
            self._learn(outcome)

    async def admit(
        self,
        keyid: str,
        nonce_value: str,
        minted_at: int,
        now: float,
        token_hash: bytes | None = None,
        stamping: bool = False,
    ) -> Admission:
        """Consumes a verified request's nonce and, with ``token_hash``, reads and touches its session.

        ``minted_at`` is the time inside the authentic nonce. ``stamping`` lets the session end ten seconds from now.
        Raises ``EphemeralUnavailable``; the nonce may then be consumed or not, so the client must sign anew.
        """
        claim = "" if token_hash is None else f"{'s' if stamping else 'r'}{token_hash.hex()}"
        bucket = bucket_of(keyid)
        wire = (
            f"$5\r\n{bucket}\r\n${len(keyid)}\r\n{keyid}\r\n${len(nonce_value)}\r\n{nonce_value}\r\n"
            f"$10\r\n{minted_at:010d}\r\n$13\r\n{int(now * 1000):013d}\r\n${len(claim)}\r\n{claim}\r\n"
        ).encode("ascii")
        if minted_at > self._latest:
            self._latest = minted_at
        return await self._admissions.submit(_Request(bucket, keyid, nonce_value, wire))

    async def open_session(self, keyid: str, token_hash: bytes, fields: KioskSession, now: float) -> None:
        """The terminal's one session from ``now``; one it had before is over. Raises ``EphemeralUnavailable``."""
        started = int(now * 1000)
        value = (
            f"{token_hash.hex()}{started + SESSION_SECONDS * 1000:013d}{started:013d}"
            f"{fields.user_id}|{fields.company_id}|{fields.trust_seq}|{fields.started!r}"
        )
        await self._ephemeral.command("SET", f"{bucket_of(keyid)}:s:{keyid}", value, "EX", GARBAGE_SECONDS)

    async def end_session(self, keyid: str, token_hash: bytes | None = None) -> None:
        """Ends the terminal's session if it is that token's; without a token, whichever it has.

        Raises ``EphemeralUnavailable``.
        """
        bucket = bucket_of(keyid)
        claim = "" if token_hash is None else token_hash.hex()
        await self._ephemeral.call(SCRIPT, [f"{bucket}:s:{keyid}"], ["end", bucket, keyid, claim])

    async def _admit_at_once(self, requests: list[_Request]) -> list[Admission | Exception]:
        """One script for all: on one node the buckets' keys may meet in it."""
        head = self._head(len(requests), _ANY_KEY)
        wire = b"".join([head, *[request.wire for request in requests]])
        return self._read((await self._ephemeral.run([Command(wire, "", SCRIPT)]))[0], len(requests))

    async def _admit_by_bucket(self, requests: list[_Request]) -> list[Admission | Exception]:
        """One script per bucket, each naming all its keys.

        A cluster then answers TRYAGAIN while a bucket moves between nodes. Were the nonce's key not named, it could run
        the script on the new node while the consumed nonce is still on the old one.
        """
        places: dict[str, list[int]] = {}
        for at, request in enumerate(requests):
            places.setdefault(request.bucket, []).append(at)
        commands = []
        for bucket, ats in places.items():
            keys = [f"{bucket}:born"]
            for at in ats:
                keys += (f"{bucket}:n:{requests[at].nonce}", f"{bucket}:s:{requests[at].keyid}")
            head = self._head(len(ats), bulk(*keys), len(keys))
            wire = b"".join([head, *[requests[at].wire for at in ats]])
            commands.append(Command(wire, keys[0], SCRIPT))
        admissions: list[Admission | Exception] = [_UNBORN] * len(requests)
        for ats, answer in zip(places.values(), await self._ephemeral.run(commands), strict=True):
            for at, admission in zip(ats, self._read(answer, len(ats)), strict=True):
                admissions[at] = admission
        return admissions

    def _head(self, requests: int, keys: bytes, count: int = 1) -> bytes:
        """The command up to the requests: its length, the script, its ``count`` keys and what all its requests share.

        Written out because packing these few arguments one by one costs as much as two whole admissions.
        """
        latest = max(self._floor, self._latest)
        return b"*%d\r\n%b$%d\r\n%d\r\n%b%b$10\r\n%010d\r\n%b" % (
            7 + count + 6 * requests,
            _EVALSHA,
            len(str(count)),
            count,
            keys,
            _ADMIT,
            latest,
            _PERIODS,
        )

    def _read(self, answer: Reply | Exception, expected: int) -> list[Admission | Exception]:
        if isinstance(answer, Exception):
            return [answer] * expected
        if not isinstance(answer, list) or len(answer) != expected + 1:
            return [EphemeralUnavailable("the ephemeral store gave an answer of another shape")] * expected
        self._learn(answer[0])
        admissions: list[Admission | Exception] = []
        for one in answer[1:]:
            if one == 0:
                admissions.append(_ADMITTED)
            elif isinstance(one, bytes):
                user_id, company_id, trust_seq, started = one.decode().split("|")
                session = KioskSession(user_id, company_id, int(trust_seq), float(started))
                admissions.append(Admission("admitted", session))
            else:
                admissions.append(_REPLAYED if one == 1 else _UNBORN)
        return admissions

    def _learn(self, born: Reply) -> None:
        if isinstance(born, int) and born > self._floor:
            self._floor = born


def bucket_of(keyid: str) -> str:
    """The hash tag of a terminal's keys, the same in every process and version."""
    return BUCKETS[crc32(keyid.encode()) & 63]
