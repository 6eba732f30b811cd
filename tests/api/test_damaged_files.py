"""A stored file that is not what was stored is never given out as good data: it is refused in words, at the start."""

import os
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.models import DatasetVersion, Project, User
from app.services import rpc, runs, workers
from app.services.version_files import data_key, manifest_key
from app.storage import Storage, get_storage
from tests.api.conftest import Site
from tests.api.finished_runs import finished, project_with_version
from tests.factories import fill, freeze, labelled_rows, make_project


@pytest.fixture
def project(ada: User) -> Project:
    return make_project(ada)


@pytest.fixture
def version(project: Project, ada: User) -> DatasetVersion:
    fill(project, ada, labelled_rows())
    return freeze(project, ada)


@pytest.mark.parametrize("format_name", ["jsonl", "csv", "parquet", "messages"])
@pytest.mark.parametrize("damage", [(b"positive", b"negative"), (b'{"id"', b'[!"id')])
def test_a_version_damaged_at_the_same_size_is_refused_in_every_format(
    api: TestClient,
    project: Project,
    version: DatasetVersion,
    format_name: str,
    damage: tuple[bytes, bytes],
) -> None:
    path = f"/projects/{project.id}/versions/1/export"
    good = api.get(path, params={"format": format_name})
    assert good.status_code == 200
    file = Path(get_storage().path(data_key(version.id)))
    whole, seen = file.read_bytes(), file.stat()
    file.write_bytes(whole.replace(*damage))
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))  # a bad copy may keep the times
    assert file.stat().st_size == seen.st_size
    for part in ("", "/notes"):
        refused = api.get(path + part, params={"format": format_name})
        assert refused.status_code == 500, refused.text
        assert "is damaged" in refused.json()["detail"]
        assert "x-content-sha256" not in refused.headers
    split = api.get(path, params={"format": format_name, "split": "train"})
    assert split.status_code == 500
    file.write_bytes(whole)
    again = api.get(path, params={"format": format_name})
    assert (again.status_code, again.content) == (200, good.content)


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"version": {"sha256": "0"}}'])
def test_a_damaged_manifest_is_refused(
    api: TestClient, project: Project, version: DatasetVersion, damage: bytes
) -> None:
    Path(get_storage().path(manifest_key(version.id))).write_bytes(damage)
    refused = api.get(f"/projects/{project.id}/versions/1/manifest")
    assert refused.status_code == 500
    assert "is damaged" in refused.json()["detail"]


def test_a_second_download_does_not_read_the_file_for_its_digest(
    api: TestClient, project: Project, version: DatasetVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def sha256(storage: Storage, key: str, plain: Any = Storage.sha256) -> str:
        read.append(key)
        found: str = plain(storage, key)
        return found

    monkeypatch.setattr(Storage, "sha256", sha256)
    for name in ("jsonl", "jsonl", "csv", "parquet"):
        path = f"/projects/{project.id}/versions/1/export"
        assert api.get(path, params={"format": name}).status_code == 200
    assert read == [data_key(version.id)]


def test_a_storage_elsewhere_remembers_by_what_it_says_of_a_file(tmp_path: Path) -> None:
    storage = Storage(f"memory://{tmp_path.name}")
    with storage.writing("versions/a/data.jsonl") as sink:
        sink.write(b"good")
    digest = storage.sha256("versions/a/data.jsonl")
    storage.verify("versions/a/data.jsonl", size=4, sha256=digest)
    storage.verify("versions/a/data.jsonl", size=4, sha256=digest)
    with storage.fs.open(storage.path("versions/a/data.jsonl"), "wb") as damaged:
        damaged.write(b"evil")
    with pytest.raises(Exception, match="is damaged"):
        storage.verify("versions/a/data.jsonl", size=4, sha256=digest)


@pytest.fixture
def run(api: TestClient, ada: User, tmp_path: Path) -> str:
    """A run with a model and predictions."""
    return finished(api, project_with_version(ada), tmp_path, "run", {1})


def damage(file: Path) -> bytes:
    """Change its first byte, and neither its size nor its times; what it was."""
    whole, seen = file.read_bytes(), file.stat()
    file.write_bytes(b"!" + whole[1:])
    os.utime(file, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    return whole


@pytest.mark.parametrize("warm", [False, True])
def test_a_damaged_model_is_not_sent(
    api: TestClient, site: Site, ada: User, run: str, warm: bool
) -> None:
    path = f"/runs/{run}/model.zip"
    if warm:
        assert api.get(path).status_code == 200
    file = Path(get_storage().path(f"models/{run}/config.json"))
    whole = damage(file)
    refused = api.get(path)
    assert refused.status_code == 500, refused.text
    assert f"models/{run}/config.json is damaged" in refused.json()["detail"]
    assert site.browser(ada).get(path).status_code == 500
    file.unlink()
    missing = api.get(path)
    assert (missing.status_code, "is missing" in missing.json()["detail"]) == (410, True)
    file.write_bytes(whole)
    assert api.get(path).status_code == 200


def test_a_model_is_read_once_for_its_digests(
    api: TestClient, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def sha256(storage: Storage, key: str, plain: Any = Storage.sha256) -> str:
        read.append(key)
        found: str = plain(storage, key)
        return found

    monkeypatch.setattr(Storage, "sha256", sha256)
    for _time in range(3):
        assert api.get(f"/runs/{run}/model.zip").status_code == 200
    assert read == [f"models/{run}/config.json"]


def test_who_tries_a_damaged_model_is_told_so(
    api: TestClient, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.predictions import predict

    async def call(_name: str, args: list[Any], **_options: Any) -> dict[str, Any]:
        return predict(*args)

    monkeypatch.setattr(rpc, "call", call)
    monkeypatch.setattr(workers, "is_served", lambda *_args: True)
    file = Path(get_storage().path(f"models/{run}/config.json"))
    damage(file)
    wish = {"texts": ["A text."]}
    refused = api.post(f"/runs/{run}/predict", json=wish)
    assert (refused.status_code, "is damaged" in refused.json()["detail"]) == (500, True)
    file.unlink()
    refused = api.post(f"/runs/{run}/predict", json=wish)
    assert (refused.status_code, "is missing" in refused.json()["detail"]) == (410, True)


def test_predictions_that_are_lost_are_said_before_anything_is_sent(
    api: TestClient, site: Site, ada: User, run: str
) -> None:
    file = Path(get_storage().path(runs.predictions_key(run)))
    assert api.get(f"/runs/{run}/errors").status_code == 200
    damage(file)
    refused = api.get(f"/runs/{run}/errors")
    assert (refused.status_code, "is damaged" in refused.json()["detail"]) == (500, True)
    file.unlink()
    for path in ("predictions.jsonl", "errors"):
        refused = api.get(f"/runs/{run}/{path}")
        assert (refused.status_code, "is missing" in refused.json()["detail"]) == (410, True)
    page = site.browser(ada).get(f"/runs/{run}/errors")
    assert (page.status_code, "is missing" in page.text) == (410, True)
