"""`stampgate demo`: everything at once, ready to be tried."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.advice import command, line
from gateway.cli.commands import chosen_data_dir
from gateway.cli.lan import lan_address
from gateway.cli.output import say, table
from gateway.cli.qr import show
from gateway.cli.refusals import Refusal

if TYPE_CHECKING:
    import socket

    from gateway.app import Gateway
    from gateway.demo import Demo
    from gateway.demo_terminal import DemoTerminal
    from gateway.settings import Settings

DEFAULT_PORT: Final = 8080
DEFAULT_DIRECTORY: Final = Path("demo-data")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command(epilog="Example: stampgate demo --lan")
    def demo(
        port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = DEFAULT_PORT,
        lan: Annotated[
            bool, typer.Option("--lan", help="Listen on the network, so that a real phone can scan.")
        ] = False,
        data_dir: Annotated[
            Path | None,
            typer.Option("--data-dir", metavar="DIR", help=rf"Where it is kept \[default: {DEFAULT_DIRECTORY}]."),
        ] = None,
    ) -> None:
        """Show everything at once: a company, people with PINs, a terminal that stamps, a link for a phone."""
        from gateway.listening import AddressInUse, bind

        data_dir = data_dir or chosen_data_dir.get() or DEFAULT_DIRECTORY
        host = "0.0.0.0" if lan else "127.0.0.1"  # noqa: S104 - what --lan is for
        try:
            listening = bind(host, port)
        except AddressInUse as error:
            from gateway.in_service import require_free

            require_free(data_dir)  # or whoever does what the other refusal advises would be refused once more
            raise Refusal(str(error)) from None
        from gateway import logs
        from gateway.settings import Settings

        chosen_data_dir.set(data_dir)  # for what is printed to be typed next
        bound = listening.getsockname()[1]
        name = lan_address() if lan else "localhost"
        settings = Settings.load(
            host=host,
            port=bound,
            data_dir=data_dir,
            public_url=f"http://{name}:{bound}",
            extra_authorities=[f"localhost:{bound}", f"127.0.0.1:{bound}"],
            database_url=f"sqlite+aiosqlite:///{(data_dir / 'stampgate.db').absolute()}",
            redis_url="memory://",
            registration="open",  # to be tried as well: whoever registers founds a company of their own
            workers=1,
            metrics_port=0,
            log_format="text",
            log_level="warning",
        )
        logs.configure(settings.log_level, settings.log_format)
        asyncio.run(_run(settings, listening, lan=lan))


async def _run(settings: Settings, listening: socket.socket, *, lan: bool) -> None:
    from gateway.demo import DemoFileError, prepare
    from gateway.demo_terminal import DemoTerminal
    from gateway.server import running, until_stopped

    async with until_stopped() as stopped, running(settings, listening) as gateway:
        try:
            demo = await prepare(gateway.administration)
        except DemoFileError as error:
            raise Refusal(str(error)) from None
        terminal = DemoTerminal(settings.data_dir / "terminal", f"http://localhost:{settings.port}")
        await terminal.enrol(gateway.administration, demo)
        await _show(gateway, demo, terminal, lan=lan)
        alive = asyncio.create_task(terminal.stay_alive())
        await stopped.wait()
        alive.cancel()
        with suppress(asyncio.CancelledError):
            await alive
    say("\nStopped. The next start brings back the same people and PINs, and all that was done meanwhile.")


async def _show(gateway: Gateway, demo: Demo, terminal: DemoTerminal, *, lan: bool) -> None:
    """Print what there is to try."""
    from gateway.demo import COMPANY, link_is_current

    administration = gateway.administration
    url = administration.public_url
    say(f"Stampgate demo · {COMPANY} · {url}")
    say()
    table(
        ("Name", "Personnel number", "PIN"),
        [(person.name, person.personnel_number, person.pin) for person in demo.people],
        empty="",
    )
    say()
    say(f"Terminal   enrolled, key in {terminal.directory}")
    for told in await _stamp(demo, terminal):
        say(f"           {told}")
    say(f"           try it: {line('stampgate-kiosk', 'clock', '--state-dir', str(terminal.directory))}")
    port = administration.settings.port
    say(f"Browser    http://localhost:{port}/kiosk is one too, with a code of the next line")
    say(f"Add yours  {command('device', 'add', 'Front door', company=COMPANY)}")
    say(f"Stamps     {command('stamp', 'list', company=COMPANY)}")
    say(f"Console    {url}/console")
    say(f"Owner      {demo.owner_email} · password {demo.owner_password}")
    say(f"Register   {url}/console/sign-up founds a company of your own beside this one")
    say(f"API        {url}/openapi.json · health {url}/health/ready")
    if await link_is_current(administration, demo):
        link = demo.link(url)
        say(f"Phone      {link}")
        say()
        show(link)
        if lan:
            say("Scan it with a phone in the same network. Plain HTTP: for trying only, PINs travel in clear.")
            say("Tablets are terminals over HTTPS only: end this demo and serve its data as this command says:")
            say(f"           {command('tls', 'trial')}")
        else:
            other = () if port == DEFAULT_PORT else ("--port", str(port))
            say(f"For a real phone end this one, then: {command('demo', '--lan', *other)}")
    else:
        say("Phone      the link of the demo was replaced or switched off; a new one:")
        say(f"           {command('public-link', 'rotate', '--enable', company=COMPANY)}")
    say()
    say("Ctrl-C stops it.")


async def _stamp(demo: Demo, terminal: DemoTerminal) -> tuple[str, ...]:
    """Stamp once, signed, and tell what came of it; a demo that was played with must still start."""
    from gateway.demo import TIMEZONE
    from gateway.stamping.local_day import zone_named
    from kiosk_client.errors import KioskError

    person = demo.people[-1]  # the first ones are those that people try
    try:
        stamped = await terminal.stamp(person)
    except KioskError as error:
        return (f"no stamp this time: {error.message}",)
    stamp = stamped.stamp
    at = stamp.at.astimezone(zone_named(TIMEZONE))
    return (
        f"signed stamp (one at each start): {person.name} · {stamp.action} · tier {stamp.tier}",
        f"at {at:%H:%M:%S %Z} · {stamp.id}",
    )
