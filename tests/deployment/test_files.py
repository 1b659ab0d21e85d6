"""Every file of deploy/ that nothing here can run: read, and held against the product."""

from __future__ import annotations

import asyncio
import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

from gateway.cli import build
from gateway.settings import Settings, unknown_variables
from tests.servers.proxies import program

if TYPE_CHECKING:
    from tests.gateway.house import House

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ("stampgate.service", "stampgate-backup.service", "stampgate-backup.timer")
PROGRAM = typer.main.get_command(build())


def must_exist(words: list[str]) -> None:
    """Hold a call of `stampgate` against the command line: its command and every option."""
    command: Any = PROGRAM
    options: set[str] = set()
    for word in words:
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
    for parameter in command.params:
        options.update(parameter.opts)
    assert not getattr(command, "commands", {}) or command.name == "doctor", words
    for word in words:
        assert not word.startswith("-") or word in options, (words, word)


def environment_file(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def settings_of(variables: dict[str, str], directory: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Read variables as a gateway would, with files of secrets that are there."""
    for name, value in variables.items():
        if name.endswith("_FILE"):
            file = directory / name
            file.write_text({"/database-url": "postgresql+asyncpg://u:p@h/d"}.get(value[-13:], "redis://state:6379/0"))
            value = str(file)
        monkeypatch.setenv(name, value)
    return Settings.load()


# The container image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in their order, lines joined."""
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    found = [(line.split(None, 1)[0], " ".join(line.split(None, 1)[1].split())) for line in lines]
    known = {"FROM", "ENV", "WORKDIR", "RUN", "COPY", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in found} <= known | {"STOPSIGNAL", "HEALTHCHECK"}
    return found


def copied() -> list[tuple[list[str], str]]:
    """(sources, destination) of what is copied from the checkout."""
    parts = [shlex.split(rest) for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    return [(words[:-1], words[-1]) for words in parts]


def image_variables() -> dict[str, str]:
    return dict(pair.split("=", 1) for name, rest in instructions() if name == "ENV" for pair in shlex.split(rest))


def test_everything_the_image_copies_exists_and_nothing_else_gets_to_the_builder() -> None:
    sources = [source for group, _ in copied() for source in group]
    assert all((ROOT / source).exists() for source in sources)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert ignored[1] == "*"
    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(sources)
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert set(packages["packages"]) <= set(sources)


def test_what_is_copied_is_enough_to_build_the_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for group, destination in copied():
        for source in group:
            target = tmp_path / "src" / (source if destination == "./" else destination)
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, target)
    (install,) = [rest for name, rest in instructions() if name == "RUN" and rest.endswith("--no-index .")]
    assert "--no-deps --no-build-isolation" in install
    monkeypatch.chdir(tmp_path / "src")
    backend = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["build-system"]["build-backend"]
    wheel = import_module(backend).build_wheel(str(tmp_path))  # what pip does there, without isolation
    with zipfile.ZipFile(tmp_path / wheel) as built:
        names = set(built.namelist())
    assert {"gateway/cli/__init__.py", "storage/migrations/versions/0001_foundation.py"} <= names
    assert {"crypto/bip39_english.txt", "storage/ephemeral/device_trust.lua", "kiosk_client/cli.py"} <= names
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {
        "crypto",
        "gateway",
        "kiosk_client",
        "storage",
    }


def test_the_image_takes_the_lock_by_hashes_and_runs_as_nobody_special(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = instructions()
    assert any("--require-hashes" in rest and "requirements/run.txt" in rest for name, rest in found if name == "RUN")
    assert sum(name == "FROM" for name, _ in found) == 2
    user = [rest for name, rest in found if name == "USER"][-1]
    assert user.split(":")[0] not in ("0", "root")
    assert found.index(("USER", user)) < next(at for at, (name, _) in enumerate(found) if name == "ENTRYPOINT")
    call = [json.loads(rest) for name, rest in found if name in ("ENTRYPOINT", "CMD")]
    assert call[0] == ["stampgate"]
    must_exist(call[1])
    own = {name: value for name, value in image_variables().items() if name.startswith("STAMPGATE_")}
    assert unknown_variables(own) == []
    settings = settings_of(own, tmp_path, monkeypatch)
    assert dict(found)["EXPOSE"] == str(settings.port)
    assert dict(found)["VOLUME"] == str(settings.data_dir)
    assert settings.host == "0.0.0.0"  # every address of the container alone


async def test_the_images_health_check_tells_a_ready_gateway_from_none(house: House, free: int) -> None:
    check = json.loads(dict(instructions())["HEALTHCHECK"].partition(" CMD ")[2])
    assert check[:2] == ["python", "-c"]
    for port, healthy in ((house.port, True), (free, False)):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", check[2].replace("8080", str(port)), stderr=asyncio.subprocess.DEVNULL
        )
        assert (await process.wait() == 0) == healthy


# Compose

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_compose_names_only_what_it_defines() -> None:
    assert set(SERVICES) == {"gateway-1", "gateway-2", "database", "state", "proxy"}
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= set(SERVICES), name
        for needed in service.get("depends_on", {}).values():
            assert needed == {"condition": "service_healthy"}
        assert set(service.get("networks", [])) <= set(COMPOSE["networks"]), name
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"], volume
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(COMPOSE["secrets"])
    how = SERVICES["gateway-1"]["build"]
    assert (DEPLOY / how["context"] / how["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert SERVICES["gateway-2"]["image"] == SERVICES["gateway-1"]["image"]


def test_whatever_others_wait_for_has_a_health_check() -> None:
    awaited = {name for service in SERVICES.values() for name in service.get("depends_on", {})}
    for name in awaited:
        assert "healthcheck" in SERVICES[name] or SERVICES[name]["image"] == "stampgate"


def test_compose_gives_the_gateways_settings_that_exist_and_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = SERVICES["gateway-1"]["environment"]
    assert variables == SERVICES["gateway-2"]["environment"]
    assert unknown_variables(variables) == []
    for name, value in variables.items():
        if name.endswith("_FILE"):
            assert value.removeprefix("/run/secrets/") in SERVICES["gateway-1"]["secrets"]
    settings = settings_of(variables, tmp_path, monkeypatch)
    (subnet,) = COMPOSE["networks"]["front"]["ipam"]["config"]
    assert [str(network) for network in settings.trusted_proxies] == [subnet["subnet"]]
    published = [name for name, service in SERVICES.items() if "ports" in service]
    assert published == ["proxy"]
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert SERVICES["database"]["networks"] == SERVICES["state"]["networks"] == ["back"]


def test_the_state_is_never_evicted_and_the_addresses_in_the_manual_are_those_of_the_services() -> None:
    command = SERVICES["state"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    manual = (DEPLOY / "README.md").read_text("utf-8")
    for secret in COMPOSE["secrets"]:
        assert COMPOSE["secrets"][secret]["file"] == f"./secrets/{secret}"
        assert f"> secrets/{secret}" in manual
    assert set(re.findall(r"[@/]([a-z]+):(?:5432|6379)", manual)) == {"database", "state"}
    database = SERVICES["database"]["environment"]
    assert f"://{database['POSTGRES_USER']}:%s@database:5432/{database['POSTGRES_DB']}" in manual


def test_the_proxy_of_compose_leads_to_the_gateways_and_caddy_reads_its_file() -> None:
    text = (DEPLOY / "Caddyfile.compose").read_text("utf-8")
    (upstreams,) = re.findall(r"reverse_proxy (.+) \{", text)
    gateways = sorted(name for name, service in SERVICES.items() if service["image"] == "stampgate")
    assert upstreams.split() == [f"{name}:{image_variables()['STAMPGATE_PORT']}" for name in gateways]
    adapted = subprocess.run(
        [program("caddy"), "adapt", "--config", str(DEPLOY / "Caddyfile.compose"), "--adapter", "caddyfile"],
        capture_output=True,
        text=True,
        check=True,
    )
    (host,) = re.findall(r'"host":\["([^"]+)"\]', adapted.stdout)
    assert f"https://{host}" == SERVICES["gateway-1"]["environment"]["STAMPGATE_PUBLIC_URL"]


# The machine's own services


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / name, "utf-8")
    return parser


@pytest.mark.parametrize("name", UNITS)
def test_systemd_reads_the_unit(name: str, tmp_path: Path) -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("systemd-analyze is not installed here")
    stand_in = tmp_path / "stampgate"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    for one in UNITS:
        text = (DEPLOY / one).read_text("utf-8").replace("/opt/stampgate/.venv/bin/stampgate", str(stand_in))
        (tmp_path / one).write_text(text, "utf-8")
    ran = subprocess.run(
        [analyse, "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_units_run_commands_that_exist_where_the_manual_puts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual = (DEPLOY / "README.md").read_text("utf-8")
    variables = environment_file((DEPLOY / "stampgate.env").read_text("utf-8"))
    settings = settings_of(variables, tmp_path, monkeypatch)
    for name in UNITS[:2]:
        service = unit(name)["Service"]
        assert service["EnvironmentFile"] == "/etc/stampgate/stampgate.env"
        assert service["User"] == "stampgate"
        assert f"/var/lib/{service['StateDirectory'].split()[0]}" == str(settings.data_dir)
        calls = re.findall(r"/opt/stampgate/\.venv/bin/stampgate ([^\n']*)", service["ExecStart"])
        assert len(calls) == 1
        must_exist(shlex.split(calls[0]))
        assert name in manual
    assert unit("stampgate-backup.timer")["Install"]["WantedBy"] == "timers.target"
    assert "useradd --system" in manual


def test_the_settings_file_names_settings_that_exist() -> None:
    text = (DEPLOY / "stampgate.env").read_text("utf-8")
    named = dict.fromkeys(re.findall(r"^(?:# )?(STAMPGATE_[A-Z_]+)=", text, re.MULTILINE), "x")
    assert len(named) >= 8
    assert unknown_variables(named) == []


# All of them


def test_every_proxy_file_leads_to_the_default_port() -> None:
    port = Settings.model_fields["port"].default
    for name in ("nginx.conf", "Caddyfile", "haproxy.cfg"):
        assert set(re.findall(r"127\.0\.0\.1:(\d+)", (DEPLOY / name).read_text("utf-8"))) == {str(port)}, name


def test_the_manuals_type_only_what_exists() -> None:
    pages = [DEPLOY / "README.md", ROOT / "README.md", ROOT / "docs" / "operations.md"]
    blocks = [block for page in pages for block in re.findall(r"```\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    calls = [
        call for block in blocks for call in re.findall(r"(?:^ *|/|gateway-1 )stampgate ([a-z].*)", block, re.MULTILINE)
    ]
    assert len(calls) >= 15
    for call in calls:
        must_exist(shlex.split(call))


def test_every_file_is_explained_and_none_names_a_registry() -> None:
    manual = (DEPLOY / "README.md").read_text("utf-8")
    for file in DEPLOY.iterdir():
        if file.name == "secrets":
            continue
        text = file.read_text("utf-8")
        assert file.name == "README.md" or f"`{file.name}`" in manual, file.name
        assert not re.search(r"(docker|ghcr|quay|pypi|pythonhosted)\.(io|org|com)", text), file.name
    images = [service["image"] for service in SERVICES.values()]
    images += [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert all("." not in image.partition(":")[0] for image in images)
