"""The commands for training. What a worker makes of a run is tested in tests/worker."""

import threading

import orjson
import pytest
from sqlalchemy import select

from app.cli import training
from app.db import session_scope
from app.models import Job, Project, Run, User
from app.services import jobs
from app.services.versions import SplitPercent
from tests.cli.conftest import Annotune
from tests.conftest import wait_for
from tests.factories import count, fill, freeze, labelled_rows, make_project, open_rows


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada, split=SplitPercent(train=100, validation=0, test=0))
    return made


def only_run() -> Run:
    with session_scope(read_only=True) as session:
        return session.scalars(select(Run)).one()


def test_a_run_is_queued_with_what_was_wished(annotune: Annotune, project: Project) -> None:
    done = annotune(
        *("train", project.id, "1", "--base", "scratch", "--epochs", 4),
        *("--set", "seed=7", "--set", "learning_rate=2e-4", "--name", "first"),
    )
    assert done.exit_code == 0, done.stderr
    run = only_run()
    assert done.stdout == f"{run.id}  first: queued\n"
    wished = {"base": "scratch", "epochs": 4, "seed": 7, "learning_rate": 2e-4}
    assert wished.items() <= run.params.items()
    (listed,) = orjson.loads(annotune("runs", "--json").stdout)
    assert (listed["id"], listed["state"], listed["version"]) == (run.id, "queued", 1)
    assert annotune("runs", project.id).stdout.splitlines()[1].startswith(run.id)


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["--epochs", "0"], 1, "epochs"),
        (["--head", "crf"], 1, "crf"),
        (["--set", "sede=1"], 2, "NAME=VALUE"),
        (["--set", "seed"], 2, "NAME=VALUE"),
    ],
)
def test_a_run_that_cannot_be_is_refused(
    annotune: Annotune, project: Project, words: list[str], code: int, hint: str
) -> None:
    refused = annotune("train", project.id, "latest", *words)
    assert (refused.exit_code, hint in refused.stderr) == (code, True), refused.stderr
    assert count(Run) == 0


@pytest.mark.parametrize(("end", "code"), [("failed", 1), ("succeeded", 0)])
def test_waiting_ends_with_the_run(
    annotune: Annotune, project: Project, end: str, code: int
) -> None:
    def work() -> None:
        wait_for(lambda: count(Run) == 1)
        run = only_run()
        claim = jobs.claim(run.job_id, "the test")
        assert claim is not None
        if end == "failed":
            jobs.fail(claim, "The disk is full.")
            return
        with session_scope() as session:
            scores = {"validation": {"scores": {"macro_f1": 0.75}}}
            session.get_one(Run, run.id).result = {"metrics": scores}
            jobs.succeed(session, claim)

    worker = threading.Thread(target=work)
    worker.start()
    done = annotune("train", project.id, "--wait")
    worker.join()
    assert done.exit_code == code
    assert f": {end}" in done.stdout
    if end == "failed":
        assert "The disk is full." in done.stderr
    else:
        assert "validation: macro_f1 0.7500" in done.stdout


def test_leaving_a_run_does_not_stop_it(
    annotune: Annotune, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_job_id: str, _title: str) -> Job:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "watch", interrupted)
    left = annotune("train", project.id, "--wait")
    assert left.exit_code == 130
    assert "goes on" in left.stderr
    assert count(Job, Job.kind == "finetune", Job.state == "queued") == 1


def test_a_pre_training_is_queued_for_all_texts(annotune: Annotune, ada: User) -> None:
    made = make_project(ada)
    fill(made, ada, open_rows(30))
    done = annotune("pretrain", made.id, "--base", "scratch", "--set", "mask_probability=0.2")
    assert done.exit_code == 0, done.stderr
    run = only_run()
    assert done.stdout == f"{run.id}  scratch MLM #1: queued\n"
    assert {"base": "scratch", "mask_probability": 0.2}.items() <= run.params.items()
    assert count(Job, Job.kind == "pretrain", Job.state == "queued") == 1
    refused = annotune("pretrain", made.id, "--set", "head=crf")
    assert (refused.exit_code, "mask_probability" in refused.stderr) == (2, True)
