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
    "build", "cap_add", "cap_drop", "command", "depends_on", "deploy", "env_file", "environment", "healthcheck",
    "image", "init", "logging", "mem_limit", "pids_limit", "ports", "profiles", "read_only", "restart",
    "security_opt", "shm_size", "stop_grace_period", "tmpfs", "user", "volumes",
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
        if isinstance(volume, dict):
            assert volume == {"type": "volume", "target": "/tmp"}  # noqa: S108
            continue
        source, target = volume.split(":")
        assert source in COMPOSE["volumes"]
        assert target.startswith("/")


def test_every_declared_volume_is_used() -> None:
    named = [v for s in SERVICES.values() for v in s.get("volumes", []) if isinstance(v, str)]
    used = {volume.split(":")[0] for volume in named}
    assert used == set(COMPOSE["volumes"])


SETTINGS = {f"ANNOTUNE_{field.upper()}" for field in Settings.model_fields}
OF_THE_CONTAINERS = {"ANNOTUNE_DATA_DIR", "ANNOTUNE_HOST", "ANNOTUNE_PORT"}
"""Settings that are not the operator's: they describe the inside of an image."""


def example() -> dict[str, str]:
    """What .env.example says."""
    return dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.M))


@every_one_of_ours
def test_environment_names_are_settings(name: str) -> None:
    others = {"HOME", "HF_HOME", "POSTGRES_PASSWORD"}
    assert set(OURS[name]["environment"]) - others <= SETTINGS


@every_one_of_ours
def test_every_setting_of_env_reaches_our_containers(name: str) -> None:
    assert OURS[name]["env_file"] == [{"path": ".env", "required": False}]
    fixed = {k: str(v) for k, v in OURS[name]["environment"].items() if k.startswith("ANNOTUNE_")}
    # What stands in `environment` wins over the file, so it must take up what the file says.
    for key, value in fixed.items():
        assert (key in OF_THE_CONTAINERS) != value.startswith(f"${{{key}:-"), key


def test_every_setting_is_explained_in_the_example() -> None:
    named = {key for key in example() if key.startswith("ANNOTUNE_")}
    ports = {"ANNOTUNE_PUBLISHED_ADDRESS", "ANNOTUNE_PUBLISHED_PORT"}
    assert named - ports == SETTINGS - OF_THE_CONTAINERS


def test_the_example_is_what_there_is_if_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    without = Settings().model_dump()
    for key, value in example().items():
        monkeypatch.setenv(key, value)
    assert Settings().model_dump() == without | {"log_json": True}


@every_service
def test_a_container_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (
        ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"] if name == "postgres" else []
    )
    assert "privileged" not in service


@every_service
def test_a_container_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert 0 < service["pids_limit"] <= 4096
    variable, bound = re.fullmatch(r"\$\{(\w+):-(\d+[mg])\}", service["mem_limit"]).groups()  # type: ignore[union-attr]
    assert example()[variable] == bound
    options = service["logging"]["options"]
    assert re.fullmatch(r"\d+m", options["max-size"])
    assert int(options["max-file"]) > 1


@every_service
def test_only_this_machine_is_listened_on_unless_said(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("${ANNOTUNE_PUBLISHED_ADDRESS:-127.0.0.1}:")
    assert example()["ANNOTUNE_PUBLISHED_ADDRESS"] == "127.0.0.1"
    assert ("ports" in SERVICES[name]) == (name == "app")


def test_images_are_pinned_by_digest_and_others_may_be_named() -> None:
    shown = {name: SERVICES[name]["image"] for name in ("postgres", "redis")}
    shown["python"] = SERVICES["app"]["build"]["args"]["PYTHON_IMAGE"]
    for name, image in shown.items():
        variable, tag = re.fullmatch(r"\$\{(\w+):-(\S+)\}", image).groups()  # type: ignore[union-attr]
        assert re.fullmatch(
            rf"{name}:\d+\.\d+(\.\d+)?-[a-z][a-z0-9.-]+@sha256:[0-9a-f]{{64}}", tag
        ), tag
        assert example()[variable] == tag
    assert f"ARG PYTHON_IMAGE={example()['PYTHON_IMAGE']}" in (ROOT / "Dockerfile").read_text()


def test_health_is_what_readyz_says() -> None:
    assert "/readyz" in SERVICES["app"]["healthcheck"]["test"][-1]


def test_the_web_image_can_back_up_the_database() -> None:
    web = (ROOT / "Dockerfile").read_text().split(" AS web")[1]
    assert re.search(r"USER root\nRUN .*postgresql-client.*\nUSER annotune\n", web, re.S)


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
    assert names - variables(text) - SETTINGS <= {"COMPOSE_PROFILES"}
    for service in SERVICES.values():
        for key, value in service["environment"].items() if "environment" in service else ():
            if re.search("PASSWORD|TOKEN|SECRET", key):
                assert not value or str(value).startswith("${"), f"{key} must come from .env"
    assert "postgresql+psycopg://annotune:${POSTGRES_PASSWORD:?" in text


def test_the_gpus_are_reserved() -> None:
    devices = SERVICES["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["worker-cpu"]["profiles"] == ["cpu"]
    assert "COMPOSE_PROFILES=cpu" in (ROOT / ".env.example").read_text()
