"""The commands for data: projects, demo, import, freeze, export."""

import errno
import hashlib
import os
import sqlite3
import zipfile
from pathlib import Path

import orjson
import pytest
import typer
from sqlalchemy import select

from app.cli import local_jobs
from app.cli.console import plain_errors
from app.db import session_scope
from app.models import DatasetVersion, Example, Import, Job, Project, User
from app.services import jobs
from app.services.versions import SplitPercent
from tests.cli.conftest import Annotune
from tests.factories import (
    count,
    fill,
    freeze,
    join,
    labelled_rows,
    make_project,
    make_user,
    work_off,
)


@pytest.fixture
def project(ada: User) -> Project:
    return make_project(ada, name="Hotel reviews")


def write(folder: Path, text: str, name: str = "reviews.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_projects_are_listed_for_people_and_for_programs(
    annotune: Annotune, project: Project, ada: User
) -> None:
    fill(project, ada, labelled_rows())
    lines = annotune("projects").stdout.splitlines()
    assert lines[0].split() == ["id", "task", "examples", "labelled", "name"]
    assert lines[1].split() == [project.id, "sentiment", "5", "5", "Hotel", "reviews"]
    assert orjson.loads(annotune("projects", "--json").stdout)[0]["id"] == project.id


def test_the_demo_is_ready_at_once_and_made_once(annotune: Annotune, ada: User) -> None:
    assert annotune("demo").exit_code == 0
    assert annotune("demo").exit_code == 0
    assert count(Project) == 3
    with session_scope(read_only=True) as session:
        digests = session.scalars(select(DatasetVersion.sha256)).all()
    assert len(digests) == 3
    assert all(digests)


def test_a_file_is_imported_whole(annotune: Annotune, project: Project, tmp_path: Path) -> None:
    file = write(tmp_path, "text,label\nGood.,positive\nSo so.,mixed\n")
    done = annotune("import", "Hotel reviews", file)
    assert done.exit_code == 0, done.stderr
    assert "2 rows read as csv: 2 with an annotation" in done.stdout
    assert "New labels: mixed" in done.stdout
    assert count(Example) == 2


def test_a_refused_file_names_its_rows_and_leaves_nothing(
    annotune: Annotune, project: Project, tmp_path: Path
) -> None:
    file = write(tmp_path, "text,label\nGood.,positive\n,negative\n")
    refused = annotune("import", project.id, file)
    assert refused.exit_code == 1
    assert "row 3, column text: The text is empty." in refused.stderr
    assert "nothing was imported" in refused.stderr
    assert count(Example) == 0
    kept = annotune("import", project.id, file, "--on-error", "skip")
    assert kept.exit_code == 0
    assert "1 wrong" in kept.stdout
    assert count(Example) == 1


def test_columns_labels_encoding_and_split_as_wished(
    annotune: Annotune, project: Project, tmp_path: Path
) -> None:
    file = tmp_path / "评论.txt"
    file.write_bytes("score;opinion\n1;很好\n0;不好\n".encode("gb18030"))
    done = annotune(
        *("import", project.id, file, "--format", "csv", "--encoding", "gb18030"),
        *("--delimiter", ";", "--header"),
        *("--map", "text=opinion", "--map", "label=score", "--split", "test"),
        *("--label", "1=positive", "--label", "0=negative"),
    )
    assert done.exit_code == 0, done.stderr
    with session_scope(read_only=True) as session:
        rows = session.scalars(select(Example).order_by(Example.id)).all()
    assert [row.inputs["text"] for row in rows] == ["很好", "不好"]
    assert {row.split for row in rows} == {"test"}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--map", "text"], "NAME=VALUE"),
        (["--on-error", "shrug"], "stop"),
        (["--split", "dev"], "validation"),
    ],
)
def test_a_misspelt_option_is_a_usage_error(
    annotune: Annotune, project: Project, tmp_path: Path, words: list[str], hint: str
) -> None:
    refused = annotune("import", project.id, write(tmp_path, "text\nHi.\n"), *words)
    assert refused.exit_code == 2
    assert hint in refused.stderr
    assert count(Import) == 0


def test_a_missing_file_and_an_unknown_format_are_named(
    annotune: Annotune, project: Project, tmp_path: Path
) -> None:
    assert annotune("import", project.id, tmp_path / "none.csv").exit_code == 2
    refused = annotune("import", project.id, write(tmp_path, "Hi."), "--format", "pdf")
    assert refused.exit_code == 1
    assert "“pdf”" in refused.stderr
    assert count(Import) == 0


def test_a_job_that_a_worker_has_is_waited_for(
    annotune: Annotune, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = jobs.claim

    def worker_was_quicker(job_id: str, owner: str) -> jobs.Claim | None:
        if "command line" not in owner:
            return claim(job_id, owner)
        work_off(job_id)
        return claim(job_id, owner)

    monkeypatch.setattr(jobs, "claim", worker_was_quicker)
    assert annotune("import", project.id, write(tmp_path, "text\nHi.\n")).exit_code == 0
    assert count(Example) == 1


def test_freezing_says_what_is_in_the_version(
    annotune: Annotune, project: Project, ada: User
) -> None:
    assert annotune("freeze", project.id).exit_code == 1
    fill(project, ada, labelled_rows())
    done = annotune("freeze", project.id, "--note", "first", "--split", "0/0/100")
    assert done.exit_code == 0
    assert "Version 1: 5 examples (0 train, 0 validation, 5 test)" in done.stdout
    with session_scope(read_only=True) as session:
        version = session.scalars(select(DatasetVersion)).one()
    assert version.note == "first"
    assert f"SHA-256 {version.sha256}" in done.stdout
    for split in ("80/20", "a/b/c", "80/30/10"):
        assert annotune("freeze", project.id, "--split", split).exit_code == 2


def test_a_version_is_written_to_a_file_once(
    annotune: Annotune, project: Project, ada: User, tmp_path: Path
) -> None:
    fill(project, ada, labelled_rows())
    version = freeze(project, ada)
    target = tmp_path / "out.jsonl"
    done = annotune("export", project.id, "latest", "-o", target)
    assert done.exit_code == 0, done.stderr
    assert hashlib.sha256(target.read_bytes()).hexdigest() == version.sha256
    again = annotune("export", project.id, 1, "-o", target)
    assert again.exit_code == 1
    assert "--force" in again.stderr
    assert annotune("export", project.id, 1, "-f", "csv", "-o", target, "--force").exit_code == 0
    assert target.read_text().startswith("id,")
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_version_is_written_to_a_pipe(annotune: Annotune, project: Project, ada: User) -> None:
    fill(project, ada, labelled_rows())
    version = freeze(project, ada)
    done = annotune("export", project.id, "v1", "-o", "-")
    assert hashlib.sha256(done.stdout_bytes).hexdigest() == version.sha256


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["Nowhere", "1"], 1, "annotune projects"),
        (["Hotel reviews", "9"], 1, "no version 9"),
        (["Hotel reviews", "latest"], 1, "annotune freeze"),
        (["Hotel reviews", "first"], 2, "latest"),
    ],
)
def test_what_cannot_be_exported_is_said_with_what_to_do(
    annotune: Annotune, project: Project, words: list[str], code: int, hint: str
) -> None:
    refused = annotune("export", *words)
    assert (refused.exit_code, hint in refused.stderr) == (code, True), refused.stderr


def test_what_a_format_cannot_say_is_said(annotune: Annotune, ada: User, tmp_path: Path) -> None:
    project = make_project(ada, "ner")
    inside = {"spans": [{"start": 1, "end": 3, "label": "PER"}]}
    fill(project, ada, [{"text": "Ada.", "annotation": inside}])
    freeze(project, ada)
    done = annotune("export", project.id, 1, "-f", "conll2003", "-o", tmp_path / "a.conll")
    assert done.exit_code == 0
    assert "cannot say everything of 1 examples" in done.stderr


def test_each_split_is_a_file_of_its_own(annotune: Annotune, ada: User, tmp_path: Path) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    freeze(project, ada, split=SplitPercent(train=50, validation=0, test=50))
    done = annotune("export", project.id, 1, "-f", "alpaca", "-o", tmp_path / "a.zip")
    assert done.exit_code == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "a.zip") as folder:
        names = set(folder.namelist())
    assert names - {"README.md", "dataset_info.json"} <= {"train.alpaca.json", "test.alpaca.json"}
    assert "Not in this format" in done.stderr
    mixed = annotune(
        "export", project.id, 1, "-f", "alpaca", "--split", "all", "-o", tmp_path / "a.json"
    )
    assert isinstance(orjson.loads((tmp_path / "a.json").read_bytes()), list)
    assert len(names) == 3 or "would be trained on" in mixed.stderr


def test_all_annotations_are_written_for_managers(
    annotune: Annotune, ada: User, tmp_path: Path
) -> None:
    project = make_project(ada)
    fill(project, ada, labelled_rows())
    target = tmp_path / "all.jsonl"
    done = annotune("annotations", project.id, "-o", target)
    assert done.exit_code == 0, done.stderr
    rows = [orjson.loads(line) for line in target.read_bytes().splitlines()]
    assert len(rows) == len(labelled_rows())
    assert {row["source"] for row in rows} == {"import"}
    join(project, ada, annotator=make_user("Bo"))
    refused = annotune("annotations", project.id, "--as", "bo@example.org")
    assert (refused.exit_code, "Manager" in refused.stderr) == (1, True)


def test_commands_check_the_same_roles_as_pages(
    annotune: Annotune, project: Project, ada: User, tmp_path: Path
) -> None:
    fill(project, ada, labelled_rows())
    bo, _eve = make_user("Bo"), make_user("Eve")
    join(project, ada, annotator=bo)
    file = write(tmp_path, "text\nHi.\n")
    for who, words, hint in (
        ("bo@example.org", ["freeze", project.id], "Manager"),
        ("Bo", ["import", project.id, file], "Manager"),
        ("Eve", ["freeze", project.id], "no project"),
        ("Nobody", ["projects"], "annotune user list"),
    ):
        refused = annotune(*words, "--as", who)
        assert refused.exit_code == 1
        assert hint in refused.stderr
    assert "no projects" in annotune("projects", "--as", "Eve").stdout
    assert count(Import) == 1


def test_names_that_several_have_are_asked_about(annotune: Annotune, ada: User) -> None:
    first, second = make_project(ada, name="Twin"), make_project(ada, name="Twin")
    refused = annotune("freeze", "Twin")
    assert refused.exit_code == 1
    assert first.id in refused.stderr
    assert second.id in refused.stderr


def test_ctrl_c_takes_an_import_back(
    annotune: Annotune, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, calls = local_jobs.watch, []

    def interrupted_once(job_id: str, title: str) -> Job:
        calls.append(title)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return watch(job_id, title)

    monkeypatch.setattr(local_jobs, "watch", interrupted_once)
    monkeypatch.setattr(local_jobs, "_start_here", lambda _job_id: None)  # still in the queue
    stopped = annotune("import", project.id, write(tmp_path, "text\nHi.\n"))
    assert stopped.exit_code == 1
    assert "nothing of it was kept" in stopped.stderr
    assert count(Example) == 0


def test_frame_files_are_read_from_the_command_line(
    annotune: Annotune, ada: User, tmp_path: Path
) -> None:
    project = make_project(ada, "srl", name="Roles")
    frame = (
        '<frameset><predicate lemma="give"><roleset id="give.01" name="do"/></predicate></frameset>'
    )
    done = annotune("frames", project.id, str(write(tmp_path, frame, "give.xml")))
    assert done.exit_code == 0, done.output
    assert "1 senses" in done.output
    failed = annotune("frames", project.id, str(write(tmp_path, "<notes/>", "notes.xml")))
    assert failed.exit_code == 1
    assert "no PropBank frame" in failed.output


def test_a_full_disk_is_one_sentence(
    annotune: Annotune, ada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(ada)
    file = tmp_path / "rows.txt"
    file.write_text("One.\n")

    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    done = annotune("import", project.id, file)
    assert done.exit_code == 1, done.output
    assert "The disk is full" in done.output
    assert len(done.output.splitlines()) == 1


def test_a_database_that_fills_the_disk_is_one_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    small = sqlite3.connect(":memory:")
    small.execute("PRAGMA max_page_count = 1")
    with pytest.raises(typer.Exit), plain_errors():
        small.execute("CREATE TABLE more (id INTEGER)")
    assert "The disk is full" in capsys.readouterr().err


def test_splits_are_kept_unless_all_are_to_be_split_anew(
    annotune: Annotune, ada: User, project: Project
) -> None:
    fill(project, ada, labelled_rows([(f"Review {n}.", "positive") for n in range(40)]))
    first = annotune("freeze", project.id, "--split", "100/0/0")
    assert "(40 train, 0 validation, 0 test)" in first.output
    kept = annotune("freeze", project.id, "--split", "0/0/100")
    assert "(40 train, 0 validation, 0 test)" in kept.output
    anew = annotune("freeze", project.id, "--split", "0/0/100", "--split-anew")
    assert "40 examples moved from train to test." in anew.output


def test_a_guessed_encoding_is_said(annotune: Annotune, tmp_path: Path, project: Project) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(
        "text,label\nI love this film by 张艺谋,positive\nBad,negative\n".encode("gbk")
    )
    done = annotune("import", project.id, file)
    assert "is a guess" in done.output
    named = annotune("import", project.id, file, "--encoding", "gbk")
    assert "is a guess" not in named.output
