"""The composition root of a serving process: what it holds beyond `gateway.administration`.

Nothing but these two files constructs a service, so they say what the product is made of.
"""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from crypto.message_signatures import Verifier
from crypto.nonces import Nonces
from crypto.sealing import Seal
from gateway.accounts.gate import AccountGate
from gateway.accounts.invitations import Invitations
from gateway.accounts.own_account import OwnAccount
from gateway.accounts.password_check import PasswordCheck
from gateway.accounts.registration import Registration
from gateway.accounts.resets import PasswordResets
from gateway.accounts.sessions import Sessions
from gateway.accounts.source_quota import SourceQuotas
from gateway.administration import open_administration
from gateway.clock import new_id
from gateway.devices.heartbeats import Heartbeats
from gateway.devices.key_change import KeyChanges
from gateway.devices.last_seen import LastSeen
from gateway.housekeeping import Housekeeping
from gateway.http.client_address import ClientAddresses
from gateway.kiosk.gate import KioskGate
from gateway.kiosk.key_change import CHANGES_PER_HOUR
from gateway.kiosk.replays import Replays
from gateway.mail.service import Mailer
from gateway.metrics import Metrics
from gateway.people.slip_jobs import SlipJobs
from gateway.phone.dead_posters import DeadPosters
from gateway.phone.posters import Posters
from gateway.pin_login.hashing import HashPool
from gateway.pin_login.own_pin import OwnPin
from gateway.pin_login.service import PinLogin
from gateway.proxy_probe.service import ProbeAnswers
from gateway.proxy_probe.tokens import PROBE_KEY, ProbeTokens
from gateway.stamping.service import Stamping
from gateway.trust_feed.cleared_locks import ClearedLocks
from gateway.trust_feed.companies import CompanyRegistry
from gateway.trust_feed.device_registry import DeviceRegistry
from gateway.trust_feed.endings import Endings
from gateway.trust_feed.feed import TrustFeed
from storage.ephemeral.attempt_quota import AttemptQuota
from storage.ephemeral.connection import Ephemeral, EphemeralUnavailable
from storage.ephemeral.device_trust import DeviceTrust
from storage.ephemeral.phone_sessions import PhoneSessions
from storage.ephemeral.pin_guard import PinGuard
from storage.journal import Journal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.administration import Administration
    from gateway.clock import Clock, Randomness
    from gateway.settings import Settings

NONCE_KEY: Final = "nonce"
SLIP_KEY: Final = "pin slips"
"""Names of the purpose keys; a name never changes, or what it protects becomes unreadable."""


REGISTRATIONS_PER_HOUR: Final = 10
RESETS_PER_HOUR: Final = 20
"""Requests from one source address, where a whole office may sit. Counted in Redis as enrolment codes are, so that all
processes count together; while it is away nobody registers or resets, but signing in goes on."""

QUOTA_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Everything one serving process holds; the routes take from here what they need."""

    administration: Administration
    ephemeral: Ephemeral
    metrics: Metrics
    feed: TrustFeed
    companies_known: CompanyRegistry
    registry: DeviceRegistry
    endings: Endings
    cleared_locks: ClearedLocks
    device_trust: DeviceTrust
    phone_sessions: PhoneSessions
    enrolment_quota: AttemptQuota
    key_changes: KeyChanges
    key_change_quota: AttemptQuota
    addresses: ClientAddresses
    probes: ProbeAnswers
    gate: KioskGate
    account_gate: AccountGate
    sessions: Sessions
    own_account: OwnAccount
    password_resets: PasswordResets
    registration: Registration
    source_quotas: SourceQuotas
    registration_quota: AttemptQuota
    reset_quota: AttemptQuota
    invitations: Invitations
    mailer: Mailer
    journal: Journal
    pin_login: PinLogin
    own_pin: OwnPin
    posters: Posters
    dead_posters: DeadPosters
    slip_jobs: SlipJobs
    stamping: Stamping
    heartbeats: Heartbeats
    last_seen: LastSeen


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    *,
    bound_port: int,
    clock: Clock = time.time,
    randomness: Randomness = os.urandom,
) -> AsyncIterator[Gateway]:
    """Build a serving process; at the end of the block everything accepted is finished before anything closes.

    Raises as `open_administration`. Redis need not be there: the gateway starts and refuses until it is.
    """
    metrics = Metrics()
    feeds: list[TrustFeed] = []

    def changed() -> None:
        for one in feeds:
            one.wake()

    async with AsyncExitStack() as closing:
        administration = await closing.enter_async_context(
            open_administration(
                settings,
                clock=clock,
                randomness=randomness,
                metrics=metrics,
                changed=changed,
                bound_port=bound_port,
            )
        )
        database, secrets = administration.database, administration.secrets
        ephemeral = Ephemeral.open(settings.redis_url)
        closing.push_async_callback(ephemeral.close)

        guard = PinGuard(ephemeral)
        device_trust = DeviceTrust(ephemeral, observe=metrics.batch_observer("device_trust"))
        with suppress(EphemeralUnavailable):  # later the first request does it, and its terminal signs twice
            await device_trust.announce(clock())
        await database.connect_rows()
        feed = TrustFeed(database, clock)
        feeds.append(feed)
        companies_known, registry, endings = CompanyRegistry(), DeviceRegistry(feed), Endings()
        cleared = ClearedLocks(guard, clock)
        feed.follow(companies_known.follow, companies_known.load)
        feed.follow(registry.follow, registry.load)
        feed.follow(endings.follow)
        feed.follow(cleared.follow)

        journal = Journal(database, observe=metrics.batch_observer("journal"))
        closing.push_async_callback(journal.drain)
        nonces = Nonces(secrets.purpose_keys(NONCE_KEY), secrets.current_version, randomness)
        addresses = ClientAddresses(settings.trusted_proxies, settings.forwarded_header)
        last_seen = LastSeen(database)
        key_changes = KeyChanges(
            database=database, registry=registry, feed=feed, clock=clock, new_id=new_id, changed=changed
        )
        scheme, authorities = urlsplit(administration.public_url).scheme, settings.authorities(bound_port)
        probes = ProbeAnswers(
            tokens=ProbeTokens(secrets.purpose_keys(PROBE_KEY), secrets.current_version, randomness),
            addresses=addresses,
            authorities=authorities,
            public_url=administration.public_url,
            scheme=scheme,
            clock=clock,
        )
        gate = KioskGate(
            verifier=Verifier(authorities, nonces, scheme),
            nonces=nonces,
            registry=registry,
            companies=companies_known,
            feed=feed,
            endings=endings,
            trust=device_trust,
            addresses=addresses,
            replays=Replays(journal, new_id),
            last_seen=last_seen,
            key_changes=key_changes,
            clock=clock,
        )
        gateway_key = secrets.gateway_key
        account_gate = AccountGate(
            database=database,
            journal=journal,
            public_keys={gateway_key.keyid: gateway_key.public_key},
            clock=clock,
        )
        sessions = Sessions(database=database, gateway_key=gateway_key, clock=clock, new_id=new_id)
        mailer = Mailer(server=settings.smtp_server, sender=settings.mail_sender, clock=clock, metrics=metrics)
        closing.push_async_callback(mailer.close)
        check = PasswordCheck(
            database=database,
            guard=administration.account_guard,
            hashing=administration.passwords,
            metrics=metrics,
            clock=clock,
            new_id=new_id,
        )
        own_account = OwnAccount(
            database=database,
            check=check,
            hashing=administration.passwords,
            accounts=administration.accounts,
            sessions=sessions,
            clock=clock,
            new_id=new_id,
        )
        password_resets = PasswordResets(
            database=database,
            accounts=administration.accounts,
            guard=administration.account_guard,
            hashing=administration.passwords,
            mailer=mailer,
            clock=clock,
            randomness=randomness,
            page_url=f"{administration.public_url}/password-reset",
        )
        registration = Registration(
            database=database,
            companies=administration.companies,
            hashing=administration.passwords,
            mode=settings.registration,
            clock=clock,
            new_id=new_id,
            changed=changed,
        )
        invitations = Invitations(
            database=database,
            mailer=mailer,
            clock=clock,
            randomness=randomness,
            new_id=new_id,
            page_url=f"{administration.public_url}/register",
        )
        # Phones have a queue of their own: whoever floods a public link takes no terminal's turn.
        of_phones = HashPool(settings.hash_threads, observe=metrics.hash_queue_observer())
        closing.push_async_callback(of_phones.close)
        login = PinLogin(
            database=database,
            journal=journal,
            guard=guard,
            hashing={"kiosk": administration.hashing, "phone": of_phones},
            pins=administration.pins,
            guard_key=administration.guard_key,
            metrics=metrics,
            clock=clock,
            new_id=new_id,
        )
        own_pin = OwnPin(
            database=database,
            journal=journal,
            login=login,
            hashing=administration.hashing,
            pins=administration.pins,
            clock=clock,
            new_id=new_id,
        )
        stamping = Stamping(
            database=database,
            companies=companies_known,
            clock=clock,
            new_id=new_id,
            observe=metrics.batch_observer("stamps"),
        )
        closing.push_async_callback(stamping.drain)
        heartbeats = Heartbeats(database, observe=metrics.batch_observer("heartbeats"))
        closing.push_async_callback(heartbeats.drain)
        slip_jobs = SlipJobs(
            database=database,
            people=administration.people,
            seal=Seal(secrets.purpose_keys(SLIP_KEY), secrets.current_version, randomness),
            clock=clock,
            new_id=new_id,
        )
        closing.push_async_callback(slip_jobs.close)
        dead_posters = DeadPosters(database=database, metrics=metrics, clock=clock, new_id=new_id)
        housekeeping = Housekeeping(database, clock, slip_jobs.forget_old)
        for part in (feed, cleared, housekeeping, last_seen, dead_posters):
            await part.start()
            closing.push_async_callback(part.stop)
        yield Gateway(
            administration=administration,
            ephemeral=ephemeral,
            metrics=metrics,
            feed=feed,
            companies_known=companies_known,
            registry=registry,
            endings=endings,
            cleared_locks=cleared,
            device_trust=device_trust,
            phone_sessions=PhoneSessions(ephemeral),
            enrolment_quota=AttemptQuota(ephemeral),
            key_changes=key_changes,
            key_change_quota=AttemptQuota(ephemeral, "key change", CHANGES_PER_HOUR, QUOTA_SECONDS),
            addresses=addresses,
            probes=probes,
            gate=gate,
            account_gate=account_gate,
            sessions=sessions,
            own_account=own_account,
            password_resets=password_resets,
            registration=registration,
            source_quotas=SourceQuotas(addresses, clock, new_id),
            registration_quota=AttemptQuota(ephemeral, "register", REGISTRATIONS_PER_HOUR, QUOTA_SECONDS),
            reset_quota=AttemptQuota(ephemeral, "reset", RESETS_PER_HOUR, QUOTA_SECONDS),
            invitations=invitations,
            mailer=mailer,
            journal=journal,
            pin_login=login,
            own_pin=own_pin,
            posters=Posters(administration.companies),
            dead_posters=dead_posters,
            slip_jobs=slip_jobs,
            stamping=stamping,
            heartbeats=heartbeats,
            last_seen=last_seen,
        )
