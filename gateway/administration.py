"""The services over SQL that run a company, built for the command line and for a serving process alike.

Apart from `gateway.app`, which builds the rest: a command starts without importing what only serves.
"""

from __future__ import annotations

import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crypto.argon2_cost import PASSWORD_COST
from crypto.pins import Argon2Cost, PinHasher
from crypto.secrets_file import Secrets
from gateway.accounts.guard import AccountGuard
from gateway.accounts.password_hashing import PASSWORDS_WAITING, PasswordHashing
from gateway.accounts.service import Accounts
from gateway.audit.service import AuditTrail
from gateway.clock import new_id
from gateway.companies.service import Companies
from gateway.devices.service import Devices
from gateway.in_service import address_in_service
from gateway.lockouts.service import Lockouts
from gateway.people.service import People
from gateway.pin_login.hashing import WAITING_PER_THREAD, HashPool
from gateway.stamping.corrections import Corrections
from gateway.stamping.history import StampHistory
from storage.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gateway.clock import Clock, NewId, Randomness
    from gateway.metrics import Metrics
    from gateway.settings import Settings

PEPPER_KEY: Final = "pin pepper"
GUARD_KEY: Final = "pin guard"
CODE_KEY: Final = "enrolment code"
ACCOUNT_KEY: Final = "account guard"
"""Names of the purpose keys; a name never changes, or what it protects becomes unreadable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administration:
    """The services over SQL that run a company; the command line works with these beside a running gateway."""

    settings: Settings
    secrets: Secrets
    database: Database
    clock: Clock
    randomness: Randomness
    new_id: NewId
    hashing: HashPool
    pins: PinHasher
    guard_key: bytes
    public_url: str
    companies: Companies
    people: People
    passwords: PasswordHashing
    account_guard: AccountGuard
    accounts: Accounts
    devices: Devices
    history: StampHistory
    corrections: Corrections
    lockouts: Lockouts
    audit: AuditTrail


class NotPrepared(Exception):
    """There is no gateway to administer here, or none of this version. One line that says what to do."""


@asynccontextmanager
async def open_administration(
    settings: Settings,
    *,
    clock: Clock = time.time,
    randomness: Randomness = os.urandom,
    metrics: Metrics | None = None,
    changed: Callable[[], None] = lambda: None,
    bound_port: int | None = None,
    prepare: bool = True,
) -> AsyncIterator[Administration]:
    """Build the services over SQL; `changed` is called after each commit that other parts must hear of.

    With `prepare` it makes the secrets file and brings the database's schema up to date when they are missing or old;
    without, it refuses: a mistyped directory must not become a second, empty gateway.
    Raises `NotPrepared`, `SecretsFileError`, `SecretsMismatch`, `StorageError`.
    """
    if prepare:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        secrets = Secrets.load_or_create(settings.secrets_path, randomness)
    elif settings.secrets_path.exists():
        secrets = Secrets.load(settings.secrets_path)
    else:
        raise NotPrepared(f"there is no gateway in {settings.data_dir}: run `stampgate init`, or name its --data-dir")
    async with AsyncExitStack() as closing:
        database = Database(settings.effective_database_url)
        closing.push_async_callback(database.close)
        if prepare:
            await database.upgrade()
        elif await database.revision() != await database.head():
            raise NotPrepared("the database is not at this version's schema: run `stampgate db upgrade`")
        await database.bind_secrets(secrets.check_value)
        # Two queues: whoever floods the sign-in with e-mail and password takes no PIN's turn.
        pools = [
            HashPool(
                threads,
                waiting_per_thread=waiting,
                observe=metrics.hash_queue_observer() if metrics is not None else None,
            )
            for threads, waiting in ((settings.hash_threads, WAITING_PER_THREAD), (1, PASSWORDS_WAITING))
        ]
        hashing, password_pool = pools
        for pool in pools:
            closing.push_async_callback(pool.close)
        version, address = secrets.current_version, _public_address(settings, bound_port)
        pins = PinHasher(
            secrets.purpose_keys(PEPPER_KEY),
            version,
            Argon2Cost(settings.pin_hash_memory_kib, settings.pin_hash_time, 1),
            randomness,
        )
        # Always of the first version: the counts of a year are kept under it, and a new master key must not lose them.
        guard_keys = secrets.purpose_keys(GUARD_KEY)
        guard_key = guard_keys[min(guard_keys)]
        account_keys = secrets.purpose_keys(ACCOUNT_KEY)
        passwords = PasswordHashing(
            password_pool,
            Argon2Cost(settings.password_hash_memory_kib, settings.password_hash_time, PASSWORD_COST.lanes),
        )
        account_guard = AccountGuard(database=database, key=account_keys[min(account_keys)], clock=clock, new_id=new_id)
        yield Administration(
            settings=settings,
            secrets=secrets,
            database=database,
            clock=clock,
            randomness=randomness,
            new_id=new_id,
            hashing=hashing,
            pins=pins,
            guard_key=guard_key,
            public_url=address,
            companies=Companies(
                database=database,
                clock=clock,
                randomness=randomness,
                new_id=new_id,
                stamp_url=f"{address}/stamp",
                changed=changed,
            ),
            people=People(
                database=database,
                clock=clock,
                randomness=randomness,
                new_id=new_id,
                pins=pins,
                hashing=hashing,
                guard_key=guard_key,
                changed=changed,
            ),
            passwords=passwords,
            account_guard=account_guard,
            accounts=Accounts(database=database, guard=account_guard, hashing=passwords, clock=clock, new_id=new_id),
            devices=Devices(
                database=database,
                clock=clock,
                randomness=randomness,
                new_id=new_id,
                code_key=secrets.purpose_keys(CODE_KEY)[version],
                gateway_keyid=secrets.gateway_key.keyid,
                kiosk_url=f"{address}/kiosk",
                changed=changed,
            ),
            history=StampHistory(database=database, clock=clock, new_id=new_id),
            corrections=Corrections(database=database, clock=clock, new_id=new_id),
            lockouts=Lockouts(database=database, clock=clock, new_id=new_id, changed=changed),
            audit=AuditTrail(database=database),
        )


def _public_address(settings: Settings, bound_port: int | None) -> str:
    """Where people reach the gateway: a command knows neither the port nor the options it was started with."""
    told = settings.public_url is not None or bound_port is not None
    return (None if told else address_in_service(settings.data_dir)) or settings.public_address(bound_port)
