"""``stampgate-kiosk``: enrol a terminal, see how it stands, stamp, or run the clock at the door.

Exit codes: 0 done, 1 it failed, 2 wrong use, 3 not enrolled (or not yet approved), 4 the gateway is away or busy: try
again, 5 the gateway does not let this terminal serve (suspended, revoked, key expired, network …), 130 ended by Ctrl-C.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kiosk_client.answers import ACTIONS
from kiosk_client.client import KioskClient, require_active
from kiosk_client.clock_command import TERMINAL_GONE, line_by_line, on_the_screen
from kiosk_client.clock_prompt import zone_of
from kiosk_client.enrolment import Enrolment, EnrolmentWanted, Progress, read_code, words_of
from kiosk_client.errors import KeyStoreFault, KioskError, NotEnrolled, TlsMissing, WrongUse
from kiosk_client.gateway_address import GatewayAddress, read_address
from kiosk_client.gateway_connection import client_version
from kiosk_client.key_sealing import CREDENTIAL
from kiosk_client.next_key import short_use, sole_user
from kiosk_client.parts import ceremony_of, client_of, key_change_of, store_of
from kiosk_client.pin_entry import read_pin
from kiosk_client.presentation import Condition, condition_of, rfc3339, show_condition, show_words, stamped_line
from kiosk_client.stamp_once import stamp_once, stamped_json
from kiosk_client.state_directory import state_dir_option, way_to
from kiosk_client.wording import ENGLISH, PROGRAM, CommandLine, Wording, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kiosk_client.key_store import KeyStore, StoredKey

INTERRUPTED = 130
NOBODY_READS = {errno.EPIPE: 1, errno.EIO: TERMINAL_GONE}
"""Exit codes by what writing came to: whoever read has seen enough, or the terminal is gone."""

PATIENCE = 15.0
"""Seconds to wait for a command in the same state directory to end, before this one may change the key."""


@dataclass(slots=True)
class Telling:
    """In which words the fault is told that ends a command; the command puts in what it was called with."""

    wording: Wording = ENGLISH


class Language(StrEnum):
    """Languages of the clock."""

    EN = "en"
    DE = "de"


app = typer.Typer(
    name=PROGRAM,
    help="A wall terminal of Stampgate on the command line: enrol it, look how it stands, stamp, run the clock.",
    epilog=f"Example: {PROGRAM} enrol https://stamp.example --code WDJB-MJHT. Exit codes: 0 done, 1 failed, 2 wrong "
    "use, 3 not enrolled yet, 4 gateway away or busy, 5 this terminal may not serve, 130 Ctrl-C.",
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _wording(state_dir: Path | None) -> Wording:
    """Commands that are advised find this program and the same state directory."""
    return replace(ENGLISH, command_line=CommandLine(way_to(sys.argv[0]), state_dir_option(state_dir, os.environ)))


def _told_with(context: typer.Context, state_dir: Path | None) -> Path | None:
    context.ensure_object(Telling).wording = _wording(state_dir)
    return state_dir


StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        callback=_told_with,
        envvar="STAMPGATE_KIOSK_STATE_DIR",
        show_default=False,
        help="Where the key is kept (default: $XDG_STATE_HOME/stampgate-kiosk or ~/.local/state/stampgate-kiosk).",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option("--ca-file", help="PEM file of a private CA that signed the gateway's certificate.", dir_okay=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


def _client(stored: StoredKey, ca_file: Path | None = None) -> KioskClient:
    client = client_of(stored, ca_file)
    _warn_if_readable(client.address)
    return client


def _warn_if_readable(address: GatewayAddress) -> None:
    if address.readable:
        typer.secho(
            f"Warning: {address.origin} is plain HTTP; PINs travel readable for everyone on the way.",
            fg=typer.colors.YELLOW,
            err=True,
        )


def _enrol_again(wording: Wording, address: GatewayAddress) -> str:
    """The command that goes on with an enrolment."""
    return wording.command(f"enrol {address.origin}" + (" --insecure-http" if address.readable else ""))


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{PROGRAM} {client_version()}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """A wall terminal of Stampgate on the command line: enrol it, look how it stands, stamp, run the clock."""


@app.command(epilog=f"Example: {PROGRAM} enrol https://stamp.example --code WDJB-MJHT")
def enrol(
    url: Annotated[str, typer.Argument(help="The gateway's address, or the whole enrolment address of its QR code.")],
    code: Annotated[str | None, typer.Option("--code", help="The enrolment code that IT got, like WDJB-MJHT.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Give up the key of an enrolled terminal.")] = False,
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain HTTP to another machine. PINs travel in clear.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until IT has approved.")] = True,
    as_json: Json = False,
    ca_file: CaFile = None,
    state_dir: StateDir = None,
) -> None:
    """Enrol this terminal and wait until IT has approved it.

    It makes the terminal's key and shows five words for IT. Interrupted, or the answer was lost? Run it again: it goes
    on where it was, and a code is needed only once.
    """
    store, wording = store_of(state_dir), _wording(state_dir)
    address, code_in_url = read_address(url, insecure_http=insecure_http)
    text = code or code_in_url
    if text is None and sys.stdin.isatty() and (force or store.load() is None):
        text = str(typer.prompt("Enrolment code", err=True))
    wanted = EnrolmentWanted(
        address=address,
        code=None if text is None else read_code(text),
        force=force,
        ca_file=None if ca_file is None else str(ca_file.absolute()),
        insecure_http=insecure_http,
    )
    _warn_if_readable(address)
    try:
        asyncio.run(_enrol(ceremony_of(store), wanted, wording, wait=wait, as_json=as_json))
    except TlsMissing as fault:
        raise KioskError(_what_of_tls(address, allowed=insecure_http)) from fault
    except KeyboardInterrupt:
        typer.echo(f"\nNothing is lost. To go on: {_enrol_again(wording, address)}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _what_of_tls(address: GatewayAddress, *, allowed: bool) -> str:
    """What to do about an address without TLS; plain HTTP only where it would be taken."""
    said = f"The gateway at {address.origin} does not speak TLS."
    if address.loopback or allowed:
        return f"{said} Try {address.without_tls}"
    return (
        f"{said} Give the https address of the proxy before it, or for a test {address.without_tls} with "
        "--insecure-http: PINs would travel readable for everyone on the way."
    )


async def _enrol(ceremony: Enrolment, wanted: EnrolmentWanted, wording: Wording, *, wait: bool, as_json: bool) -> None:
    stored = await ceremony.begin(wanted)
    if stored.state == "pending":
        words = words_of(stored)
        if as_json:
            _print_json({**_enrolment_json(stored), "words": list(words)})
        else:
            show_words(words, stored.key.keyid)
            typer.echo("")
        if not wait:
            return
        stored = await ceremony.wait(stored, _tell_waiting(as_json=as_json))
    if as_json:
        _print_json(_enrolment_json(stored))
    else:
        typer.secho("Approved. This terminal is enrolled.", fg=typer.colors.GREEN)
        typer.echo(f"Next: {wording.command('clock')}")
        typer.echo(f"How it stands: {wording.command('status')}")


def _enrolment_json(stored: StoredKey) -> dict[str, object]:
    return {
        "state": stored.state,
        "url": stored.url,
        "device_id": stored.device_id,
        "enrolment_id": stored.enrolment_id,
        "thumbprint": stored.key.keyid,
    }


def _tell_waiting(*, as_json: bool) -> Progress:
    """Says each thing once, not every two seconds."""
    last: list[str] = []

    def told(fault: KioskError | None) -> None:
        text = fault.message if fault else "Waiting for approval by IT … (Ctrl-C is safe: run the same command again)"
        if last != [text]:
            last[:] = [text]
            typer.echo(text, err=as_json or fault is not None)

    return told


@app.command(epilog=f"Example: {PROGRAM} status --json")
def status(as_json: Json = False, ca_file: CaFile = None, state_dir: StateDir = None) -> None:
    """Show how this terminal stands, and what to do.

    It tells of the enrolment, the gateway, the clock and the key.
    """
    store, wording = store_of(state_dir), _wording(state_dir)
    stored, fault = store.load(), None
    if stored is None:
        advice = wording.fault("not-enrolled")
        condition = Condition(state="none", reachable=False, problem="not-enrolled", advice=advice)
    else:
        with short_use(store) as alone:
            condition, fault = asyncio.run(_condition(store, stored, ca_file, wording, alone=alone))
    condition = replace(condition, key_sealed=store.sealed())
    if as_json:
        _print_json(condition.as_json())
    else:
        show_condition(condition)
    if not condition.well:
        raise typer.Exit(3 if fault is None else fault.exit_code)


async def _condition(
    store: KeyStore, stored: StoredKey, ca_file: Path | None, wording: Wording, *, alone: bool
) -> tuple[Condition, KioskError | None]:
    device, fault = None, None
    async with _client(stored, ca_file) as client:
        try:
            if alone and stored.state == "active":
                await key_change_of(store, client).settle()
                stored = store.load() or stored
            device = await client.device()
            if alone and stored.state == "pending":
                stored = ceremony_of(store).keep(stored, device)  # approved meanwhile: people can stamp from now on
        except KioskError as caught:
            fault = caught
        condition = condition_of(
            url=stored.url,
            keyid=stored.key.keyid,
            device_id=stored.device_id,
            stored_state=stored.state,
            key_age=client.server_clock.local() - stored.created_at,
            device=device,
            offset=client.server_clock.offset,
            server_now=client.server_clock.now(),
            fault=fault,
            wording=wording,
            words_shown_by=_enrol_again(wording, client.address),
        )
        return condition, fault


@app.command(epilog=f"Example: {PROGRAM} stamp clock_in --number 1042 --pin-file ~/.my-pin")
def stamp(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="One of: " + ", ".join(ACTIONS) + ".")],
    number: Annotated[str, typer.Option("--number", "-n", help="Personnel number; leading zeros count.")],
    pin_stdin: Annotated[bool, typer.Option("--pin-stdin", help="Read the PIN from standard input.")] = False,
    pin_file: Annotated[Path | None, typer.Option("--pin-file", help="Read the PIN from a file.")] = None,
    stamp_id: Annotated[
        str | None, typer.Option("--stamp-id", help="The id of a stamp whose answer was lost: it counts only once.")
    ] = None,
    as_json: Json = False,
    ca_file: CaFile = None,
    state_dir: StateDir = None,
) -> None:
    """Stamp once: sign in, stamp, sign out. The PIN is asked for hidden; it is never an argument."""
    telling = context.ensure_object(Telling)
    telling.wording = replace(telling.wording, stamping=True)
    wanted = action.lower().replace("-", "_")
    if wanted not in ACTIONS:
        raise WrongUse(f"The action is one of {', '.join(ACTIONS)}")
    if not (number.isascii() and number.isdigit() and len(number) <= 12):
        raise WrongUse("A personnel number has 1 to 12 digits")
    store = store_of(state_dir)
    require_active(store.load())
    pin = read_pin(from_stdin=pin_stdin, file=pin_file)
    with short_use(store) as alone:
        client = _client(require_active(store.load()), ca_file)  # it may be another key than before the PIN was typed
        settle = key_change_of(store, client).settle if alone else None
        sign_in, stamped, company = asyncio.run(stamp_once(client, wanted, number, pin, stamp_id, settle))
    if as_json:
        _print_json(stamped_json(sign_in, stamped))
    else:
        typer.echo(stamped_line(sign_in, stamped, zone_of(company.timezone if company else None)))


@app.command("change-key", epilog=f"Example: {PROGRAM} change-key")
def change_key(as_json: Json = False, ca_file: CaFile = None, state_dir: StateDir = None) -> None:
    """Change this terminal's key now.

    As after somebody had the terminal in their hands; the clock does it by itself every 30 days. Interrupted, or the
    answer was lost? Nothing is: every command finds the key that is in force.
    """
    store = store_of(state_dir)
    require_active(store.load())
    with sole_user(store.directory, patience=PATIENCE):
        stored, expires_at = asyncio.run(_change_key(store, ca_file))
    if as_json:
        _print_json({"thumbprint": stored.key.keyid, "device_id": stored.device_id, "key_expires_at": expires_at})
    else:
        typer.secho("The key is changed.", fg=typer.colors.GREEN)
        typer.echo(f"Thumbprint: {stored.key.keyid}")
        typer.echo(f"Good until: {expires_at}")


async def _change_key(store: KeyStore, ca_file: Path | None) -> tuple[StoredKey, str | None]:
    async with _client(require_active(store.load()), ca_file) as client:
        stored = await key_change_of(store, client).change()
        return stored, rfc3339((await client.device()).key_expires_at)


@app.command(epilog=f"Example: {PROGRAM} seal")
def seal(state_dir: StateDir = None) -> None:
    """Seal the key file under the service's systemd credential.

    A sealed one stays as it is. Inside the service's unit the clock does it by itself at its start;
    docs/terminals-pi.md has the credential.
    """
    store = store_of(state_dir)
    if store.wrap is None:
        raise KeyStoreFault(f"There is no credential {CREDENTIAL}: run this inside the service's unit")
    if store.load() is None:
        raise NotEnrolled
    with sole_user(store.directory, patience=PATIENCE):
        changed = store.seal()
    typer.echo("The key file is sealed." if changed else "The key file was sealed already.")


@app.command(epilog=f"Example: {PROGRAM} clock --lang de")
def clock(
    lang: Annotated[Language | None, typer.Option("--lang", help="Language (default: the company's).")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Line by line, for a terminal without a screen.")] = False,
    ascii_only: Annotated[bool, typer.Option("--ascii", help="Draw with ASCII characters only.")] = False,
    ca_file: CaFile = None,
    state_dir: StateDir = None,
) -> None:
    """Run the clock at the door until Ctrl-C or Ctrl-D.

    Number and PIN in, valid actions out. It fills the screen and needs a numeric keypad only. Before the terminal is
    enrolled it says how to do that; while IT has not approved it shows the five words, and then becomes the clock by
    itself.
    """
    store, wording = store_of(state_dir), _wording(state_dir)
    if not sys.stdin.isatty():
        raise WrongUse(f"The clock needs a terminal; for scripts there is: {wording.command('stamp')}")
    language = None if lang is None else lang.value
    full_screen = not plain and sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
    if not full_screen:
        require_active(store.load())
    store.prepare()
    with sole_user(store.directory, patience=PATIENCE):
        store.seal()
        if full_screen:
            screen = on_the_screen(store, ca_file, language, wording.command_line, ascii_only=ascii_only)
            interrupted = asyncio.run(screen)
        else:
            client = _client(require_active(store.load()), ca_file)
            interrupted = asyncio.run(line_by_line(store, client, language, wording.command_line))
    if interrupted:
        raise typer.Exit(INTERRUPTED)


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. Faults are one line on stderr, never a traceback."""
    telling = Telling()
    try:
        code = app(args=list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=telling)
    except KioskError as fault:
        return _failed(fault.told(telling.wording), fault.exit_code)
    except typer.TyperException as fault:
        said = plain(" ".join(fault.format_message().replace("Value error, ", "").split()))
        return _failed(f"{said} (see {_command_of(fault)} --help)", fault.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except Exception as fault:  # noqa: BLE001 - a traceback helps nobody at a door; it may also hold what was typed
        if isinstance(fault, OSError) and fault.errno in NOBODY_READS:
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - nor does the interpreter's end
            return NOBODY_READS[fault.errno]
        return _failed(f"Unexpected fault of this program: {type(fault).__name__}", 1)
    return code if isinstance(code, int) else 0


def _command_of(fault: typer.TyperException) -> str:
    """The command that was called wrongly, as far as it was understood: ``stampgate-kiosk enrol``."""
    context: typer.Context | None = getattr(fault, "ctx", None)  # the kinds that have one are not public
    return PROGRAM if context is None else context.command_path


def _failed(text: str, code: int) -> int:
    # Nothing is folded here: an advised command names a directory as it is spelt.
    typer.secho(f"{PROGRAM}: {text}", fg=typer.colors.RED, err=True)
    return code


def main() -> None:
    """The command's entry point."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without these characters still gets the rest
    sys.exit(run(sys.argv[1:]))
