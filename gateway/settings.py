"""The gateway's settings: environment ``STAMPGATE_*``, files named by ``STAMPGATE_*_FILE``, and ``stampgate.toml``.

The environment wins over files of secrets, these over the TOML file (in the working directory, or where
``STAMPGATE_CONFIG`` says). None is needed for one process on one machine. Every fault is named in one line; addresses
with passwords in them never show in a repr or an error.
"""

from __future__ import annotations

import os
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

import pydantic
from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from crypto.argon2_cost import PASSWORD_COST
from crypto.message_signatures import UnknownAuthority, normalise_authority
from gateway.http.client_address import read_network
from gateway.http.field_faults import FieldFault, field_errors
from gateway.mail.server import SmtpServer, read_smtp_url
from gateway.people.fields import read_email

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "STAMPGATE_"
KIOSK_PREFIX: Final = "STAMPGATE_KIOSK_"
"""Of the terminal program, which may be on the same machine."""

SECRET_SETTINGS: Final = ("database_url", "redis_url", "smtp_url")
"""Settings that may hold a password: each may come from a file instead (``STAMPGATE_DATABASE_URL_FILE``)."""

LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
"""What a gateway answers to that nobody has named."""

DATABASE_SCHEMES: Final = ("sqlite+aiosqlite", "postgresql+asyncpg")
REDIS_SCHEMES: Final = ("memory", "redis", "rediss", "redis+cluster", "unix")


class SettingsError(Exception):
    """The settings cannot be used; the text is one line that names every fault and repeats no value."""


def _texts(value: object) -> object:
    """Split comma separated text, as the environment gives it; a TOML list passes."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class Settings(BaseSettings):
    """All settings, checked. ``Settings.load()`` reads them; arguments win over everything else."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True, env_ignore_empty=True
    )

    public_url: str | None = None
    extra_authorities: Annotated[list[str], NoDecode] = []
    database_url: Annotated[str | None, Field(repr=False)] = None
    redis_url: Annotated[str, Field(repr=False)] = "memory://"
    smtp_url: Annotated[str | None, Field(repr=False)] = None
    mail_from: str | None = None
    data_dir: Path = Path("data")
    trusted_proxies: Annotated[list[IPv4Network | IPv6Network], NoDecode] = []
    forwarded_header: Literal["x-forwarded-for", "forwarded"] = "x-forwarded-for"
    registration: Literal["first", "open", "closed"] = "first"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    tls_cert: Path | None = None
    tls_key: Path | None = None
    http_port: Annotated[int, Field(ge=0, le=65535)] = 0
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9464
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"
    pin_hash_memory_kib: Annotated[int, Field(ge=8, le=1 << 20)] = 19456
    pin_hash_time: Annotated[int, Field(ge=1, le=16)] = 2
    password_hash_memory_kib: Annotated[int, Field(ge=64, le=1 << 21)] = PASSWORD_COST.memory_kib
    password_hash_time: Annotated[int, Field(ge=1, le=16)] = PASSWORD_COST.time
    hash_threads: Annotated[int | None, Field(ge=1, le=256)] = None

    @classmethod
    def load(cls, **arguments: object) -> Self:
        """Read all sources; ``arguments`` (from the command line) win, those that are ``None`` do not count.

        Raises:
            SettingsError: Anything cannot be used; one line with every fault.
        """
        try:
            return cls(**{name: value for name, value in arguments.items() if value is not None})  # type: ignore[arg-type]
        except pydantic.ValidationError as error:
            raise SettingsError(_one_line(error)) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; a ``.env`` file and a secrets directory are not read."""
        return (init_settings, env_settings, _SecretFiles(settings_cls), _TomlFile(settings_cls))

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        return None if value is None else read_public_url(value)

    @field_validator("extra_authorities", mode="before")
    @classmethod
    def _extra_authorities_text(cls, value: object) -> object:
        return _texts(value)

    @field_validator("extra_authorities")
    @classmethod
    def _extra_authorities(cls, value: list[str]) -> list[str]:
        return [_authority(authority, "https") for authority in value]

    @field_validator("database_url")
    @classmethod
    def _database_url(cls, value: str | None) -> str | None:
        return value if value is None else _with_scheme(value, DATABASE_SCHEMES)

    @field_validator("redis_url")
    @classmethod
    def _redis_url(cls, value: str) -> str:
        return _with_scheme(value, REDIS_SCHEMES)

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: str | None) -> str | None:
        if value is not None:
            read_smtp_url(value)
        return value

    @field_validator("mail_from")
    @classmethod
    def _mail_from(cls, value: str | None) -> str | None:
        return value if value is None else read_email(value)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _trusted_proxies(cls, value: object) -> object:
        texts = _texts(value)
        if not isinstance(texts, list):
            raise FieldFault("must be networks such as 10.0.0.0/8")
        networks = []
        for text in texts:
            try:
                network = read_network(str(text))
            except ValueError:
                raise FieldFault("must be addresses or networks such as 10.0.0.0/8, without host bits") from None
            if network.prefixlen == 0:
                raise FieldFault("must not trust every address: then anybody could choose his own")
            networks.append(network)
        return networks

    @field_validator("forwarded_header", "registration", "log_level", "log_format", mode="before")
    @classmethod
    def _lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _memory_serves_one_process(self) -> Self:
        if self.workers > 1 and self.redis_url.startswith("memory:"):
            raise FieldFault(
                "STAMPGATE_WORKERS must be 1 with STAMPGATE_REDIS_URL=memory://, which serves one process; "
                "use redis:// for more"
            )
        return self

    @model_validator(mode="after")
    def _tls_needs_both(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise FieldFault("STAMPGATE_TLS_CERT and STAMPGATE_TLS_KEY must be set together")
        if self.http_port and self.tls_cert is None:
            raise FieldFault("STAMPGATE_HTTP_PORT is for gateways that do TLS themselves; set STAMPGATE_TLS_CERT too")
        return self

    @property
    def effective_database_url(self) -> str:
        """The database: as set, else SQLite in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'stampgate.db').absolute()}"

    @property
    def smtp_server(self) -> SmtpServer | None:
        """The mail server, if there is one."""
        return None if self.smtp_url is None else read_smtp_url(self.smtp_url)

    @property
    def mail_sender(self) -> str:
        """The address that mail comes from: as set, else one at the public address's host."""
        host = urlsplit(self.public_url).hostname if self.public_url is not None else None
        return self.mail_from or f"stampgate@{host or 'localhost'}"

    @property
    def secrets_path(self) -> Path:
        """The file of master keys."""
        return self.data_dir / "secrets.json"

    def authorities(self, bound_port: int) -> frozenset[str]:
        """Return the names this gateway answers to (protocol.md, ``@authority``).

        The public address and the extra names; with neither set, the names in the TLS certificate, and without one the
        loopback names, with the bound port.
        """
        names = set(self.extra_authorities)
        if self.public_url is not None:
            parts = urlsplit(self.public_url)
            names.add(normalise_authority(parts.netloc, parts.scheme))
        if names:
            return frozenset(names)
        scheme = "http" if self.tls_cert is None else "https"
        return frozenset(normalise_authority(f"{host}:{bound_port}", scheme) for host in self._hosts())

    def public_address(self, bound_port: int | None = None) -> str:
        """Return where people reach this gateway: as set, else by the first name it answers to, with its port."""
        if self.public_url is not None:
            return self.public_url
        scheme = "http" if self.tls_cert is None else "https"
        authority = normalise_authority(f"{self._hosts()[0]}:{bound_port or self.port}", scheme)
        return f"{scheme}://{authority}"

    def _hosts(self) -> tuple[str, ...]:
        """Return the names without a port, when none is set: a certificate says whom it is for."""
        if self.tls_cert is None:
            return LOOPBACK_NAMES
        # Only now: most commands have nothing to do with certificates, which take a tenth of a second to load.
        from gateway.tls.certificates import CertificateFault, read_certificate

        try:
            names = read_certificate(self.tls_cert).names
        except CertificateFault:
            return LOOPBACK_NAMES  # said by `serve`, which alone needs the certificate itself
        return tuple(name for name in names if "*" not in name) or LOOPBACK_NAMES


class _SecretFiles(PydanticBaseSettingsSource):
    """Reads settings that may hold a password from the files that ``STAMPGATE_*_FILE`` name."""

    def get_field_value(self, field: pydantic.fields.FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: all values are read at once."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        faults: list[str] = []
        for name in SECRET_SETTINGS:
            variable = f"{PREFIX}{name.upper()}_FILE"
            path = os.environ.get(variable)
            if not path:
                continue
            if os.environ.get(f"{PREFIX}{name.upper()}"):
                faults.append(f"{variable} and {PREFIX}{name.upper()} must not both be set")
                continue
            try:
                found[name] = Path(path).read_text("utf-8").strip()
            except (OSError, ValueError):
                faults.append(f"{variable} names a file that cannot be read")
        if faults:
            raise SettingsError("; ".join(faults))
        return found


class _TomlFile(_SecretFiles):
    """Reads ``stampgate.toml``: the settings' names in lower case, unknown ones are faults."""

    def __call__(self) -> dict[str, Any]:
        named = os.environ.get(f"{PREFIX}CONFIG")
        path = Path(named or "stampgate.toml")
        try:
            with path.open("rb") as file:
                return tomllib.load(file)
        except FileNotFoundError:
            if named:
                raise SettingsError(f"{PREFIX}CONFIG names a file that does not exist") from None
            return {}
        except OSError:
            raise SettingsError(f"{path.name} cannot be read") from None
        except ValueError as error:
            # The parser's own text may quote the line; where it is suffices.
            line = str(error).rpartition("(at ")[2].rstrip(")")
            raise SettingsError(
                f"{path.name} is not valid TOML ({line if line.startswith('line') else 'not UTF-8'})"
            ) from None


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return ``STAMPGATE_*`` variables that no setting reads: a misspelt one is otherwise silently without effect."""
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    names |= {f"{PREFIX}{name.upper()}_FILE" for name in SECRET_SETTINGS} | {f"{PREFIX}CONFIG"}
    return sorted(
        name
        for name in environment
        if name.startswith(PREFIX) and name not in names and not name.startswith(KIOSK_PREFIX)
    )


def read_public_url(value: str) -> str:
    """Return the address at which people reach a gateway, in its canonical form. Raises `FieldFault`."""
    parts = _split(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FieldFault("must be an address such as https://stamp.example.com")
    if parts.username is not None or parts.password is not None:
        raise FieldFault("must not contain a user name or password")
    if parts.path not in ("", "/") or "?" in value or "#" in value:
        raise FieldFault("must not have a path, query or fragment")
    return f"{parts.scheme}://{_authority(parts.netloc, parts.scheme)}"


def _split(value: str) -> Any:
    """Split an address; one whose host or port cannot be read is a fault."""
    if any(character.isspace() or not character.isprintable() for character in value):
        raise FieldFault("must not contain spaces or control characters")
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise FieldFault("must have a valid host and port") from None
    return parts


def _authority(value: str, scheme: str) -> str:
    """Return the canonical authority, as the signature check compares it."""
    try:
        return normalise_authority(value, scheme)
    except UnknownAuthority:
        raise FieldFault("must be a host name with an optional port, such as stamp.example.com:8443") from None


def _with_scheme(value: str, schemes: tuple[str, ...]) -> str:
    """Return the address if it starts with one of the schemes; the rest is its library's matter."""
    if value.partition("://")[0] not in schemes or "://" not in value:
        raise FieldFault("must start with " + ", ".join(f"{scheme}://" for scheme in schemes))
    return value


def _one_line(error: pydantic.ValidationError) -> str:
    said = []
    for fault in field_errors(error):
        field, _, _ = fault.field.partition(".")
        known = field in Settings.model_fields
        # A fault of several settings together says itself which.
        said.append(f"{PREFIX}{field.upper()} {fault.message}" if known else _about_all(fault.field, fault.message))
    return "; ".join(dict.fromkeys(said))


def _about_all(field: str, message: str) -> str:
    return message if message.startswith(PREFIX) else f"{field}: {message}"
