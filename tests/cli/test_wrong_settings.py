"""A wrong setting is one line that says what it takes, in whatever command meets it, and never its value."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import Settings, get_settings
from app.wrong_settings import WrongSettings

WRONG = {
    "PUBLIC_URL": ["foo", "https://x:port", "https://x/path", "http://[x"],
    "PORT": ["abc", "0", "65536"],
    "TRUSTED_PROXIES": ["garbage", "10.0.0.0/99"],
    "LOCK_SECONDS": ["0", "inf", "nan", "soon", "3000000"],
    "SESSION_DAYS": ["99999999999"],
    "LEASE_MINUTES": ["99999999999"],
    "JOB_ATTEMPTS": ["999999999999999999999"],
    "STATEMENT_SECONDS": ["-1"],
    "MAX_UPLOAD_MB": ["0", "1.5"],
    "MAX_CONNECTIONS": ["9"],
    "SECURE_COOKIES": ["perhaps"],
    "HUB_READ": ["https://huggingface.co/our-team", "a/b/c", "our team"],
    "HUB_PUSH": ['["our-team"', '{"a": 1}', "[1]"],
    "MODEL_DIRS": ["[[]]"],
    "TRAIN_THREADS": ["0"],
    "DATABASE_URL": [
        "mysql://u:hush@h/x",
        "hush",
        "postgresql+asyncpg://h/x",
        "postgresql://u:hush@h:abc/x",
    ],
    "STORAGE_URL": [
        "nowhere://hush@bucket",
        "sftp://hush@host/x",
        "simplecache::nowhere://hush",
        "https://x/y",
    ],
    "REDIS_URL": ["amqp://u:hush@h", "redis://:hush@h:port/0", "redis://h:6379/abc"],
    "MLFLOW_URL": ["ftp://u:hush@h"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_each_wrong_setting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ANNOTUNE_{name}", value)
    get_settings.cache_clear()
    with pytest.raises(WrongSettings) as raised:
        get_settings()
    line = str(raised.value)
    assert line.startswith(f"ANNOTUNE_{name} is wrong. It takes ")
    assert ", such as " in line
    assert "\n" not in line
    assert "hush" not in line
    get_settings.cache_clear()


@pytest.mark.parametrize(
    ("value", "owners"),
    [
        ("our-team", ["our-team"]),
        ("our-team, ada/reviews,", ["our-team", "ada/reviews"]),
        ('["our-team", "ada/reviews"]', ["our-team", "ada/reviews"]),
    ],
)
def test_lists_are_separated_by_commas_or_json(
    monkeypatch: pytest.MonkeyPatch, value: str, owners: list[str]
) -> None:
    monkeypatch.setenv("ANNOTUNE_HUB_PUSH", value)
    get_settings.cache_clear()
    assert get_settings().hub_push == owners
    get_settings.cache_clear()


@pytest.mark.parametrize(
    "words",
    [
        ["app.cli", "up"],
        ["app.cli", "web"],
        ["app.cli", "worker"],
        ["app.cli", "doctor"],
        ["app.cli", "migrate"],
        ["app.cli", "projects"],
        ["app.cli", "backup", "x"],
        ["app.server"],
        ["worker", "--queues", "cpu"],
    ],
)
def test_every_command_says_it_and_ends_with_1(words: list[str]) -> None:
    wrong = {"ANNOTUNE_PORT": "abc", "ANNOTUNE_DATABASE_URL": "mysql://u:hush@h/x"}
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert [line.split()[0] for line in lines] == ["ANNOTUNE_DATABASE_URL", "ANNOTUNE_PORT"]
    assert "PostgreSQL or SQLite" in lines[0]
    assert "hush" not in done.stderr + done.stdout


def test_a_file_of_settings_that_is_not_utf_8_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.env"
    file.write_bytes("# Wärme\nANNOTUNE_PORT=8001\n".encode("latin-1"))
    monkeypatch.setitem(Settings.model_config, "env_file", str(file))
    get_settings.cache_clear()
    with pytest.raises(WrongSettings, match=r"\.env is not UTF-8"):
        get_settings()
    get_settings.cache_clear()
