"""`stampgate serve`: the gateway itself."""

from __future__ import annotations

import asyncio
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import Annotated

import typer

from gateway.cli.refusals import Refusal

EXAMPLE = "stampgate serve --host 0.0.0.0 --port 8443 --data-dir /var/lib/stampgate"


def register(app: typer.Typer) -> None:
    """Add the command to the program."""

    @app.command(epilog=f"Example: {EXAMPLE}")
    def serve(
        host: Annotated[str | None, typer.Option(help=r"Address to listen on \[default: 127.0.0.1].")] = None,
        port: Annotated[
            int | None, typer.Option(help=r"Port to listen on, 0 for any free one \[default: 8080].")
        ] = None,
        data_dir: Annotated[
            Path | None, typer.Option("--data-dir", metavar="DIR", help="Where secrets and the SQLite database are.")
        ] = None,
        tls_cert: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Certificate chain in PEM: the gateway does TLS itself.")
        ] = None,
        tls_key: Annotated[
            Path | None, typer.Option(metavar="FILE", help="Its key in PEM, without a passphrase.")
        ] = None,
        http_port: Annotated[
            int | None,
            typer.Option(help=r"Plain port beside TLS: shows /trust, sends the rest to https \[default: none]."),
        ] = None,
        workers: Annotated[
            int | None, typer.Option(help=r"Processes; more than one needs redis:// \[default: 1].")
        ] = None,
        metrics_port: Annotated[
            int | None, typer.Option(help=r"Port of the Prometheus metrics, 0 for none \[default: 9464].")
        ] = None,
        log_format: Annotated[str | None, typer.Option(help=r"json or text \[default: json].")] = None,
        log_level: Annotated[str | None, typer.Option(help=r"debug, info, warning or error \[default: info].")] = None,
    ) -> None:
        """Serve terminals and phones until Ctrl-C. Makes secrets and database on the first start."""
        from gateway import logs
        from gateway.cli.commands import chosen_data_dir
        from gateway.in_service import in_service
        from gateway.listening import AddressInUse, bind
        from gateway.server import serve as serve_gateway
        from gateway.server import serving_certificate
        from gateway.settings import Settings
        from gateway.tls.certificates import CertificateFault
        from gateway.workers import Supervisor, prepare

        settings = Settings.load(
            host=host,
            port=port,
            data_dir=data_dir or chosen_data_dir.get(),
            tls_cert=tls_cert,
            tls_key=tls_key,
            http_port=http_port,
            workers=workers,
            metrics_port=metrics_port,
            log_format=log_format,
            log_level=log_level,
        )
        logs.configure(settings.log_level, settings.log_format)
        try:
            serving_certificate(settings)  # before anything else: a worker that cannot start is started for ever
            listening = bind(settings.host, settings.port)
            if settings.workers == 1:
                asyncio.run(serve_gateway(settings, listening))
            else:
                # Here too: a worker that is refused would be started again for ever.
                with in_service(settings, settings.public_address(listening.getsockname()[1])):
                    asyncio.run(prepare(settings))
                    Supervisor(settings, listening).run()
        except (AddressInUse, CertificateFault) as error:
            raise Refusal(str(error)) from None
