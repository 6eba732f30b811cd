"""`annotune doctor`: what is missing or wrong, and what to do about it."""

import os
import shutil
import socket
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from app import data_folder, db
from app.cli import doctor
from app.cli.up import check_data_folder
from app.errors import Unavailable
from app.services import workers
from app.settings import Settings, get_settings
from tests.cli.conftest import Annotune
from tests.conftest import forget_everything

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """Some of what is tested changes it for its process."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def announce(*queues: str) -> None:
    workers.announce(
        "a-worker",
        host="here",
        queues=list(queues),
        concurrency=1,
        device="2 cores",
        version="0",
        memory_total=1,
        memory_available=1,
    )


def test_a_good_installation_has_nothing_that_fails(annotune: Annotune) -> None:
    announce("cpu", "gpu")
    done = annotune("doctor")
    assert done.exit_code == 0, done.output
    assert "FAIL" not in done.output
    for name in ("data folder", "database", "broker", "file storage", "disk space", "workers"):
        assert name in done.output
    assert "torch" in done.output


def finding(name: str) -> doctor.Finding:
    forget_everything()
    return doctor.check(name, get_settings())


def test_a_data_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(tmp_path / "file" / "data"))
    found = finding("data folder")
    assert found.essential
    assert not found.good
    assert "ANNOTUNE_DATA_DIR" in found.detail


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_folder_of_somebody_elses_things_keeps_its_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "index.html").touch()
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(folder))
    assert finding("data folder").good
    data_folder.keep_private(get_settings())
    assert folder.stat().st_mode & 0o777 == 0o755
    assert (folder / "annotune.sqlite3").stat().st_mode & 0o777 == 0o600
    # From now on it is one of ours, too; a check changes nothing all the same.
    finding("data folder")
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_data_folder_that_an_earlier_release_left_open_is_closed(settings: Settings) -> None:
    data_folder.make(settings)
    settings.data_dir.chmod(0o755)
    data_folder.keep_private(settings)
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_is_a_file_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passwords"
    file.touch()
    file.chmod(0o644)
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(file))
    assert not finding("data folder").good
    with pytest.raises(OSError, match="directory"):
        data_folder.keep_private(get_settings())
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_setting_that_is_misspelt(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert finding("settings").good
    monkeypatch.setenv("ANNOTUNE_TRUSTED_PROXY", "127.0.0.1")
    found = finding("settings")
    assert (found.good, found.essential) == (False, False)
    assert "is ANNOTUNE_TRUSTED_PROXIES meant?" in found.detail
    monkeypatch.setenv("ANNOTUNE_PUBLIC_ADDRESS", "https://x")
    monkeypatch.setenv("ANNOTUNE_STORAGE_UR", "/x")
    told = finding("settings").detail
    assert "ANNOTUNE_STORAGE_UR (is ANNOTUNE_STORAGE_URL meant?)" in told
    assert told.count("meant?") == 3


@pytest.mark.parametrize(
    ("name", "value", "what", "said"),
    [
        ("MODEL_DIRS", "/nowhere/models", "named folders", "no such folder"),
        ("TENSORBOARD_DIR", "/dev/null/events", "named folders", "cannot write"),
        ("HOST", "no-such-host.invalid", "address", "no address of this machine"),
    ],
)
def test_a_setting_that_names_what_is_not_there(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, what: str, said: str
) -> None:
    monkeypatch.setenv(f"ANNOTUNE_{name}", value)
    found = finding(what)
    assert (found.good, said in found.detail, value in found.detail) == (False, True, True)


def test_a_database_whose_folder_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", f"sqlite:///{tmp_path / 'nowhere' / 'x.db'}")
    found = finding("database")
    assert not found.good
    assert "nowhere of ANNOTUNE_DATABASE_URL is not there" in found.detail


def test_a_restore_that_was_broken_off(settings: Settings) -> None:
    settings.data_dir.mkdir(exist_ok=True)
    for file in settings.data_dir.glob("annotune.sqlite3*"):
        file.unlink()
    (settings.data_dir / "annotune.sqlite3.restoring").touch()
    assert "broken off" in finding("data folder").detail
    with pytest.raises(Unavailable, match="broken off"):
        check_data_folder(get_settings())
    assert not (settings.data_dir / "annotune.sqlite3").exists()


def test_a_broker_that_takes_no_messages(broker: str) -> None:
    server = redis.Redis.from_url(broker.replace("redis+socket", "unix"))
    server.config_set("maxmemory", 1)
    found = finding("broker")
    server.config_set("maxmemory", 0)
    assert not found.good
    assert "takes no messages" in found.detail


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://u:secret@127.0.0.1:{free_port()}/x"
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", url)
    found = finding("database")
    assert found.essential
    assert not found.good
    assert "ANNOTUNE_DATABASE_URL" in found.detail
    assert "secret" not in found.detail


def test_a_database_file_that_is_damaged(sqlite: str) -> None:
    db.dispose()
    Path(sqlite.removeprefix("sqlite:///")).write_bytes(b"no database at all " * 100)
    found = finding("database")
    assert not found.good
    assert "SQLite file" in found.detail


def test_a_database_of_an_earlier_version(sqlite: str) -> None:
    with db.session_scope() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    found = finding("database")
    assert found.good
    assert "annotune migrate" in found.detail


def test_a_broker_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    found = finding("broker")
    assert found.essential
    assert not found.good
    assert "ANNOTUNE_REDIS_URL" in found.detail


def test_a_broker_that_refuses_says_why(broker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_REDIS_URL", "redis://no-such-host.invalid:6379/0")
    assert "no-such-host.invalid" in finding("broker").detail
    monkeypatch.setenv("ANNOTUNE_REDIS_URL", f"{broker}?db=99")
    found = finding("broker")
    assert "refuses" in found.detail
    assert "DB index is out of range" in found.detail


def test_a_storage_folder_that_is_not_there_is_not_made(
    annotune: Annotune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "not" / "mounted"
    monkeypatch.setenv("ANNOTUNE_STORAGE_URL", str(folder))
    forget_everything()
    done = annotune("doctor", "--quick")
    assert done.exit_code == 1
    assert f"the folder {folder} of ANNOTUNE_STORAGE_URL is not there" in done.output
    assert "skipped: it takes a file storage" in done.output
    assert "from a backup" not in done.output
    assert not folder.parent.exists()


def test_a_machine_without_a_broker_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.broker.find_server", lambda: None)
    found = finding("broker")
    assert not found.good
    assert "Install one" in found.detail


def test_a_storage_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ANNOTUNE_STORAGE_URL", str(tmp_path / "file" / "store"))
    found = finding("file storage")
    assert found.essential
    assert not found.good
    assert "ANNOTUNE_STORAGE_URL" in found.detail


def test_a_disk_that_is_nearly_full(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.data_dir.mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(9, 9, 5e8))
    found = finding("disk space")
    assert not found.good
    assert "0.5 GB" in found.detail


def test_workers_that_nobody_has_seen(sqlite: str) -> None:
    assert "gpu or cpu" in finding("workers").detail
    announce("cpu")
    found = finding("workers")
    assert not found.good
    assert "annotune worker --queues gpu" in found.detail
    announce("cpu", "gpu")
    assert finding("workers").good


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise ImportError", "torch is not installed here"),
        ("print('2.0', 'on', 'processor, 2 threads')", "torch sees no GPU"),
    ],
)
def test_a_machine_that_cannot_train(
    monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    monkeypatch.setattr(doctor, "_TORCH", program)
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/nvidia-smi")
    found = finding("training")
    assert not found.good
    assert not found.essential
    assert said in found.detail
