"""Everything a run needs, started and ended: Redis, PostgreSQL, the reference, and one gateway for each setting."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine, population
from benchmarks.processes import Measured
from benchmarks.signing import AUTHORITY, Signer
from crypto.pins import PIN_COST, PinHasher
from crypto.secrets_file import Secrets
from gateway.administration import PEPPER_KEY
from tests.servers.postgres import OwnPostgres
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.load import Answers

BIRTH_SECONDS = 3.0
"""A nonce must be younger than its bucket in Redis, which begins its life two seconds ahead."""


class WrongAnswers(Exception):
    """A request that had to be accepted was not, or the other way round: the figures mean nothing."""


@dataclass(slots=True)
class Target:
    """One gateway under test; `done` counts the stamps of each terminal's person in its database."""

    name: str
    process: Measured
    redis_url: str
    population: population.Population
    done: list[int] = field(default_factory=list)

    def sign_everybody_in(self) -> None:
        """Open the sessions of all terminals."""
        asyncio.run(population.sign_everybody_in(self.population, self.redis_url))


@dataclass(frozen=True, slots=True)
class Arena:
    """What is running."""

    redis: RedisServer
    secrets: Secrets
    population: population.Population
    signer: Signer
    reference: Measured
    targets: dict[str, Target]
    home: Path

    def redis_calls(self) -> int:
        """Scripts called at Redis so far, by all gateways."""
        statistics: dict[str, Any] = self.redis.command("INFO", "commandstats")
        return sum(int(statistics.get(f"cmdstat_{name}", {"calls": 0})["calls"]) for name in ("evalsha", "eval"))


def expect(answers: Answers, *statuses: int) -> Answers:
    """Return the answers if each has one of the statuses. Raises `WrongAnswers`."""
    if answers.other_than(*statuses):
        wrong = {status: text for status, text in answers.samples.items() if status not in statuses}
        raise WrongAnswers(f"{dict(answers.statuses)}; for example {wrong}")
    return answers


@contextmanager
def arena() -> Iterator[Arena]:
    """Start everything: the processes under test on their core, all else on this process's."""
    core, own = machine.cores()
    machine.pin(own)
    people = population.make()
    with ExitStack() as ending:
        home = Path(tempfile.mkdtemp(prefix="stampgate-bench-"))
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        redis = RedisServer()
        redis.start()
        ending.callback(redis.discard)
        postgres = OwnPostgres()
        ending.callback(postgres.remove)
        postgres.start()

        secrets_path = home / "secrets.json"
        secrets = Secrets.load_or_create(secrets_path, os.urandom)
        pins = PinHasher(secrets.purpose_keys(PEPPER_KEY), secrets.current_version, PIN_COST, os.urandom)
        pin_record = pins.hash(population.PIN)

        keys_path = home / "keys.json"
        keys_path.write_text(json.dumps({one.key.keyid: one.key.public_key.hex() for one in people.terminals}))
        reference = ending.enter_context(
            Measured(
                "benchmarks.reference_process",
                *(str(secrets_path), str(keys_path)),
                core=core,
                log=home / "reference.log",
                environment={},
            )
        )
        targets: dict[str, Target] = {}
        for number, (name, log_level) in enumerate((("sqlite", "info"), ("postgresql", "info"), ("silent", "error"))):
            directory = home / name
            directory.mkdir(mode=0o700)
            shutil.copy(secrets_path, directory)  # the copy keeps mode 0600
            url = postgres.url("postgres") if name == "postgresql" else f"sqlite+aiosqlite:///{directory}/stampgate.db"
            asyncio.run(population.settle(people, url, secrets.check_value, pin_record))
            redis_url = f"{redis.url}/{number}"
            process = ending.enter_context(
                Measured(
                    "benchmarks.gateway_process",
                    *("serve", "--metrics-port", "0", "--data-dir", str(directory)),
                    *("--log-level", log_level),
                    core=core,
                    log=home / f"{name}.log",
                    environment={
                        "STAMPGATE_PUBLIC_URL": f"http://{AUTHORITY}",
                        "STAMPGATE_DATABASE_URL": url,
                        "STAMPGATE_REDIS_URL": redis_url,
                    },
                )
            )
            targets[name] = Target(name, process, redis_url, people, [0] * len(people.terminals))
        time.sleep(BIRTH_SECONDS)
        yield Arena(redis, secrets, people, Signer(people, secrets), reference, targets, home)
