"""The commands for training. What a worker makes of a run is tested in tests/worker."""

import threading
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from app.cli import training
from app.db import session_scope
from app.models import Job, Project, Run, User
from app.services import jobs, runs
from app.services.versions import SplitPercent
from app.settings import get_settings
from tests.cli.conftest import Annotune
from tests.conftest import wait_for
from tests.factories import count, fill, freeze, labelled_rows, make_project, open_rows


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada, split=SplitPercent(train=100, validation=0, test=0))
    return made


@pytest.fixture
def model(annotune: Annotune, project: Project, tmp_path: Path) -> str:
    """The id of a run that a worker has done."""
    annotune("train", project.id, "--name", "first")
    run = only_run()
    claim = jobs.claim(run.job_id, "the test")
    assert claim is not None
    (tmp_path / "done" / "model").mkdir(parents=True)
    (tmp_path / "done" / "model" / "config.json").write_text("{}")
    scores = {"scores": {"accuracy": 0.75}, "per_label": [], "confusion": None, "intervals": {}}
    runs.complete(claim, {"metrics": {"test": {"examples": 4, **scores}}}, tmp_path / "done")
    return run.id


def only_run() -> Run:
    with session_scope(read_only=True) as session:
        return session.scalars(select(Run)).one()


def queued(kind: str) -> tuple[Run, Job]:
    """The one run of a kind that waits, and its job."""
    with session_scope(read_only=True) as session:
        run, job = session.execute(
            select(Run, Job)
            .join(Job, Job.id == Run.job_id)
            .where(Job.kind == kind, Job.state == "queued")
        ).one()
        return run, job


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


def test_a_cross_validation_is_queued_with_its_turn(annotune: Annotune, project: Project) -> None:
    words = ("--folds", 4, "--priority", "idle", "--device", "cuda")
    done = annotune("crossvalidate", project.id, *words)
    assert done.exit_code == 0, done.stderr
    run, job = queued("crossvalidate")
    assert done.stdout == f"{run.id}  {run.name}: queued\n"
    assert (run.params["folds"], job.priority, job.device) == (4, -1, "cuda")
    refused = annotune("crossvalidate", project.id, "--folds", 20)
    assert (refused.exit_code, "20 folds" in refused.stderr) == (1, True), refused.stderr


def test_a_model_is_evaluated_on_a_version(annotune: Annotune, model: str) -> None:
    words = ("--version", "latest", "--split", "train", "--priority", "urgent", "--device", "cpu")
    done = annotune("evaluate", model, *words)
    assert done.exit_code == 0, done.stderr
    run, job = queued("evaluate")
    assert done.stdout == f"{run.id}  first · v1 train: queued\n"
    assert (run.params["base_ref"], run.params["split"]) == (model, "train")
    assert (job.priority, job.device) == (1, "cpu")


def test_a_model_is_evaluated_on_a_file(annotune: Annotune, model: str, tmp_path: Path) -> None:
    file = tmp_path / "dev.tsv"
    file.write_text("sentence\tlabel\nWhat a film\t1\nWhat a bore\t0\n")
    done = annotune("evaluate", model, file, "--glue", "sst2", "--label", "1=positive")
    assert done.exit_code == 0, done.stderr
    run, _job = queued("evaluate")
    assert run.params["labels"] == {"0": "negative", "1": "positive"}
    refused = annotune("evaluate", model, file, "--glue", "mrpc")
    assert (refused.exit_code, "annotune glue" in refused.stderr) == (1, True), refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ([], 2, "--version"),
        (["--version", "1", "--glue", "sst2"], 2, "--version"),
        (["--version", "9"], 1, "9"),
        (["--version", "1", "--split", "half"], 1, "split"),
        (["--version", "1", "--split", "train", "--priority", "now"], 1, "urgent"),
        (["--version", "1", "--split", "train", "--device", "tpu"], 1, "cuda"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused(
    annotune: Annotune, model: str, words: list[str], code: int, hint: str
) -> None:
    refused = annotune("evaluate", model, *words)
    assert (refused.exit_code, hint in refused.stderr) == (code, True), refused.stderr
    assert count(Run) == 1


def test_a_model_is_pushed_with_a_token_of_ones_own_or_where_it_is_allowed_without(
    annotune: Annotune, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = annotune("push", model, "ada/reviews")
    assert (refused.exit_code, "ANNOTUNE_HUB_PUSH" in refused.stderr) == (1, True)
    own = annotune("push", model, "bo/reviews", "--token-stdin", typed="hf_own\n")
    assert own.exit_code == 0, own.stderr
    run, job = queued("push")
    assert run.params["own_token"]
    assert "hf_own" not in str(vars(run)) + str(vars(job)) + own.stdout
    with session_scope() as session:
        session.delete(session.get_one(Run, run.id))
        session.delete(session.get_one(Job, job.id))
    monkeypatch.setenv("ANNOTUNE_HUB_PUSH", '["ada"]')
    get_settings.cache_clear()
    done = annotune("push", model, "ada/reviews", "--public")
    assert done.exit_code == 0, done.stderr
    run, _job = queued("push")
    assert done.stdout == f"{run.id}  first → ada/reviews: queued\n"
    wished = {"base_ref": model, "repo_id": "ada/reviews", "private": False, "own_token": False}
    assert wished.items() <= run.params.items()
    for words, hint in (((model, "ada//x"), "repo_id"), (("nobody", "ada/x"), "run")):
        refused = annotune("push", *words)
        assert (refused.exit_code, hint in refused.stderr) == (1, True), refused.stderr


def test_a_run_without_a_model_is_neither_evaluated_nor_pushed(
    annotune: Annotune, project: Project
) -> None:
    annotune("train", project.id)
    run = only_run().id
    for words in (("evaluate", run, "--version", 1), ("push", run, "ada/reviews")):
        refused = annotune(*words)
        assert (refused.exit_code, "model" in refused.stderr) == (1, True), refused.stderr


def test_predictions_are_scored_as_glue_scores_them(annotune: Annotune, tmp_path: Path) -> None:
    gold, said = tmp_path / "dev.tsv", tmp_path / "said.tsv"
    gold.write_text("sentence\tlabel\nfine\t1\npoor\t0\n")
    said.write_text("index\tprediction\n0\t1\n1\t1\n")
    done = annotune("glue", "sst2", gold, said)
    assert (done.exit_code, "0.5000" in done.stdout) == (0, True), done.stderr
    said.write_text("index\tprediction\n0\t1\n")
    refused = annotune("glue", "sst2", gold, said)
    assert refused.exit_code == 1
    assert refused.stderr.strip()


def test_a_search_is_counted_then_queued(annotune: Annotune, project: Project, ada: User) -> None:
    freeze(project, ada, split=SplitPercent(train=50, validation=50, test=0), keep_splits=False)
    words = ("search", project.id, "--set", "learning_rate=1e-4,3e-4", "--set", "epochs=2")
    counted = annotune(*words, "--count")
    assert (counted.stdout, count(Run)) == ("2 runs\n", 0), counted.stderr
    done = annotune(*words, "--device", "cpu")
    assert "2 runs queued" in done.stdout, done.stderr
    assert count(Job, Job.kind == "finetune", Job.priority == -1, Job.device == "cpu") == 2
