"""The compose file against the rules of the compose specification, our settings and our commands."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli import command_line
from app.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SERVICE_KEYS = {
    "build", "command", "depends_on", "deploy", "environment", "healthcheck", "image", "init",
    "ports", "profiles", "restart",
    "shm_size", "stop_grace_period", "volumes",
}  # fmt: skip
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}

every_service = pytest.mark.parametrize("name", SERVICES)
every_one_of_ours = pytest.mark.parametrize("name", OURS)


def stages() -> dict[str, str]:
    """The Dockerfile's stages, and what each is made from."""
    text = (ROOT / "Dockerfile").read_text()
    return {name: base for base, name in re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M)}


def variables(text: str) -> set[str]:
    """Variables that compose fills in; `$$` is a plain dollar sign."""
    return set(re.findall(r"\$\{(\w+)", text.replace("$$", "")))


def test_only_top_level_keys_of_the_specification() -> None:
    known = {"name", "services", "volumes", "networks", "configs", "secrets"}
    assert {key for key in COMPOSE if not key.startswith("x-")} <= known
    assert set(SERVICES) == {"app", "worker", "worker-cpu", "worker-gpu", "postgres", "redis"}


@every_service
def test_a_service_has_what_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert set(service) <= SERVICE_KEYS
    assert ("image" in service) or ("build" in service)
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert all(re.fullmatch(r"\d+s", str(check[key])) for key in ("interval", "timeout"))
    for other, condition in service.get("depends_on", {}).items():
        assert condition == {"condition": "service_healthy"}
        assert "healthcheck" in SERVICES[other]
        assert "profiles" not in SERVICES[other], "it may depend only on what always runs"


@every_service
def test_volumes_are_declared(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, target = volume.split(":")
        assert source in COMPOSE["volumes"]
        assert target.startswith("/")


def test_every_declared_volume_is_used() -> None:
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


@every_one_of_ours
def test_environment_names_are_settings(name: str) -> None:
    known = {f"ANNOTUNE_{field.upper()}" for field in Settings.model_fields}
    assert set(OURS[name]["environment"]) <= known


@every_one_of_ours
def test_commands_exist(name: str) -> None:
    program, command, *words = OURS[name]["command"]
    assert program == "annotune"
    options = get_command(command_line()).commands[command].params  # type: ignore[attr-defined]
    known = {opt for option in options for opt in option.opts}
    assert {word for word in words if word.startswith("--")} <= known


@every_one_of_ours
def test_build_targets_are_stages(name: str) -> None:
    assert OURS[name]["build"]["target"] in stages()


def test_environment_of_the_image_is_settings() -> None:
    known = {f"ANNOTUNE_{field.upper()}" for field in Settings.model_fields}
    text = (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\b(ANNOTUNE_\w+)=", re.sub(r"^#.*$", "", text, flags=re.M))) <= known


def test_the_images_do_not_run_as_root() -> None:
    made_from = stages()
    text = (ROOT / "Dockerfile").read_text()
    base = text.split(" AS base")[1].split("FROM ")[0]
    assert re.search(r"^USER annotune$", base, re.M)
    assert made_from["web"] == made_from["worker"] == "base"


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert {"app", "worker", "templates", "static", "migrations"} <= kept
    assert {"pyproject.toml", "constraints.txt", "README.md"} <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_no_secret_is_written_down_and_every_variable_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    names = set(re.findall(r"^(\w+)=", example, re.M))
    assert variables(text) <= names
    assert names - variables(text) <= {"COMPOSE_PROFILES"}
    for service in SERVICES.values():
        for key, value in service["environment"].items() if "environment" in service else ():
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert str(value).startswith("${"), f"{key} must come from the environment"
    assert "postgresql+psycopg://annotune:${POSTGRES_PASSWORD:?" in text


def test_the_gpus_are_reserved() -> None:
    devices = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env.example").read_text()
