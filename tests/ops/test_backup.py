"""Backups and the way back, while people work, on both databases; and backups that are broken off or damaged."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import create_engine, func, make_url, select, text
from typer.testing import CliRunner

from app import db
from app.cli import command_line
from app.cli.up import _only_one
from app.db import session_scope
from app.main import create_app
from app.models import Annotation, AuditEntry, Base, DatasetVersion, Import, Project, User, now
from app.services.version_files import data_key
from app.settings import get_settings
from app.storage import get_storage
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version
from tests.conftest import PATIENCE, forget_everything
from tests.factories import (
    PASSWORD,
    fill,
    freeze,
    join,
    labelled_rows,
    make_project,
    make_user,
    open_rows,
)


def annotune(*words: object) -> Result:
    return CliRunner().invoke(command_line(), [str(word) for word in words])


def succeed(*words: object) -> str:
    done = annotune(*words)
    assert done.exit_code == 0, done.output
    return done.output


class Elsewhere:
    """Another, empty installation with a database of the same kind, which the settings name from `enter` on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._server: Any = None
        url = make_url(get_settings().database)
        if url.get_backend_name() == "postgresql":
            self._name = f"{url.database}_elsewhere"
            self._server = create_engine(url, isolation_level="AUTOCOMMIT")
            with self._server.connect() as connection:
                connection.execute(text(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)"))
                connection.execute(text(f"CREATE DATABASE {self._name}"))
            self._url = url.set(database=self._name).render_as_string(hide_password=False)

    def enter(self) -> None:
        self._monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(self.folder))
        if self._server is not None:
            self._monkeypatch.setenv("ANNOTUNE_DATABASE_URL", self._url)
        forget_everything()

    def close(self) -> None:
        db.dispose()
        if self._server is not None:
            with self._server.connect() as connection:
                connection.execute(text(f"DROP DATABASE {self._name} WITH (FORCE)"))
            self._server.dispose()


@pytest.fixture
def elsewhere(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Elsewhere]:
    made = Elsewhere(tmp_path / "elsewhere", monkeypatch)
    yield made
    made.close()


@pytest.fixture
def ada(database: str) -> User:
    return make_user("Ada", admin=True)


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, [*labelled_rows(), *open_rows(400)])
    freeze(made, ada)
    return made


def counts() -> dict[str, int]:
    with session_scope(read_only=True) as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def digests() -> dict[str, str | None]:
    with session_scope(read_only=True) as session:
        rows = session.execute(select(DatasetVersion.id, DatasetVersion.sha256)).all()
    for id_, digest in rows:
        assert digest is None or get_storage().sha256(data_key(id_)) == digest
    return {row.id: row.sha256 for row in rows}


class Work:
    """People who label all the time, and one who freezes versions."""

    def __init__(self, project: Project, ada: User, people: list[User]) -> None:
        self._stop = threading.Event()
        self.errors: list[BaseException] = []
        self.saved = 0
        self._threads = [
            threading.Thread(target=self._guard, args=[self._label, project, person])
            for person in people
        ]
        self._threads.append(
            threading.Thread(target=self._guard, args=[self._freeze, project, ada])
        )

    def __enter__(self) -> "Work":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _guard(self, work: Callable[..., None], *arguments: Any) -> None:
        try:
            while not self._stop.is_set():
                work(*arguments)
        except BaseException as error:
            self.errors.append(error)

    def _label(self, project: Project, person: User) -> None:
        site = Site(create_app()).caller(person)
        path = f"/projects/{project.id}"
        while not self._stop.is_set():
            item = site.post(f"{path}/queue/next")
            if item.status_code != 200:
                return
            answer = site.post(
                f"{path}/examples/{item.json()['id']}/annotations",
                json={
                    "payload": {"labels": ["positive"]},
                    "client_key": f"{person.id}-{item.json()['id']}",
                },
            )
            assert answer.status_code == 201, answer.text
            self.saved += 1

    def _freeze(self, project: Project, ada: User) -> None:
        freeze(project, ada)
        self._stop.wait(0.2)


def test_what_is_restored_is_what_there_was_at_one_moment_while_people_worked(
    project: Project, ada: User, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    people = [make_user(name) for name in ("Bo", "Cy")]
    for person in people:
        join(project, ada, annotator=person)
    with Work(project, ada, people) as work:
        deadline = time.monotonic() + 60
        while work.saved < 10 and time.monotonic() < deadline and not work.errors:
            time.sleep(0.05)
        at_start, before = work.saved, counts()
        output = succeed("backup", tmp_path / "backup")
        at_end, after = work.saved, counts()
    assert not work.errors, work.errors
    assert at_end > at_start, "people must be able to save meanwhile"
    assert "Missing" not in output
    known = digests()
    manifest = json.loads((tmp_path / "backup/manifest.json").read_text())
    assert "whole" in succeed("restore", "--check", tmp_path / "backup")

    elsewhere.enter()
    succeed("restore", tmp_path / "backup")
    restored = counts()
    assert restored == {name: manifest["rows"][name] for name in restored}
    for table in ("annotations", "examples", "versions", "audit_log"):
        assert before[table] <= restored[table] <= after[table], table
    for version, digest in digests().items():
        assert digest in (None, known[version]), version
    assert len(list(filter(None, digests().values()))) >= 1
    with session_scope(read_only=True) as session:
        gold = session.scalars(select(Project.labelled_count)).one()
        assert gold == session.scalar(
            select(func.count(func.distinct(Annotation.example_id))).where(
                Annotation.payload.is_not(None)
            )
        )
    # It is an installation that people go on working with.
    known = {"email": ada.email, "password": PASSWORD}
    assert Site(create_app()).anonymous().post("/login", data=known).status_code == 303
    bo = people[0]
    answer = Site(create_app()).caller(bo).post(f"/projects/{project.id}/queue/next")
    assert answer.status_code in (200, 204), answer.text


def test_a_backup_is_for_this_user_alone(project: Project, tmp_path: Path) -> None:
    succeed("backup", tmp_path / "backup")
    for path in (tmp_path / "backup", *(tmp_path / "backup").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_files_come_from_any_storage_and_go_back_to_any(
    ada: User, elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_STORAGE_URL", f"memory://{tmp_path}/one")
    forget_everything()
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    version = freeze(project, ada)
    succeed("backup", tmp_path / "backup")
    elsewhere.enter()
    monkeypatch.setenv("ANNOTUNE_STORAGE_URL", f"memory://{tmp_path}/two")
    forget_everything()
    assert not get_storage().names("versions")
    succeed("restore", tmp_path / "backup")
    assert get_storage().sha256(data_key(version.id)) == version.sha256


def test_it_refuses_a_folder_with_something_in_it(project: Project, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()
    succeed("backup", tmp_path / "backup")
    done = annotune("backup", tmp_path / "backup")
    assert done.exit_code == 1
    assert "not empty" in done.output
    assert "no folder" in annotune("backup", tmp_path / "nowhere" / "backup").output
    assert not list(tmp_path.glob("*.part"))


def test_what_is_there_is_replaced_only_if_told(
    project: Project, ada: User, tmp_path: Path
) -> None:
    before = counts()
    succeed("backup", tmp_path / "backup")
    with session_scope(read_only=True) as session:
        newest = session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
    assert newest is not None
    assert newest.action == "backup.create"
    make_user("Later")
    db.dispose()
    done = annotune("restore", tmp_path / "backup")
    assert done.exit_code == 1
    assert "--replace" in done.output
    assert counts()["users"] == before["users"] + 1
    db.dispose()
    succeed("restore", "--replace", tmp_path / "backup")
    assert counts() == before


def test_files_alone_keep_it_from_being_restored(
    project: Project, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    succeed("backup", tmp_path / "backup")
    elsewhere.enter()
    with get_storage().writing("models/x/config.json") as sink:
        sink.write(b"{}")
    assert "There are files in" in annotune("restore", tmp_path / "backup").output


def test_nothing_is_restored_under_a_running_annotune(project: Project, tmp_path: Path) -> None:
    succeed("backup", tmp_path / "backup")
    with _only_one(get_settings()):
        done = annotune("restore", "--replace", tmp_path / "backup")
    assert done.exit_code == 1
    assert "Annotune runs" in done.output
    with session_scope() as session:
        session.scalars(select(User)).all()
        done = annotune("restore", "--replace", tmp_path / "backup")
    assert done.exit_code == 1
    assert "Stop Annotune" in done.output


def test_an_older_program_does_not_touch_a_newer_backup(
    project: Project, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    succeed("backup", tmp_path / "backup")
    manifest = tmp_path / "backup/manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"revision": "9999", "annotune": "9.0"}))
    elsewhere.enter()
    done = annotune("restore", tmp_path / "backup")
    assert done.exit_code == 1
    assert "newer version of Annotune (9.0)" in done.output
    manifest.write_text(json.dumps(content | {"layout": 2}))
    assert "newer version" in annotune("restore", tmp_path / "backup").output
    assert not elsewhere.folder.exists() or not get_storage().names("versions")


def test_a_damaged_backup_changes_nothing(
    project: Project, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    succeed("backup", tmp_path / "backup")
    elsewhere.enter()
    victims = [path for path in sorted((tmp_path / "backup").rglob("*")) if path.is_file()]
    assert len(victims) >= 4
    for victim in victims:
        good = victim.read_bytes()
        for bad in (good[:-1], good[: len(good) // 2] + b"\0" + good[len(good) // 2 + 1 :], b""):
            if bad == good:
                continue
            victim.write_bytes(bad)
            done = annotune("restore", tmp_path / "backup")
            assert done.exit_code == 1, (victim, done.output)
            assert "Traceback" not in done.output
        victim.unlink()
        assert annotune("restore", tmp_path / "backup").exit_code == 1, victim
        victim.write_bytes(good)
    (tmp_path / "backup/files/more").write_bytes(b"more")
    assert "does not name" in annotune("restore", tmp_path / "backup").output
    (tmp_path / "backup/files/more").unlink()
    assert not get_storage().names("versions")
    succeed("restore", tmp_path / "backup")


def test_a_backup_of_another_kind_of_database(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed("backup", tmp_path / "backup")
    sqlite = "sqlite" in get_settings().database
    other = "postgresql://x@127.0.0.1:1/x" if sqlite else "sqlite:////tmp/none.sqlite3"
    monkeypatch.setenv("ANNOTUNE_DATABASE_URL", other)
    forget_everything()
    assert "of the same kind" in annotune("restore", tmp_path / "backup").output


def test_a_file_that_is_lost_or_damaged_is_said(project: Project, tmp_path: Path) -> None:
    with session_scope(read_only=True) as session:
        key = data_key(session.scalars(select(DatasetVersion.id)).one())
    path = Path(get_storage().path(key))
    good = path.read_bytes()
    path.write_bytes(good.replace(b"positive", b"negative"))
    done = annotune("backup", tmp_path / "damaged")
    assert (done.exit_code, f"Damaged: {key}" in done.output) == (3, True)
    assert (tmp_path / "damaged" / "files" / key).read_bytes() == path.read_bytes()
    path.unlink()
    lacking = annotune("backup", tmp_path / "lost")
    assert (lacking.exit_code, f"Missing: {key}" in lacking.output) == (3, True)
    assert lacking.output.count("Copying the database") == 2
    assert "1 of them are not there. Looking whether they were deleted meanwhile" in lacking.output
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("loss", ["Missing", "Damaged"])
def test_a_backup_that_is_not_whole_says_so_whenever_it_is_read(
    project: Project, elsewhere: Elsewhere, tmp_path: Path, loss: str
) -> None:
    with session_scope(read_only=True) as session:
        key = data_key(session.scalars(select(DatasetVersion.id)).one())
    path = Path(get_storage().path(key))
    if loss == "Missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"positive", b"negative"))
    annotune("backup", tmp_path / "backup")
    elsewhere.enter()
    for option in (["--check"], []):
        done = annotune("restore", *option, tmp_path / "backup")
        assert done.exit_code == 3, done.output
        assert f"{loss}: {key}" in done.stderr
        assert "whole" not in done.stdout
        # Who reads only what it prints learns of it, too.
        assert f"1 {loss.lower()}" in done.stdout
    assert counts()["versions"] == 1


def test_a_damaged_model_is_said_and_all_else_is_saved(ada: User, tmp_path: Path) -> None:
    run = finished(
        Site(create_app()).caller(ada), project_with_version(ada), tmp_path, "run", set()
    )
    key = f"models/{run}/config.json"
    Path(get_storage().path(key)).write_text("[]")
    done = annotune("backup", tmp_path / "backup")
    assert (done.exit_code, f"Damaged: {key}" in done.output) == (3, True)
    assert done.output.count("Damaged:") == 1
    assert (tmp_path / "backup" / "files" / key).read_text() == "[]"


def test_lost_predictions_are_said(ada: User, tmp_path: Path) -> None:
    run = finished(
        Site(create_app()).caller(ada), project_with_version(ada), tmp_path, "run", set()
    )
    key = f"predictions/{run}.jsonl"
    assert "predictions of “run”" not in annotune("doctor", "--quick").output
    Path(get_storage().path(key)).unlink()
    done = annotune("backup", tmp_path / "backup")
    assert (done.exit_code, f"Missing: {key}" in done.output) == (3, True)
    told = annotune("doctor", "--quick").output
    assert "predictions of “run”: The stored file" in told


def without_rights(*words: object) -> subprocess.CompletedProcess[str]:
    """`annotune` as a user for whom permissions of files count."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if os.geteuid() != 0:
        drop = []
    elif shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv")
    program = [sys.executable, "-P", "-m", "app.cli", *map(str, words)]
    return subprocess.run([*drop, *program], capture_output=True, text=True, check=False)


@pytest.fixture
def read_only(sqlite: str) -> Iterator[Path]:
    """A data folder that can only be read, with a database that was closed in peace."""
    ada = make_user("Ada", admin=True)
    fill(made := make_project(ada), ada, labelled_rows())
    freeze(made, ada)
    db.dispose()
    folder = get_settings().data_dir
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


def test_a_data_folder_that_can_only_be_read_is_backed_up(
    read_only: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(read_only.glob("*-wal"))
    done = without_rights("backup", tmp_path / "backup")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    before = {path.name for path in read_only.iterdir()}
    refused = without_rights("restore", "--replace", tmp_path / "backup")
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False), refused.stderr
    assert str(read_only) in refused.stderr
    assert {path.name for path in read_only.iterdir()} == before
    monkeypatch.setenv("ANNOTUNE_DATA_DIR", str(tmp_path / "elsewhere"))
    forget_everything()
    succeed("restore", tmp_path / "backup")
    assert [bool(digest) for digest in digests().values()] == [True]


def test_changes_that_only_lie_in_the_log_are_not_left_out(read_only: Path, tmp_path: Path) -> None:
    """As after a crash, copied without the file that is not needed."""
    database = read_only / "annotune.sqlite3"
    read_only.chmod(0o700)
    with closing(sqlite3.connect(database)) as open_one:
        open_one.execute("UPDATE users SET name = 'Bo'")
        open_one.commit()
        log = database.with_name(f"{database.name}-wal").read_bytes()
    database.with_name(f"{database.name}-wal").write_bytes(log)
    read_only.chmod(0o500)
    done = without_rights("backup", tmp_path / "backup")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "annotune.sqlite3-wal" in done.stderr
    assert not (tmp_path / "backup").exists()


def test_a_damaged_database_is_said_in_words(read_only: Path, tmp_path: Path) -> None:
    (read_only / "annotune.sqlite3").write_bytes(b"no database at all " * 100)
    done = annotune("backup", tmp_path / "backup")
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "cannot be copied" in done.output


def test_an_upload_that_waits_is_in_it_and_one_that_is_over_is_not(
    project: Project, ada: User, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    client = Site(create_app()).caller(ada)
    client.post(f"/projects/{project.id}/imports", files={"file": ("a.txt", b"Hello.\nBye.\n")})
    with session_scope(read_only=True) as session:
        waiting = session.scalars(
            select(Import.id).order_by(Import.created_at.desc()).limit(1)
        ).one()
    succeed("backup", tmp_path / "backup")
    elsewhere.enter()
    succeed("restore", tmp_path / "backup")
    assert get_storage().names("uploads") == [waiting]


STAGES = {
    "the database is copied": lambda part: any(part.glob("database.*")),
    "files are copied": lambda part: any(part.glob("files/*/*")),
    "all is written but the last look": lambda part: (part / "manifest.json").exists(),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_backup_that_is_killed_never_looks_whole(
    project: Project, ada: User, tmp_path: Path, stage: str
) -> None:
    for n in range(20):
        with session_scope() as session:
            row = Import(
                project_id=project.id,
                filename="a.txt",
                size=1,
                sha256="",
                format="text",
                created_at=now(),
            )
            session.add(row)
            session.flush()
            with get_storage().writing(f"uploads/{row.id}") as sink:
                sink.write(os.urandom(1 << 18) * (1 + n % 4))
            row.sha256 = get_storage().sha256(f"uploads/{row.id}")
    db.dispose()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "app.cli", "backup", str(tmp_path / "backup")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60 * PATIENCE
    while process.poll() is None:
        assert time.monotonic() < deadline, stage
        if any(map(STAGES[stage], tmp_path.glob("backup.*.part"))):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.0005)
    assert process.wait(60) == -signal.SIGKILL
    assert not (tmp_path / "backup").exists()
    (part,) = tmp_path.glob("backup.*.part")
    if not (part / "manifest.json").exists():
        assert "no whole backup" in annotune("restore", "--check", part).output
    succeed("backup", tmp_path / "backup")
    succeed("restore", "--check", tmp_path / "backup")


def test_a_backup_into_the_data_that_it_saves_is_refused(project: Project) -> None:
    data = get_settings().data_dir
    data.mkdir(exist_ok=True)
    for folder in (data / "backup", data / "files" / "backup"):
        refused = annotune("backup", folder)
        assert refused.exit_code == 1
        assert "the very data" in refused.output
        assert not folder.exists()


def test_a_refused_restore_leaves_nothing_behind(
    project: Project, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    succeed("backup", tmp_path / "backup")
    database = next(
        path
        for path in (tmp_path / "backup").iterdir()
        if path.name != "manifest.json" and path.is_file()
    )
    database.write_bytes(b"damaged")
    elsewhere.enter()
    assert annotune("restore", tmp_path / "backup").exit_code == 1
    assert not elsewhere.folder.exists()
