"""Evaluating models on other data, their cards and lineage, pushing them: over the API and in pages."""

import hashlib
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from app.db import session_scope
from app.errors import NotFound
from app.models import Job, Project, Run, User
from app.services import dispatch, hub, jobs, runs
from app.services.runs.keys import evaluation_key
from app.services.versions import SplitPercent
from app.settings import Settings, get_settings
from app.storage import get_storage
from app.training import FineTuneParams, ModelParams, PushParams
from tests.api.conftest import Site
from tests.factories import fill, freeze, labelled_rows, make_project, make_user
from worker import trainer, workplace

REPORT = {
    "examples": 4,
    "scores": {"accuracy": 0.75, "macro_f1": 0.7, "mcc": 0.5},
    "per_label": [],
    "confusion": None,
    "scheme": "One label a text.",
    "intervals": {"accuracy": [0.5, 1.0]},
}
RESULT = {
    "primary": "macro_f1",
    "metrics": {"test": REPORT},
    "seconds": 1.0,
    "parameters": 1234,
    "speed": {
        "ms_per_text": {"1": 5.5, "32": 1.25},
        "device": "cpu",
        "precision": "fp32",
        "threads": 1,
        "characters": 20,
    },
}


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada, name="Reviews: “all” *of* them")
    fill(made, ada, labelled_rows())
    freeze(made, ada, split=SplitPercent(train=100, validation=0, test=0))
    return made


@pytest.fixture
def model(api: TestClient, project: Project, tmp_path: Path) -> str:
    return trained(api, project, tmp_path / "first")


def trained(api: TestClient, project: Project, folder: Path, **params: Any) -> str:
    """A run that a worker has done."""
    run = api.post(f"/projects/{project.id}/runs", json={"version": 1, "params": params}).json()
    claim = jobs.claim(run["job"]["id"], "a worker")
    assert claim
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "config.json").write_text("{}")
    runs.complete(claim, RESULT, folder)
    return str(run["id"])


def on_file(api: TestClient, run: str, content: str, **fields: str) -> Any:
    return api.post(
        f"/runs/{run}/evaluate/file",
        files={"file": ("dev.tsv", content.encode())},
        data={"glue": "sst2"} | fields,
    )


def test_a_model_is_evaluated_on_a_version_of_another_project(
    api: TestClient, site: Site, model: str, ada: User
) -> None:
    other = make_project(ada, name="Other")
    fill(other, ada, labelled_rows())
    freeze(other, ada, split=SplitPercent(train=0, validation=0, test=100))
    wish = {"project_id": other.id, "version": 1, "priority": "urgent", "device": "cpu"}
    started = api.post(f"/runs/{model}/evaluate", json=wish)
    assert started.status_code == 202, started.text
    run = started.json()
    assert (run["kind"], run["project_id"], run["version"]) == ("evaluate", other.id, 1)
    assert (run["params"]["base_ref"], run["params"]["split"]) == (model, "test")
    assert (run["job"]["priority"], run["job"]["device"]) == (1, "cpu")
    refused = api.post(f"/runs/{model}/evaluate", json=wish | {"split": "train"})
    assert (refused.status_code, refused.json()["problems"][0]["where"]) == (422, "split")
    assert api.post(f"/runs/{model}/evaluate", json={"version": 9}).status_code == 404
    page = site.browser(ada).get(f"/runs/{run['id']}")
    assert f"/runs/{model}/model" in page.text


def test_a_version_with_other_labels_or_of_another_task_is_refused(
    api: TestClient, model: str, ada: User
) -> None:
    labels = [{"name": "up"}, {"name": "down"}]
    other = make_project(ada, name="Other", label_schema={"mode": "single", "labels": labels})
    fill(other, ada, [{"text": "Hm.", "annotation": {"labels": ["up"]}}])
    freeze(other, ada, split=SplitPercent(train=0, validation=0, test=100))
    refused = api.post(f"/runs/{model}/evaluate", json={"project_id": other.id, "version": 1})
    assert refused.status_code == 422
    assert "up" in refused.json()["detail"]
    spans = make_project(ada, "ner", name="Names")
    refused = api.post(f"/runs/{model}/evaluate", json={"project_id": spans.id, "version": 1})
    assert refused.json()["problems"][0]["where"] == "project_id"


def test_a_file_becomes_examples_with_the_models_labels_and_goes_with_its_run(
    api: TestClient, model: str
) -> None:
    started = on_file(api, model, 'sentence\tlabel\n"a fine film \t1\ndull\t0\nfine\tneutral\n')
    assert started.status_code == 202, started.text
    run = started.json()
    assert run["params"]["labels"] == {"0": "negative", "1": "positive"}
    assert (run["params"]["filename"], run["version"]) == ("dev.tsv", None)
    with get_storage().reading(evaluation_key(run["id"])) as stream:
        rows = [json.loads(line) for line in stream]
    assert [(r["inputs"]["text"], r["annotation"]["labels"]) for r in rows] == [
        ('"a fine film ', ["positive"]),
        ("dull", ["negative"]),
        ("fine", ["neutral"]),
    ]
    assert all(row["id"] < 0 and row["split"] == "test" for row in rows)
    api.post(f"/runs/{run['id']}/cancel")
    assert api.delete(f"/runs/{run['id']}").status_code == 204
    with pytest.raises(NotFound), get_storage().reading(evaluation_key(run["id"])):
        pass


@pytest.mark.parametrize(
    ("content", "fields", "hint"),
    [
        ("sentence\tlabel\nfine\t7\n", {}, "Row 2"),
        ("sentence\tlabel\nfine\n", {}, "Row 2"),
        ("sentence\tlabel\n", {}, "no rows"),
        ("a\t1\t\tGood.\n", {"glue": "cola"}, "Row 1"),
        ("sentence\tlabel\nfine\t1\n", {"labels": '{"1": "great"}'}, "great"),
        ("sentence\tlabel\nfine\t1\n", {"labels": "[1]"}, "object"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_not_kept(
    api: TestClient, model: str, content: str, fields: dict[str, str], hint: str
) -> None:
    refused = on_file(api, model, content, **fields)
    assert refused.status_code == 422, refused.text
    assert hint in refused.json()["detail"]
    assert len(api.get("/runs").json()["items"]) == 1


def test_only_managers_evaluate_and_push(site: Site, model: str, api: TestClient) -> None:
    stranger = site.caller(make_user("Eve"))
    for path, wish in (("evaluate", {"version": 1}), ("push", {"repo_id": "eve/x"})):
        assert stranger.post(f"/runs/{model}/{path}", json=wish).status_code == 404
    assert stranger.get(f"/runs/{model}/model/card").status_code == 404


def test_the_card_tells_programs_and_people(api: TestClient, project: Project, model: str) -> None:
    card = api.get(f"/runs/{model}/model/card").text
    _empty, front, body = card.split("---\n", 2)
    found = yaml.safe_load(front)
    assert (found["pipeline_tag"], found["language"]) == ("text-classification", "en")
    assert found["base_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert "license" not in found
    (entry,) = found["model-index"][0]["results"]
    digest = api.get(f"/projects/{project.id}/versions/1").json()["sha256"]
    assert entry["dataset"] == {
        "name": f"{project.name} v1",
        "type": "annotune",
        "split": "test",
        "revision": digest,
    }
    assert {"type": "f1", "name": "macro_f1", "value": 0.7} in entry["metrics"]
    for words in (digest, "0.5000 to 1.0000", "5.5 ms", "`positive`", "\\*of\\*", "1,234 weights"):
        assert words in body
    bundle = zipfile.ZipFile(BytesIO(api.get(f"/runs/{model}/model.zip").content))
    assert sorted(bundle.namelist()) == ["README.md", "SHA256SUMS", "config.json"]
    for line in bundle.read("SHA256SUMS").decode().splitlines():
        digest, name = line.split("  ", 1)
        assert hashlib.sha256(bundle.read(name)).hexdigest() == digest
    assert bundle.read("README.md").decode() == card


def test_the_model_page_shows_where_it_comes_from_and_what_came_of_it(
    site: Site, api: TestClient, project: Project, model: str, ada: User, tmp_path: Path
) -> None:
    child = trained(api, project, tmp_path / "second", base="run", base_ref=model)
    page = site.browser(ada).get(f"/runs/{child}/model").text
    assert f'href="/runs/{model}"' in page
    assert "5.5 ms" in page
    assert f'href="/runs/{child}"' in site.browser(ada).get(f"/runs/{model}/model").text
    assert site.browser(ada).get(f"/runs/{model}/evaluate").status_code == 200


def test_a_typed_token_reaches_the_worker_once_and_lies_nowhere(
    site: Site, api: TestClient, model: str, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(dispatch, "wake", lambda *args: bool(sent.append(args)) or True)
    answer = site.browser(ada).post(
        f"/runs/{model}/push", data={"repo_id": "ada/reviews", "token": "hf_secret"}
    )
    assert answer.status_code == 303, answer.text
    ((job_id, queue, share),) = sent
    with session_scope(read_only=True) as session:
        job = session.get_one(Job, job_id)
        run = session.query(Run).filter_by(job_id=job_id).one()
        stored = [str(vars(row)) for row in (job, run)]
    assert queue == "cpu"
    assert run.params["private"] is True
    for place in (*stored, share, api.get(f"/runs/{run.id}").text):
        assert "hf_secret" not in place
        assert b"hf_secret".hex() not in place
    claim = jobs.claim(job_id, "a worker")
    assert claim
    taken = jobs.Claim(**{**vars_of(claim), "share": share})
    assert [jobs.take_secret(taken), jobs.take_secret(taken)] == ["hf_secret", None]


def vars_of(claim: jobs.Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in claim.__slots__}


@pytest.mark.parametrize("repo_id", ["", "a b", "../x", "ada/--x", "a/b/c", "ada/x.git", "x" * 200])
def test_a_repository_that_no_hub_takes_is_refused(
    api: TestClient, model: str, repo_id: str
) -> None:
    refused = api.post(f"/runs/{model}/push", json={"repo_id": repo_id})
    assert refused.status_code == 422
    assert refused.json()["problems"][0]["where"] == "repo_id"


def test_the_worker_is_given_model_data_and_card(
    api: TestClient, model: str, tmp_path: Path
) -> None:
    scored = on_file(api, model, "sentence\tlabel\nfine\t1\n").json()
    pushed = api.post(f"/runs/{model}/push", json={"repo_id": "ada/x", "token": "hf_x"}).json()
    for run in (scored, pushed):
        claim = jobs.claim(run["job"]["id"], "a worker")
        assert claim
        workplace.prepare(tmp_path / run["kind"], runs.prepare(claim), get_settings())
        given = json.loads((tmp_path / run["kind"] / "job.json").read_text())
        assert Path(given["base_model"]).name == model
        assert "hf_x" not in json.dumps(given)
        if run is scored:
            assert b"fine" in Path(given["data"]).read_bytes()
    card = (tmp_path / "push" / "README.md").read_text()
    assert card == api.get(f"/runs/{model}/model/card").text


def test_a_push_without_a_token_goes_only_where_an_administrator_allows_it(
    site: Site, api: TestClient, ada: User, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANNOTUNE_HUB_PUSH", '["our-team", "ada/reviews"]')
    get_settings.cache_clear()

    def push(repo_id: str, **more: Any) -> Any:
        return api.post(f"/runs/{model}/push", json={"repo_id": repo_id, **more})

    for allowed in ("our-team/any", "Our-Team/other", "ada/reviews"):
        assert push(allowed).status_code == 202, allowed
    for elsewhere in ("bo/any", "ada/other", "our-team-2/any", "our-team", "reviews"):
        refused = push(elsewhere)
        assert refused.status_code == 422, elsewhere
        assert refused.json()["problems"][0]["where"] == "token"
        assert push(elsewhere, token="hf_own").status_code == 202, elsewhere
    browser = site.browser(ada)
    assert "our-team, ada/reviews" in browser.get(f"/runs/{model}/model").text
    page = browser.post(f"/runs/{model}/push", data={"repo_id": "bo/any"})
    assert page.status_code == 422
    assert "ANNOTUNE_HUB_PUSH" in page.text


@pytest.mark.parametrize(
    ("params", "typed", "token"),
    [
        (FineTuneParams(base="hub", base_ref="our-team/secret"), None, "hf_ours"),
        (FineTuneParams(base="hub", base_ref="them/secret"), None, None),
        (FineTuneParams(base="hub", base_ref="bert-base-chinese"), None, None),
        (FineTuneParams(base="packaged", base_ref="our-team/secret"), None, None),
        (PushParams(base_ref="x", repo_id="our-models/a"), None, "hf_ours"),
        (PushParams(base_ref="x", repo_id="our-team/a"), None, None),
        (PushParams(base_ref="x", repo_id="our-models/a", own_token=True), "hf_typed", "hf_typed"),
        # Its message was lost, and the token with it.
        (PushParams(base_ref="x", repo_id="our-models/a", own_token=True), None, None),
    ],
)
def test_the_worker_uses_the_installations_token_only_for_what_is_named(
    monkeypatch: pytest.MonkeyPatch, params: ModelParams, typed: str | None, token: str | None
) -> None:
    monkeypatch.setenv("ANNOTUNE_HUB_TOKEN", "hf_ours")
    monkeypatch.setenv("ANNOTUNE_HUB_READ", '["our-team"]')
    monkeypatch.setenv("ANNOTUNE_HUB_PUSH", '["our-models"]')
    assert hub.token_for(Settings(), params, typed=typed) == token


def test_a_trainer_has_the_token_it_is_given_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANNOTUNE_HUB_TOKEN", "hf_ours")
    monkeypatch.setenv("ANNOTUNE_HUB_URL", "http://hub.example/")
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.setenv(name, "hf_of_this_machine")
    settings = Settings()
    online = trainer.environment(settings, online=True, token="hf_typed")
    assert (online["HF_TOKEN"], online["HF_ENDPOINT"]) == ("hf_typed", "http://hub.example")
    for bare in (
        trainer.environment(settings, online=True),
        trainer.environment(settings, online=False),
    ):
        assert not {"hf_ours", "hf_of_this_machine"} & set(bare.values())
    assert trainer.environment(settings, online=True)["HF_HUB_DISABLE_IMPLICIT_TOKEN"] == "1"
