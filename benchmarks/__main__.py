"""Runs the benchmark: `make bench`. A few minutes; all ratios are between processes of this one run."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import functions, latency, machine, phone_page, refusals, throughput
from benchmarks.arena import Arena, WrongAnswers, arena
from benchmarks.load import CONNECTIONS
from benchmarks.population import LOGIN_PEOPLE, TERMINALS
from benchmarks.report import Figure, at_least, at_most, read, show, write

RESULTS = Path(__file__).with_name("results") / "latest.json"
Add = Callable[[str, list[Figure]], None]
GATEWAYS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def main() -> int:
    """Measure, print and write; return 1 when anything was answered wrongly. A missed limit is shown, no failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="rounds of reference and gateways in turn [60]")
    parser.add_argument("--stamps", type=int, default=1024, help="stamps per round and process [1024]")
    parser.add_argument("--pairs", type=int, default=3, help="pairs of latency segments without and with logins [3]")
    parser.add_argument("--loads", type=int, default=5, help="visits of the phone page under each condition [5]")
    parser.add_argument(
        "--only", choices=["gateway", "phone-page"], help="measure one part anew; what the file says of the other stays"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    options = parser.parse_args()
    began = time.monotonic()
    part, setup, groups, missed = options.only, dict[str, object](), dict[str, list[Figure]](), list[str]()
    if part is not None:
        setup, groups = read(options.results)
        groups = {title: some for title, some in groups.items() if (title == phone_page.TITLE) == (part == "gateway")}
    if part != "phone-page":
        gateway = {"rounds": options.rounds, "stamps": options.stamps, "pairs": options.pairs}
        now = {**machine.describe(), "options": gateway}
        setup.update(now)
        _introduce(now)

    def add(title: str, figures: list[Figure]) -> None:
        groups[title] = figures
        missed.extend(figure.name for figure in figures if not figure.is_met)
        show(title, figures)

    try:
        with arena() as running:
            if part != "phone-page":
                _measure(running, options, add)
            if part != "gateway":
                setup["phone page"] = {
                    "browser": f"Chromium {phone_page.browser_version()}",
                    "loads": options.loads,
                    "load_average": machine.describe()["load_average"],
                }
                add(phone_page.TITLE, phone_page.measure(running, options.loads))
    except WrongAnswers as error:
        print(f"\nWrong answers, so the figures mean nothing: {error}", file=sys.stderr)
        return 1
    seconds = round(time.monotonic() - began)
    if part != "phone-page":
        setup["seconds"] = seconds
    write(options.results, setup, groups)
    print(f"\n{seconds} s; written to {options.results.name}")
    print(f"Missed: {'; '.join(missed)}" if missed else "Every limit is met.")
    return 0


def _introduce(setup: dict[str, object]) -> None:
    core, own = machine.cores()
    print("Stampgate's speed, as ratios within one run\n")
    for name, value in setup.items():
        text = ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value
        print(f"  {name}: {text}")
    print(
        f"""
  The gateway is the real `stampgate serve` in one process on core {core}, with two routes more: one reads counters,
  one stamps without a signature. The load generator ({CONNECTIONS} kept-alive connections), Redis and PostgreSQL
  are on core {own}; SQLite is in the gateway's process, synchronous=FULL. PINs cost what they cost in service.
  {TERMINALS} terminals with a person each stamp valid transitions; {LOGIN_PEOPLE} other people sign in.
  Requests are signed before each round; their nonces are minted with the gateway's secrets, their sessions opened
  in Redis before each round. The reference is a bare aiohttp handler that verifies the same requests."""
    )
    if core == own:
        print("  There is one core only: load and gateway take turns, and all rates are too low.")


def _measure(running: Arena, options: argparse.Namespace, add: Add) -> None:
    sqlite = running.targets["sqlite"]
    costs = functions.Functions([functions.sitting(running)])
    rates = throughput.measure(running, rounds=options.rounds, stamps=options.stamps)
    costs.sittings.append(functions.sitting(running))
    title = "Accepted stamps per second, each durably committed, divided by bare verification"
    figures = [Figure("bare verification", rates.per_second("reference"), "/s")]
    for name, label in GATEWAYS.items():
        ratio = rates.ratio(name)
        figures += [
            Figure(f"{label}: stamps", rates.per_second(name), "/s"),
            at_least(0.75, f"{label}: divided by bare verification", ratio.median),
            Figure(f"{label}: the same, lower end of its 95 % interval", ratio.low),
            Figure(f"{label}: the same, upper end", ratio.high),
            Figure(f"{label}: the same by processor time", rates.cpu_ratio(name)),
            Figure(f"{label}: raw libsodium verifications one stamp takes", rates.raw_verifications(name)),
        ]
    add(title, figures)

    figures = []
    for name, label in GATEWAYS.items():
        counted = rates.counted[name]
        alone = throughput.round_trips_alone(running, running.targets[name])
        figures += [
            at_most(1.0, f"{label}: Redis round trips per stamp, 1 connection", alone),
            at_most(0.5, f"{label}: Redis round trips per stamp, {CONNECTIONS} connections", counted["round_trips"]),
            at_most(0.25, f"{label}: commits per stamp, {CONNECTIONS} connections", counted["commits"]),
            at_most(0.0, f"{label}: full garbage collections under load", counted["full_collections"]),
        ]
    add("Counted", figures)

    calls = running.redis_calls()
    made = refusals.requests(running, refusals.EACH)
    refusals.all_refused(sqlite, made)
    calls = running.redis_calls() - calls
    refused = refusals.in_stamps(running, sqlite)

    silent = running.targets["silent"]
    logging = rates.ratio("sqlite", "silent")
    figures = [
        at_least(0.85, "stamps: logging on divided by off", logging.median),
        Figure("the same, lower end of its 95 % interval", logging.low),
        Figure("the same, upper end", logging.high),
        Figure("malformed requests, a log line each: on divided by off", refusals.logged(running, sqlite, silent)),
        Figure(
            "signed stamps divided by unsigned ones at the same gateway",
            throughput.unsigned(running, sqlite, options.stamps),
        ),
    ]
    add("Logging, and what signing costs", figures)
    costs.sittings.append(functions.sitting(running))

    for name, label in GATEWAYS.items():
        target = running.targets[name]
        late = latency.measure(running, target, rates.per_second(name) / 2, options.pairs)
        figures = [
            Figure("stamps", late.per_second, "/s"),
            Figure("p99 of stamps alone", late.alone * 1000, "ms"),
            Figure("p99 of stamps beside logins", late.beside_logins * 1000, "ms"),
            at_most(3.0, "p99 beside logins divided by alone", late.ratio),
            Figure("logins answered 200 (right PIN)", late.logins[200]),
            Figure("logins answered 401 (wrong PIN)", late.logins[401]),
            Figure("logins answered 503 busy", late.logins[503]),
            Figure("median of logins", late.login_median * 1000, "ms"),
            at_most(200.0, "resident memory of the gateway at its highest", late.resident_mb, "MB"),
        ]
        add(f"{label}: stamps at half the maximum, beside {latency.LOGINS_PER_SECOND:g} logins per second", figures)
        costs.sittings.append(functions.sitting(running))

    add("Verifying and refusing, in single functions", _verifying(costs, calls))
    add("Refusing at the gateway, in whole stamps beside it", [Figure(name, cost) for name, cost in refused.items()])


def _verifying(costs: functions.Functions, redis_calls: int) -> list[Figure]:
    bare = functions.WITHOUT_CURVE
    figures = [
        at_most(0.0, "Redis calls for requests whose signature did not pass", redis_calls),
        Figure(functions.RAW, costs.quickest(functions.RAW), "µs"),
        Figure(functions.VALID, costs.quickest(functions.VALID), "µs"),
        at_most(15.0, f"{bare}, in the quickest of {len(costs.sittings)} sittings", costs.quickest(bare), "µs"),
        Figure(f"{bare}, in the slowest", costs.slowest(bare), "µs"),
        Figure(f"{bare}, in raw verifications timed beside it", costs.ratio(bare, functions.RAW)),
    ]
    for name in refusals.KINDS:
        cost, title = costs.ratio(name, functions.VALID), f"{name}, divided by a valid one"
        figures.append(Figure(title, cost) if name == "wrong signature" else at_most(0.2, title, cost))
    return figures


if __name__ == "__main__":
    sys.exit(main())
