"""A pre-training in a real process, from the project's texts to a model that is stored."""

import pytest

from app.db import session_scope
from app.models import Run, RunPoint
from app.services import jobs, runs
from app.settings import get_settings
from app.storage import get_storage
from app.training import PretrainParams
from tests.worker.jobs.conftest import TINY, Workshop, job_of
from worker import supervisor, workplace

pytestmark = pytest.mark.training


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_pre_training_leaves_a_model_and_its_perplexities(
    workshop: Workshop,
) -> None:
    fields = PretrainParams.model_fields
    params = PretrainParams(
        **{name: value for name, value in TINY.model_dump().items() if name in fields}
        | {"validation_percent": 20}
    )
    with session_scope() as session:
        run = runs.create_pretraining(
            session, workshop.actor, workshop.project_id, params=params, name="words"
        )
    claim = jobs.claim(run.job_id, "the test")
    assert claim is not None
    # An attempt before this one has written down the texts: they are not read from the database again.
    folder = get_settings().work_dir / "runs" / run.id
    workplace.prepare(folder, runs.prepare(claim), get_settings())
    texts = (folder / "texts.jsonl").stat().st_mtime_ns
    workplace.prepare(folder, runs.prepare(claim), get_settings())
    assert (folder / "texts.jsonl").stat().st_mtime_ns == texts

    supervisor.run(claim)
    assert job_of(run.job_id).state == "succeeded", job_of(run.job_id).error
    with session_scope(read_only=True) as session:
        stored = session.get_one(Run, run.id)
        points = session.query(RunPoint).filter_by(run_id=run.id, kind="evaluation").all()
    assert stored.result
    assert stored.result["after"]["perplexity"] < stored.result["before"]["perplexity"]
    counts = stored.result["texts"]
    assert counts["train"] + counts["validation"] + counts["left_out"] == 60
    assert points[0].step == 0
    assert len(points) == 1 + params.epochs
    names = get_storage().names(runs.model_key(run.id))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(names)
