"""The PIN guard: every attempt is reserved before its hash is computed and settled after it (policy, "Lockout").

Checking first and counting afterwards lets all of many parallel guesses through a limit; here a number's consecutive
wrong tries and those in flight never exceed it together. One script covers all scopes of an attempt: the number, the
kiosk, and on phones the source address and the company. The guard sees keyed hashes of numbers only, so it cannot tell
known from unknown ones.

An attempt without a result for ten seconds is a wrong one of its tenth second. The next call about its company finds
it, whoever that call is for, and reports the locks that began by it.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from storage.ephemeral.commands import Argument, Reply, Script
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

Tier: TypeAlias = Literal["kiosk", "phone"]
Scope: TypeAlias = Literal["number", "device", "company", "source"]
Reason: TypeAlias = Literal["consecutive", "daily", "pause"]

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SCRIPT = Script.load("pin_guard")


@dataclass(frozen=True, slots=True)
class Limits:
    """The lockout policy of one tier. Times in seconds; a limit of 0 means the tier does not have that scope.

    The order of the fields is the order of the script's arguments.
    """

    flight: float = 10
    """So long an attempt may be in flight before it is a wrong one."""
    consecutive: int = 5
    """Wrong tries in a row, with those in flight, that one number may have."""
    lock: float = 5 * MINUTE
    """The first lock of a number; each further one takes twice as long, up to ``lock_cap``."""
    lock_cap: float = HOUR
    ladder_reset: float = DAY
    """So long after a lock's end the next one is a first one again."""
    daily: int = 20
    """Wrong tries of one number within ``day``; then it waits until the oldest leaves that window."""
    day: float = DAY
    device: int = 0
    """Wrong tries on one kiosk within ``device_window``; then it pauses for ``device_pause``."""
    device_window: float = HOUR
    device_pause: float = 15 * MINUTE
    company: int = 0
    """Wrong tries in one company within ``company_window``; then the tier pauses there for ``company_pause``."""
    company_window: float = HOUR
    company_pause: float = 15 * MINUTE
    source: int = 0
    """Wrong tries from one address within ``source_window``; from then on one try per ``source_gap``, never a block."""
    source_window: float = HOUR
    source_gap: float = 5

    def arguments(self) -> tuple[int, ...]:
        """For the script: counts as they are, times in milliseconds."""
        counts = {"consecutive", "daily", "device", "company", "source"}
        values: dict[str, float] = dict(zip(Limits.__slots__, astuple(self), strict=True))
        return tuple(int(value) if name in counts else round(value * 1000) for name, value in values.items())


KIOSK_LIMITS = Limits(device=60)

PHONE_LIMITS = Limits(lock=15 * MINUTE, lock_cap=DAY, daily=10, company=100, source=30)

LIMITS: Mapping[str, Limits] = MappingProxyType({"kiosk": KIOSK_LIMITS, "phone": PHONE_LIMITS})


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a PIN: a unique ``id``, ``number`` as keyed hash in hex, and where it comes from.

    ``device_id`` on kiosks; ``source``, an address key, on phones. Raises ``ValueError`` for a ``|`` in the others.
    """

    id: str
    company_id: str
    tier: Tier
    number: str
    device_id: str | None = None
    source: str | None = None

    def __post_init__(self) -> None:
        if "|" in self.id + self.number + (self.device_id or ""):
            raise ValueError("'|' separates the fields of an attempt and cannot be in one")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock or pause that has begun, for the audit: of what, why, and from when until when (Unix seconds).

    ``subject`` is the number's keyed hash, the device id or the company id. It need not be the attempt's own: attempts
    of others that got no result are settled along the way. Such a lock may have ended already.
    """

    scope: Scope
    subject: str
    reason: Reason
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Reserved:
    """The attempt may be hashed, within ten seconds. ``position``: its number's attempts in flight, this included."""

    position: int
    locks: tuple[Lock, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Throttled:
    """The attempt is neither hashed nor counted. ``retry_after``: whole seconds, of the scope that refuses longest."""

    scope: Scope
    retry_after: int
    locks: tuple[Lock, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Settled:
    """``in_time`` is false when the attempt's ten seconds were over: it counts as wrong and must let nobody in."""

    in_time: bool
    locks: tuple[Lock, ...] = field(default=())


class PinGuard:
    """Counts PIN attempts of all scopes. All methods raise ``EphemeralUnavailable``; then nobody may be let in."""

    def __init__(self, ephemeral: Ephemeral, limits: Mapping[str, Limits] = LIMITS) -> None:
        self._ephemeral = ephemeral
        self._limits = {tier: of_tier.arguments() for tier, of_tier in limits.items()}

    async def reserve(self, attempt: Attempt, now: float) -> Reserved | Throttled:
        """Takes one of the number's tries, or says which scope refuses and for how long."""
        granted, scope, amount, locks = _shaped(await self._call("reserve", attempt, now), 4)
        begun = _locks(attempt.company_id, locks)
        if granted == 1:
            return Reserved(_integer(amount), begun)
        return Throttled(cast("Scope", _text(scope)), -(-_integer(amount) // 1000), begun)

    async def right(self, attempt: Attempt, now: float) -> Settled:
        """The PIN was right: the attempt leaves every scope, the consecutive count is 0 and the ladder at its start."""
        return await self._settle("right", attempt, now)

    async def wrong(self, attempt: Attempt, now: float) -> list[Lock]:
        """The PIN was wrong. The locks that began by it, or by attempts whose time was over."""
        return list((await self._settle("wrong", attempt, now)).locks)

    async def release(self, attempt: Attempt, now: float) -> list[Lock]:
        """The attempt was never hashed: it leaves every scope uncounted. The locks that began meanwhile."""
        return list((await self._settle("release", attempt, now)).locks)

    async def clear(self, company_id: str, tier: Tier, scope: Scope, subject: str, seq: int, now: float) -> None:
        """Unlocks one subject and forgets its wrong tries, but for those in flight.

        ``seq`` is the unlock's number in the trust feed. Every gateway process applies each unlock; one that was
        applied already, or is older than the last, changes nothing.
        """
        base = _base(company_id, tier)
        key = f"{base}:company" if scope == "company" else f"{base}:{scope}:{subject}"
        arguments: list[Argument] = [base, "unlock", _milliseconds(now), seq, scope, subject]
        await self._ephemeral.call(SCRIPT, [key, f"{key}:wrong"], arguments)

    async def _settle(self, operation: str, attempt: Attempt, now: float) -> Settled:
        in_time, locks = _shaped(await self._call(operation, attempt, now), 2)
        return Settled(in_time == 1, _locks(attempt.company_id, locks))

    async def _call(self, operation: str, attempt: Attempt, now: float) -> Reply:
        base, device, source = _base(attempt.company_id, attempt.tier), attempt.device_id or "", attempt.source or ""
        # All keys of the attempt are named, so that a cluster answers TRYAGAIN while their slot moves between nodes.
        keys = [f"{base}:open"]
        for subject in (f"number:{attempt.number}", f"device:{device}", f"source:{source}", "company"):
            keys += (f"{base}:{subject}", f"{base}:{subject}:wrong")
        return await self._ephemeral.call(
            SCRIPT,
            keys,
            [
                base,
                operation,
                _milliseconds(now),
                attempt.id,
                attempt.number,
                device,
                source,
                *self._limits[attempt.tier],
            ],
        )


def _base(company_id: str, tier: Tier) -> str:
    return f"{{{company_id}}}:pin:{tier}"


def _milliseconds(now: float) -> int:
    """Whole milliseconds: exact in Lua's doubles, in sorted sets and in replies alike."""
    return int(now * 1000)


def _locks(company_id: str, flat: Reply) -> tuple[Lock, ...]:
    values = flat if isinstance(flat, list) else []
    return tuple(
        Lock(
            cast("Scope", _text(scope)),
            _text(subject) or company_id,
            cast("Reason", _text(reason)),
            _integer(since) / 1000,
            _integer(until) / 1000,
        )
        for scope, subject, reason, since, until in zip(*[iter(values)] * 5, strict=True)
    )


def _shaped(answer: Reply, length: int) -> list[Reply]:
    if not isinstance(answer, list) or len(answer) != length:
        raise EphemeralUnavailable("the ephemeral store gave an answer of another shape")
    return answer


def _integer(value: Reply) -> int:
    if not isinstance(value, int):
        raise EphemeralUnavailable("the ephemeral store gave an answer of another shape")
    return value


def _text(value: Reply) -> str:
    if not isinstance(value, bytes):
        raise EphemeralUnavailable("the ephemeral store gave an answer of another shape")
    return value.decode()
