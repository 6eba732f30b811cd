"""A database that a newer version of Annotune made: every command says so in one sentence, and leaves it as it is."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from app import db
from app.cli import broker
from tests.cli.conftest import Annotune
from tests.conftest import PATIENCE


@pytest.fixture
def newer(annotune: Annotune) -> Annotune:
    with db.session_scope() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0099'"))
    db.dispose()
    return annotune


@pytest.mark.parametrize(
    "words", [["migrate"], ["doctor", "--quick"], ["projects"], ["user", "list"], ["backup"]]
)
def test_a_command_says_that_the_database_is_newer(
    newer: Annotune, tmp_path: Path, words: list[str]
) -> None:
    done = newer(*words, *([tmp_path / "backup"] if words == ["backup"] else []))
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.output
    assert done.output.count("newer version of Annotune made this database") == 1
    assert "Install that version" in done.output
    assert "annotune migrate" not in done.output
    with db.session_scope(read_only=True) as session:
        assert session.scalar(text("SELECT version_num FROM alembic_version")) == "0099"


def test_up_ends_with_that_sentence(newer: Annotune, tmp_path: Path) -> None:
    if broker.find_server() is None:
        pytest.skip("no Valkey or Redis server program")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = ["up", "--port", port, "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *words],
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "newer version of Annotune made this database" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
