"""`stampgate tls`: a certificate for a trial, where there is none of a company or a public authority."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.advice import command
from gateway.cli.commands import Json, group, settings_command
from gateway.cli.lan import lan_address
from gateway.cli.output import emit_json, say
from gateway.cli.refusals import Refusal, WrongUse

if TYPE_CHECKING:
    from gateway.settings import Settings
    from gateway.tls.certificates import Certificate
    from gateway.tls.trial import TrialFiles

PORT, HTTP_PORT = 8443, 8080


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    commands = group(app, "tls", "Certificates for gateways that do TLS themselves: stampgate serve --tls-cert …")

    @settings_command(commands, "trial", example="stampgate tls trial --host stamp.lan")
    async def trial(
        settings: Settings,
        host: Annotated[
            list[str] | None,
            typer.Option(help="A further name or address of this machine; may be given several times."),
        ] = None,
        renew: Annotated[
            bool, typer.Option("--renew", help="Make a new root and certificate; tablets must trust it anew.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Make a certificate for a trial in your own network, and tell how to serve with it and how tablets trust it.

        Tablets are terminals only over HTTPS. The root is made for this one certificate; its key is thrown away.
        """
        from gateway.tls.certificates import CertificateFault, read_certificate
        from gateway.tls.trial import TrialFiles, make_trial, own_names

        files = TrialFiles.of(settings.data_dir)
        made = renew or not files.exist
        if made:
            try:
                make_trial(files, [*own_names(lan_address()), *(host or [])], time.time())
            except ValueError as fault:
                raise WrongUse(f"--host: one of them {fault}") from None
        elif host:
            raise Refusal("there is a trial certificate already; --renew makes one with these names, and a new root")
        try:
            root, certificate = read_certificate(files.root), read_certificate(files.cert)
        except CertificateFault as fault:
            raise Refusal(f"{fault}; --renew makes a new one") from None
        if as_json:
            emit_json(
                {
                    "made": made,
                    "root": str(files.root),
                    "cert": str(files.cert),
                    "key": str(files.key),
                    "fingerprint": root.fingerprint,
                    "names": list(certificate.names),
                    "expires_at": datetime.fromtimestamp(certificate.not_after, UTC).isoformat(),
                }
            )
            return
        _tell(files, root, certificate, made=made)


def _tell(files: TrialFiles, root: Certificate, certificate: Certificate, *, made: bool) -> None:
    until = datetime.fromtimestamp(certificate.not_after, UTC)
    over = certificate.not_after <= time.time()
    say("Made a certificate for a trial." if made else "There is a certificate for a trial already.")
    say()
    say(f"Names        {', '.join(certificate.names)}")
    say(f"Good until   {until:%Y-%m-%d}{' - it is over: --renew makes a new one' if over else ''}")
    say(f"Fingerprint  {root.fingerprint}")
    say()
    say("1. Serve with it:")
    chosen = ("--tls-cert", str(files.cert), "--tls-key", str(files.key), "--http-port", str(HTTP_PORT))
    say(f"   {command('serve', '--host', '0.0.0.0', '--port', str(PORT), *chosen)}")  # noqa: S104 - for tablets
    name = certificate.names[0] if certificate.names else "localhost"
    say("   Commands that print addresses (device add, public-link rotate) know them from it while it serves; to make")
    say(f"   posters while it does not: export STAMPGATE_PUBLIC_URL=https://{name}:{PORT}")
    say(f"2. On each tablet open http://{name}:{HTTP_PORT}/trust, compare the fingerprint, install the root.")
    say(f"3. Then the terminal is at https://{name}:{PORT}/kiosk")
