"""The signature gate: nothing of a kiosk request is believed before this has passed it.

The steps of docs/protocol.md in their order, cheapest first. The nonce is burnt last, so that nobody without a valid
key can burn one, and in the same Redis call that reads the employee's session:

1. target, authority, single fields, grammar, tag, components, parameters (no key needed)
2. the key is known to this process's device registry
3. created within 60 s, nonce authentic and fresh, digest over the raw body, signature
4. the device may act: state, key age, network
5. one Redis call: consume the nonce, read and touch the session
6. the session has not been ended by a deactivation or a reset

Only then does a handler see the body, as verified bytes. Every answer to a request whose `keyid` could be read carries
a fresh nonce.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from multidict import istr

from crypto import device_keys
from crypto.message_signatures import (
    ENROL_TAG,
    KIOSK_TAG,
    REKEY_TAG,
    IncomingRequest,
    SignatureInvalid,
    SignatureRefused,
)
from crypto.tokens import token_hash
from gateway.devices.lifecycle import DeviceState, state_now
from gateway.http.models import rfc3339
from gateway.http.plain_handler import PlainHandler
from gateway.http.problem_answers import from_error
from gateway.http.problems import Problem
from gateway.kiosk.enrolment_body import claimed_key
from gateway.kiosk.key_change import KeyChangeRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crypto.message_signatures import ClaimedSignature, VerifiedRequest, Verifier
    from crypto.nonces import Nonce, Nonces
    from gateway.clock import Clock
    from gateway.devices.key_change import KeyChanges
    from gateway.devices.last_seen import LastSeen
    from gateway.http.client_address import ClientAddresses
    from gateway.http.plain import PlainAnswer, PlainRequest
    from gateway.kiosk.replays import Replays
    from gateway.trust_feed.companies import CompanyRegistry
    from gateway.trust_feed.device_registry import DeviceRegistry, KnownDevice
    from gateway.trust_feed.endings import Endings
    from gateway.trust_feed.feed import TrustFeed
    from storage.ephemeral.device_trust import DeviceTrust, KioskSession, Outcome

    SignedHandler = Callable[[PlainRequest, "SignedRequest"], Awaitable[PlainAnswer]]
    EnrolmentHandler = Callable[[PlainRequest, "EnrolmentRequest"], Awaitable[PlainAnswer]]

REPLAY_NONCE: Final = istr("Replay-Nonce")
BEARER: Final = "Bearer "
TOKEN_LENGTH: Final = 43
"""Characters of a session token: 256 bits in base64url."""

_STATE_PROBLEMS: Final = {
    DeviceState.PENDING: "device-pending",
    DeviceState.SUSPENDED: "device-suspended",
    DeviceState.EXPIRED: "key-expired",
}


class SignedRequest(NamedTuple):
    """A request that passed the gate: who sent it, its verified bytes, and the employee's session if it carried one."""

    device: KnownDevice
    body: bytes
    now: float
    session: KioskSession | None
    session_hash: bytes | None


@dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """An enrolment that proved possession of its own key; no device is known yet.

    Anybody can make a key, so anybody gets this far: the handler counts the try first and then calls `burn_nonce`.
    """

    public_key: bytes
    body: bytes
    now: float
    burn_nonce: Callable[[], Awaitable[None]]


class KioskGate:
    """Wraps handlers so that only verified requests of devices that may act reach them."""

    def __init__(
        self,
        *,
        verifier: Verifier,
        nonces: Nonces,
        registry: DeviceRegistry,
        companies: CompanyRegistry,
        feed: TrustFeed,
        endings: Endings,
        trust: DeviceTrust,
        addresses: ClientAddresses,
        replays: Replays,
        last_seen: LastSeen,
        key_changes: KeyChanges,
        clock: Clock,
    ) -> None:
        self._verifier = verifier
        self._nonces = nonces
        self._registry = registry
        self._companies = companies
        self._feed = feed
        self._endings = endings
        self._trust = trust
        self._addresses = addresses
        self._replays = replays
        self._last_seen = last_seen
        self._key_changes = key_changes
        self._clock = clock

    def fresh_nonce(self, keyid: str) -> str:
        """Mint a nonce for `keyid` that no flush of Redis known to this process has voided."""
        return self._nonces.mint(keyid, self._clock(), not_before=self._trust.nonce_floor)

    def signed(
        self, handler: SignedHandler, *, session: bool = False, stamping: bool = False, pending: bool = False
    ) -> PlainHandler:
        """Return `handler` behind the gate.

        `session`: an employee must be signed in at this terminal. `stamping`: the session then ends 10 s later.
        `pending`: a device that waits for approval may call this.
        """

        async def guarded(request: PlainRequest) -> PlainAnswer:
            keyid: str | None = None
            try:
                claimed = self._read(request, KIOSK_TAG)
                keyid = claimed.keyid
                device = self._registry.get(keyid) if self._feed.is_fresh else None
                if device is None:
                    device = await self._find(keyid)
                now = self._clock()
                verified = self._verifier.verify(claimed, device.public_key, now)
                if now >= device.acts_until:
                    await self._key_changes.judge(device, verified.nonce.minted_at, now, request.id)
                self._may_act(device, now, request, pending=pending)
                token = _bearer_hash(verified) if session else None
                nonce = verified.nonce
                outcome, employee = await self._trust.admit(keyid, nonce.value, nonce.minted_at, now, token, stamping)
                if outcome != "admitted":
                    await self._refuse_used(outcome, device, nonce, request, now)
                if device.key_state == "offered":
                    device = await self._key_changes.first_use(device, now, request.id)
                self._last_seen.note(device.device_id, now)
                if session:
                    self._in_session(employee, device)
                answer = await handler(request, SignedRequest(device, verified.body, now, employee, token))
            except Exception as error:
                raise self._refusal(error, keyid) from error
            answer.fields[REPLAY_NONCE] = self.fresh_nonce(keyid)
            return answer

        return PlainHandler(guarded)

    def enrolling(self, handler: EnrolmentHandler) -> PlainHandler:
        """Return `handler` behind the gate for enrolments, where the key that signed is in the signed body itself."""

        async def guarded(request: PlainRequest) -> PlainAnswer:
            keyid: str | None = None
            try:
                claimed = self._read(request, ENROL_TAG)
                keyid = claimed.keyid
                now = self._clock()
                self._verifier.check_freshness(claimed, now)
                public_key = claimed_key(self._verifier.verify_digest(claimed))
                if device_keys.thumbprint(public_key) != keyid:
                    raise SignatureInvalid("keyid is not the thumbprint of jwk")
                verified = self._verifier.verify(claimed, public_key, now)
                enrolment = EnrolmentRequest(
                    public_key, verified.body, now, functools.partial(self._consume, verified, request, now)
                )
                answer = await handler(request, enrolment)
            except Exception as error:
                raise self._refusal(error, keyid) from error
            answer.fields[REPLAY_NONCE] = self.fresh_nonce(keyid)
            return answer

        return PlainHandler(guarded)

    def changing_key(self, handler: Callable[[PlainRequest, KeyChangeRequest], Awaitable[PlainAnswer]]) -> PlainHandler:
        """Return `handler` behind the gate for key changes: the device's key signs as ever, the new one beside it."""

        async def guarded(request: PlainRequest) -> PlainAnswer:
            keyid: str | None = None
            try:
                claimed = self._read(request, KIOSK_TAG)
                keyid = claimed.keyid
                claimed_new = self._read(request, REKEY_TAG)
                device = await self._find(keyid)
                now, request_id = self._clock(), request.id
                verified = self._verifier.verify(claimed, device.public_key, now)
                self._verifier.check_freshness(claimed_new, now)
                public_key = claimed_key(verified.body)
                if device_keys.thumbprint(public_key) != claimed_new.keyid:
                    raise SignatureInvalid("keyid of the new signature is not the thumbprint of jwk")
                verified_new = self._verifier.verify(claimed_new, public_key, now)
                await self._key_changes.judge(device, verified.nonce.minted_at, now, request_id)
                self._may_act(device, now, request, pending=False)
                await self._consume(verified, request, now, device)
                await self._consume(verified_new, request, now, device)
                if device.key_state == "offered":
                    device = await self._key_changes.first_use(device, now, request_id)
                self._last_seen.note(device.device_id, now)
                answer = await handler(request, KeyChangeRequest(device, public_key, verified.body, now))
            except Exception as error:
                raise self._refusal(error, keyid) from error
            answer.fields[REPLAY_NONCE] = self.fresh_nonce(keyid)
            return answer

        return PlainHandler(guarded)

    def _read(self, request: PlainRequest, tag: str) -> ClaimedSignature:
        incoming = IncomingRequest(request.method, request.raw_path, request.raw_headers, request.body)
        return self._verifier.read(incoming, tag)

    async def _find(self, keyid: str) -> KnownDevice:
        """Return a device this process did not know a moment ago."""
        if not self._feed.is_fresh:
            raise Problem("state-unavailable", cause="the trust feed is too old")
        device = await self._registry.find(keyid)
        if device is None:
            raise Problem("device-unknown", cause="no device has this key")
        return device

    def _may_act(self, device: KnownDevice, now: float, request: PlainRequest, *, pending: bool) -> None:
        """Refuse what a genuine device may not do; told only after its signature was verified."""
        if now >= device.acts_until:
            self._require_state(device, now, pending=pending)
        # A terminal's own networks replace the company's, so that one of many can stand elsewhere.
        networks = device.networks or self._companies.kiosk_networks(device.company_id)
        if networks:
            address = self._addresses.of(request)
            if not any(address in network for network in networks):
                raise Problem("network-not-allowed")

    def _require_state(self, device: KnownDevice, now: float, *, pending: bool) -> None:
        state = state_now(
            device.state,
            now,
            enrolment_started_at=device.enrolment_started_at,
            key_expires_at=device.key_expires_at,
        )
        if state is DeviceState.REVOKED:
            raise Problem("device-revoked")
        if device.key_state == "blocked" or state is DeviceState.REGISTERED:
            raise Problem("device-unknown", cause="this key no longer belongs to a device")
        if state is not DeviceState.ACTIVE and not (pending and state is DeviceState.PENDING):
            raise Problem(_STATE_PROBLEMS[state])

    async def _consume(
        self, verified: VerifiedRequest, request: PlainRequest, now: float, device: KnownDevice | None = None
    ) -> None:
        nonce = verified.nonce
        outcome, _ = await self._trust.admit(verified.keyid, nonce.value, nonce.minted_at, now)
        if outcome != "admitted":
            await self._refuse_used(outcome, device, nonce, request, now)

    async def _refuse_used(
        self, outcome: Outcome, device: KnownDevice | None, nonce: Nonce, request: PlainRequest, now: float
    ) -> NoReturn:
        if outcome == "replayed":
            await self._replays.report(device, nonce.value, request, now)
            raise Problem("nonce-replayed")
        raise Problem("bad-nonce", cause="minted before Redis was filled anew")

    def _in_session(self, session: KioskSession | None, device: KnownDevice) -> None:
        if session is None:
            raise Problem("session-expired", cause="no such session at this terminal")
        if self._endings.has_ended(session.trust_seq, session.user_id, device.device_id):
            raise Problem("session-expired", cause="ended by a change of trust")

    def _refusal(self, error: Exception, keyid: str | None) -> Exception:
        """Return what to raise for `error`: a problem that carries a fresh nonce where the key could be read."""
        if isinstance(error, SignatureRefused) and keyid is None:
            keyid = error.keyid
        problem = from_error(error)
        if problem is None:
            return error
        if keyid is not None:
            problem.headers[REPLAY_NONCE] = self.fresh_nonce(keyid)
        if problem.name == "clock-skew":
            problem.members["server_time"] = rfc3339(self._clock())
        return problem


def _bearer_hash(verified: VerifiedRequest) -> bytes:
    """Return the SHA-256 of the session token in the covered Authorization field."""
    value = verified.authorization
    if value is None or not value.startswith(BEARER) or len(value) != len(BEARER) + TOKEN_LENGTH:
        raise Problem("session-expired", cause="no session token")
    return token_hash(value[len(BEARER) :])
