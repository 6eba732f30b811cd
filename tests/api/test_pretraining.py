"""Pre-training on a project's texts: started, what it learns from, what its model is good for."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.db import session_scope
from app.models import DatasetVersion, Project, Run, User
from app.models.base import now
from app.services import jobs, runs
from app.services.splits import split_of
from app.services.texts import write_texts
from app.services.versions import SplitPercent
from app.tasks.content import content_hash
from tests.api.conftest import Site
from tests.factories import (
    count,
    fill,
    freeze,
    join,
    labelled_rows,
    make_project,
    make_user,
    open_rows,
)

TEXTS = 300


@pytest.fixture
def project(ada: User) -> Project:
    """Some labelled texts, many that are not, and two of them twice but for white space."""
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    again = [{"text": "Sentence  number 1."}, {"text": "Sentence number 2. "}]
    fill(made, ada, [*open_rows(TEXTS), *again])
    return made


def finished(api: TestClient, project: Project, folder: Path) -> str:
    """A pre-training that a worker has done."""
    run = api.post(f"/projects/{project.id}/pretrain", json={"name": "words"}).json()
    claim = jobs.claim(run["job"]["id"], "a worker")
    assert claim
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    texts = {
        "train": 270,
        "validation": 15,
        "left_out": 20,
        "test_percent": 10,
        "sha256": "ab" * 32,
    }
    result = {
        "before": {"loss": 9.0, "perplexity": 8103.08},
        "after": {"loss": 3.0, "perplexity": 20.0855},
        "texts": texts,
        "counts": {"rows": 270, "pieces": 2000, "windowed": 0, "measured_pieces": 30},
        "seconds": 1.0,
    }
    runs.complete(claim, result, folder)
    return str(run["id"])


def snapshot(path: Path, project: Project, **wishes: Any) -> tuple[Any, list[dict[str, Any]]]:
    values = {"as_of": now(), "validation_percent": 5} | wishes
    counts = write_texts(path, project.id, **values)
    return counts, [json.loads(line) for line in path.read_text().splitlines()]


def test_a_pre_training_is_fitted_to_the_texts_and_needs_no_version(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    answer = api.post(f"/projects/{project.id}/pretrain", json={"params": {"base": "scratch"}})
    assert answer.status_code == 202, answer.text
    run = answer.json()
    assert (run["kind"], run["job"]["kind"], run["version"]) == ("pretrain", "pretrain", None)
    assert (run["name"], run["params"]["learning_rate"]) == ("scratch MLM #1", 1e-3)
    assert run["params"]["validation_percent"] == 10, "few texts: more of them to measure on"
    for params, where in [
        ({"mask_probability": 2}, "mask_probability"),
        ({"head": "crf"}, "head"),
        ({"base": "run", "base_ref": run["id"]}, "base_ref"),
        ({"base": ["scratch"]}, "base"),
    ]:
        refused = api.post(f"/projects/{project.id}/pretrain", json={"params": params})
        assert refused.status_code == 422, refused.text
        assert where in [problem["where"] for problem in refused.json()["problems"]]
    page = f"/projects/{project.id}/pretrain"
    browser = site.browser(ada)
    assert "Share of masked words" in browser.get(page).text
    assert browser.post(page, data={"base": "scratch", "epochs": "0"}).status_code == 422
    started = browser.post(page, data={"base": "scratch", "epochs": "2", "name": "by hand"})
    assert started.status_code == 303
    assert "by hand" in browser.get(started.headers["location"]).text
    assert count(Run) == 2
    assert api.post(f"/jobs/{run['job']['id']}/cancel").json()["state"] == "cancelled"


def test_too_few_texts_and_people_without_the_role_are_refused(
    site: Site, api: TestClient, ada: User
) -> None:
    small = make_project(ada)
    fill(small, ada, labelled_rows())
    refused = api.post(f"/projects/{small.id}/pretrain", json={})
    assert refused.status_code == 422
    assert "at least 20 texts, and the project has 5" in refused.json()["detail"]
    join(small, ada, annotator=(bo := make_user("Bo")))
    assert site.caller(bo).post(f"/projects/{small.id}/pretrain", json={}).status_code == 403
    eve = site.caller(make_user("Eve"))
    assert eve.post(f"/projects/{small.id}/pretrain", json={}).status_code == 404


def test_the_texts_are_all_but_those_of_the_test_split_each_once(
    project: Project, ada: User, tmp_path: Path
) -> None:
    fill_for_test = "A sentence that is only tested on."
    with session_scope() as session:
        # As an import for a split does it.
        session.execute(
            Run.metadata.tables["examples"]
            .insert()
            .values(
                project_id=project.id,
                inputs={"text": fill_for_test},
                meta={},
                content_hash=content_hash(fill_for_test),
                split="test",
                status="open",
                created_at=now(),
            )
        )
    freeze(project, ada, split=SplitPercent(train=60, validation=0, test=40))
    counts, rows = snapshot(tmp_path / "texts.jsonl", project)
    texts = [row["inputs"]["text"] for row in rows]
    hashes = [content_hash(text) for text in texts]
    percent = {"test": 40, "validation": 5}
    assert len(set(hashes)) == len(texts)
    assert fill_for_test not in texts
    assert [row["split"] for row in rows] == [split_of(digest, percent) for digest in hashes]
    assert "test" not in {row["split"] for row in rows}
    assert (counts.train + counts.validation, counts.test_percent) == (len(texts), 40)
    assert counts.train + counts.validation + counts.left_out == TEXTS + 5 + 1
    assert 0.3 < counts.left_out / (TEXTS + 6) < 0.5
    assert 0 < counts.validation < 40


def test_the_texts_are_those_of_the_start(project: Project, ada: User, tmp_path: Path) -> None:
    start = now()
    first, _rows = snapshot(tmp_path / "first.jsonl", project, as_of=start)
    fill(project, ada, open_rows(50, start=5000))
    freeze(project, ada, split=SplitPercent(train=10, validation=0, test=90))
    again, _rows = snapshot(tmp_path / "again.jsonl", project, as_of=start)
    assert again == first
    later, _rows = snapshot(tmp_path / "later.jsonl", project)
    assert later.test_percent == 90
    assert later.sha256 != first.sha256
    none, rows = snapshot(tmp_path / "none.jsonl", project, as_of=start - timedelta(days=1))
    assert (none.train, rows) == (0, [])
    assert count(DatasetVersion) == 1


def test_its_model_is_a_base_for_any_task_and_says_no_labels(
    site: Site, api: TestClient, project: Project, ada: User, tmp_path: Path
) -> None:
    run = finished(api, project, tmp_path)
    freeze(project, ada)
    assert api.get(f"/runs/{run}/model.zip").status_code == 200
    refused = [
        api.post(f"/runs/{run}/predict", json={"texts": ["Hi"]}),
        api.get(f"/runs/{run}/errors"),
        api.get(f"/runs/{run}/predictions.jsonl"),
    ]
    for answer in refused:
        assert answer.status_code == 409, answer.text
        assert "“words” pre-trained a model, which knows no labels" in answer.json()["detail"]

    browser = site.browser(ada)
    page = browser.get(f"/runs/{run}").text
    assert all(words in page for words in ("8,103", "20.1", "270", "left out: test split"))
    assert 'id="try"' not in page
    link = f"/projects/{project.id}/versions/1/train?start_from={run}"
    assert link in page
    assert f'<option value="{run}" selected>words</option>' in browser.get(link).text
    assert "perplexity" in browser.get(f"/projects/{project.id}/runs").text

    other = make_project(ada, "ner", name="Names")
    spans = {"spans": [{"start": 0, "end": 3, "label": "PER"}]}
    rows = [{"text": f"Ada went to town {n}.", "annotation": spans} for n in range(20)]
    fill(other, ada, rows)
    freeze(other, ada)
    page = browser.get(f"/projects/{other.id}/versions/1/train").text
    assert '<optgroup label="Pre-trained">' in page
    assert "words · Reviews" in page
    wish = {"version": 1, "params": {"base": "run", "base_ref": run}}
    assert api.post(f"/projects/{other.id}/runs", json=wish).status_code == 202
    join(other, ada, manager=(bo := make_user("Bo")))
    unseen = site.caller(bo).post(f"/projects/{other.id}/runs", json=wish)
    assert unseen.status_code == 422, "of a project that Bo is no member of"
