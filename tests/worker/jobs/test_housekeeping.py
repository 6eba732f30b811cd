"""What broken-off work has left is cleared away by a worker, and nothing else is."""

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.db import session_scope
from app.models import DatasetVersion, Example, Import, now
from app.services import dispatch, housekeeping, importing, jobs
from app.services.housekeeping import KEEP_EXPORTS, KEEP_ORPHANS, KEEP_UPLOADS
from app.services.import_rows import ImportOptions
from app.services.version_files import data_key, exports_key
from app.storage import get_storage
from tests.conftest import Services, wait_for
from tests.factories import count
from tests.worker.jobs.conftest import Workshop


def upload(workshop: Workshop) -> str:
    """A file that waits for its import; the id."""
    with Path(__file__).open("rb") as stream:
        row = importing.upload(
            workshop.actor, workshop.project_id, filename="rows.txt", stream=stream
        )
    return row.id


def age(key: str) -> Path:
    """Make a file of the storage an old one; its path."""
    path, then = Path(get_storage().path(key)), time.time() - KEEP_ORPHANS.total_seconds() - 60
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (then, then))
    return path


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_clears_files_away_that_belong_to_nothing(
    workshop: Workshop, broker: str, services: Services
) -> None:
    workshop.frozen()
    kept, forgotten, fresh = (upload(workshop) for _ in range(3))
    with session_scope() as session:
        old = now() - KEEP_UPLOADS - KEEP_ORPHANS
        session.execute(update(Import).where(Import.id == forgotten).values(created_at=old))
        version_id = session.scalars(select(DatasetVersion.id)).one()
    orphans = [
        age(key)
        for key in (
            f"uploads/{forgotten}",
            "uploads/gone",
            f"uploads/{kept}.half.part",
            "models/gone/model.safetensors",
            "predictions/gone.jsonl",
            "evaluations/gone.jsonl",
            "versions/gone/data.jsonl",
        )
    ]
    needed = [age(f"uploads/{kept}"), age(data_key(version_id))]
    needed.append(Path(get_storage().path(f"uploads/{fresh}")))
    young = Path(get_storage().path("models/young/config.json"))
    young.parent.mkdir(parents=True)
    young.touch()
    services.start_worker("cpu")
    dispatch.tidy()  # as a worker asks every few hours
    wait_for(lambda: not any(path.exists() for path in orphans), message="orphans stay")
    assert all(path.exists() for path in [*needed, young])
    assert not orphans[3].parent.exists(), "an empty folder stays"
    assert count(Import) == 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_old_exports_are_forgotten_and_made_again(workshop: Workshop) -> None:
    workshop.frozen()
    with session_scope() as session:
        version_id = session.scalars(select(DatasetVersion.id)).one()
    old, young = (f"{exports_key(version_id)}/csv-all-{n}" for n in "ab")
    then = time.time() - KEEP_EXPORTS.total_seconds() - 60
    os.utime(age(old), (then, then))
    age(young)
    housekeeping.tidy()
    assert not Path(get_storage().path(old)).exists()
    assert Path(get_storage().path(young)).exists()
    get_storage().check(data_key(version_id))


def test_rows_of_an_import_that_was_lost_are_taken_back(workshop: Workshop) -> None:
    lost, going_on = upload(workshop), upload(workshop)
    for import_id in (lost, going_on):
        with session_scope() as session:
            row = importing.start(
                session, workshop.actor, workshop.project_id, import_id, ImportOptions()
            )
            job_id = str(row.job_id)
            session.add(
                Example(
                    project_id=workshop.project_id,
                    import_id=import_id,
                    inputs={"text": "Half."},
                    content_hash="0" * 32,
                    status="staged",
                )
            )
        if import_id == lost:
            claim = jobs.claim(job_id, "a worker that is gone")
            assert claim is not None
            jobs.fail(claim, "The worker stopped answering.", category="lost")
    housekeeping.tidy()
    assert count(Example, Example.status == "staged") == 1
    assert count(Example, Example.import_id == going_on) == 1
