"""Commands on a folder where Annotune has never been: they say so, and make nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app import db
from app.cli import command_line, doctor
from app.settings import get_settings
from tests.cli.conftest import Annotune
from tests.conftest import forget_everything


@pytest.mark.parametrize(
    "words", [["projects"], ["runs", "x"], ["user", "list"], ["export", "x", "latest"]]
)
def test_a_command_makes_no_folder_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(tmp_path / "typo"))
    monkeypatch.delenv("ANNOTUNE_DATABASE_URL", raising=False)
    forget_everything()
    done = CliRunner().invoke(command_line(), words)
    assert done.exit_code == 1, done.output
    assert "There is no database at" in done.stderr
    assert "ANNOTUNE_DATA_DIR" in done.stderr
    assert not (tmp_path / "typo").exists()


def test_the_doctor_says_each_thing_once_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(tmp_path / "new"))
    monkeypatch.delenv("ANNOTUNE_DATABASE_URL", raising=False)
    forget_everything()
    found = {finding.name: finding for finding in doctor.examine(get_settings())}
    assert all(
        found[name].good for name in ("data folder", "database", "permissions", "file storage")
    )
    assert "annotune up makes it" in found["database"].detail
    assert {name for name, finding in found.items() if finding.skipped} == {
        "stored files",
        "workers",
    }
    assert not (tmp_path / "new").exists()


def test_a_database_that_is_away_is_said_once(
    annotune: Annotune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", "postgresql://u:hush@127.0.0.1:1/x")
    db.dispose()
    forget_everything()
    done = annotune("doctor", "--quick")
    assert done.exit_code == 1
    assert done.output.count("does not work") == 1, done.output
    assert done.output.count("skip  ") == 2
    assert "hush" not in done.output


def test_the_doctor_notes_proxies_that_are_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_TRUSTED_PROXIES", "10.0.0.1, 0.0.0.0/0")
    forget_everything()
    found = doctor.check("trusted proxies", get_settings())
    assert (found.good, found.essential) == (False, False)
    assert "0.0.0.0/0" in found.detail
