"""The whole OpenAPI document against made-up requests, by Schemathesis with all of its checks.

Every status, content type and header must be documented, every documented form accepted, everything else refused
in words. With the suite each database has a part of it, the same each time. ANNOTUNE_TEST_CONTRACT_SECONDS=600 has all
of it on both, for so long, elsewhere each time.
"""

import copy
import json
import os
import subprocess
from pathlib import Path
from string import Template
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.db import get_engine, session_scope
from app.models import FrameImport, User
from app.services.versions import SplitPercent
from app.settings import get_settings
from tests.api.finished_runs import LABELS, finished, measure, queued
from tests.api.test_label_issues import finished as cross_validated
from tests.conftest import ROOT, serving
from tests.factories import (
    PASSWORD,
    fill,
    freeze,
    join,
    make_project,
    make_token,
    make_user,
    open_rows,
)

SECONDS = os.environ.get("ANNOTUNE_TEST_CONTRACT_SECONDS")
PHASES = {"sqlite": "examples,fuzzing,stateful", "postgresql": "coverage"}
"""What is tried where. The coverage of every bound and type also asks what PostgreSQL cannot store."""


@pytest.fixture
def ids(api: TestClient, ada: User, tmp_path: Path) -> dict[str, Any]:
    """What there is, by the names of path parameters, so that requests get behind “there is no such …”."""
    project = make_project(ada)
    path = f"/projects/{project.id}"
    bo, _mei = make_user("Bo"), make_user("Mei")
    join(project, ada, reviewer=bo)
    rows = [{"text": f"T{n}.", "annotation": {"labels": [LABELS[n % 2]]}} for n in range(20)]
    fill(project, ada, [*rows, *open_rows(20)])
    freeze(project, ada, split=SplitPercent(train=50, validation=25, test=25))
    runs = [finished(api, project, tmp_path, name, {n}) for n, name in enumerate(("one", "two"))]
    runs.append(cross_validated(api, project, tmp_path / "folds", wrong=(1, 2)))
    measure(runs[0], 5)
    measure(runs[0], 5, kind="evaluation")
    waiting = queued(api, project, "waiting")
    space = {"version": 1, "space": {"epochs": [1, 2]}}
    searches = [api.post(f"{path}/searches", json=space).json()["id"] for _ in range(2)]
    files = {"file": ("a.txt", b"One.\nTwo.\n")}
    uploads = [
        api.post(f"{path}/imports", files=files, data={"start": "false"}).json()["id"]
        for _ in range(2)
    ]
    with session_scope() as session:
        frame_file = FrameImport(
            project_id=project.id, job_id=waiting["job"]["id"], filename="give.xml", size=1
        )
        session.add(frame_file)
    imported = [item["id"] for item in api.get(f"{path}/imports").json()["items"]]
    return {
        "project_id": [project.id],
        "run_id": runs,
        "number": [1],
        "job_id": [waiting["job"]["id"]],
        "search_id": searches[:1],
        "spare_search": searches[1],
        "spare_run": queued(api, project, "to be deleted")["id"],
        "spare_token": api.post(
            "/tokens", json={"name": "to be revoked", "password": PASSWORD}
        ).json()["id"],
        "spare_project": make_project(ada, name="To be deleted").id,
        "import_id": [uploads[0], *imported],
        "spare_import": uploads[1],
        "example_id": [
            item["id"] for item in api.get(f"{path}/examples?status=open").json()["items"]
        ],
        "user_id": [bo.id],
        "file_id": [frame_file.id],
        "issue_id": [item["id"] for item in api.get(f"{path}/label-issues").json()["items"]],
    }


def configured(**values: Any) -> str:
    """Schemathesis' settings with these filled in."""
    template = Template((Path(__file__).parent / "schemathesis.toml").read_text())
    shown = {name: json.dumps(value) for name, value in values.items() if name != "token"}
    return template.substitute(shown, token=values["token"])


def with_examples(document: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    """The document, with ids of what there is as the examples of its path parameters."""
    document = copy.deepcopy(document)
    for methods in document["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in ids:
                    parameter["example"] = ids[parameter["name"]][0]
                if parameter["in"] == "query" and parameter["name"] == "run":
                    parameter["example"] = ids["run_id"][:2]
    schemas = document["components"]["schemas"]
    schemas["TokenWish"]["properties"]["password"]["examples"] = [PASSWORD]
    return document


def test_whatever_is_sent_the_document_holds(
    application: FastAPI,
    ada: User,
    ids: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANNOTUNE_HUB_PUSH", '["ada"]')
    # Nothing carries out the pushes that are tried; were there something, it would find no hub.
    monkeypatch.setenv("ANNOTUNE_HUB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    get_settings.cache_clear()
    config = tmp_path / "schemathesis.toml"
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(with_examples(application.openapi(), ids)))
    config.write_text(configured(**ids, token=make_token(ada), deterministic=SECONDS is None))
    phases = "examples,coverage,fuzzing,stateful" if SECONDS else PHASES[get_engine().dialect.name]
    words = ["--checks", "all", "--phases", phases, "--workers", "1"]
    bound = ["--max-time", SECONDS] if SECONDS else ["--max-examples", "5"]
    extra = os.environ.get("ANNOTUNE_TEST_CONTRACT_ARGS", "").split()
    with serving(application) as address:
        done = subprocess.run(
            [
                ROOT / ".venv" / "bin" / "st",
                "--config-file", config,
                "run", document, "--url", address,
                *words, *bound, *extra,
            ],
            cwd=tmp_path,
            env=os.environ
            | {
                "NO_COLOR": "1",
                "SCHEMATHESIS_HOOKS": "tests.api.schemathesis_hooks",
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
    if keep := os.environ.get("ANNOTUNE_TEST_CONTRACT_LOG"):
        Path(keep).write_text(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
