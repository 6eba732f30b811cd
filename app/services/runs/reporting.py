"""The worker's side of a run: what it is to do, what it reports, how it ends."""

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import delete, insert, select

from app.db import session_scope
from app.models import DatasetVersion, Job, Project, Run, RunLog, RunPoint
from app.services import jobs
from app.services.runs.issues import store_issues
from app.services.runs.keys import evaluation_key, model_key, predictions_key
from app.services.version_files import data_key
from app.storage import get_storage
from app.training import RUN_KINDS, ModelParams


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What the worker needs to know to carry out a run."""

    run_id: str
    kind: str
    project_id: str
    task: str
    language: str
    schema: dict[str, Any]
    params: ModelParams
    device: str | None
    """What it is pinned to."""
    version_key: str | None
    """Where the examples lie that it is over, in the form of a version; None for a run without."""
    version_sha256: str | None
    """The digest of that file; None for one that is no version's."""
    created_at: datetime
    """When it was wished for: a run over all texts is over those of that moment."""


def prepare(claim: jobs.Claim) -> RunSpec:
    """What the claimed job is to do."""
    with session_scope(read_only=True) as session:
        run, device, project, version = session.execute(
            select(Run, Job.device, Project, DatasetVersion)
            .join(Job, Job.id == Run.job_id)
            .join(Project, Project.id == Run.project_id)
            .outerjoin(DatasetVersion, DatasetVersion.id == Run.version_id)
            .where(Run.job_id == claim.job_id)
        ).one()
        return RunSpec(
            run_id=run.id,
            kind=claim.kind,
            project_id=project.id,
            task=project.task,
            language=project.language,
            schema=version.label_schema if version else project.label_schema,
            params=RUN_KINDS[claim.kind].params.model_validate(run.params),
            device=device,
            version_key=_data_key(run, version, claim.kind),
            version_sha256=version.sha256 if version else None,
            created_at=run.created_at,
        )


def _data_key(run: Run, version: DatasetVersion | None, kind: str) -> str | None:
    if version is not None:
        return data_key(version.id)
    return evaluation_key(run.id) if kind == "evaluate" else None


def record(
    claim: jobs.Claim,
    *,
    points: list[dict[str, Any]],
    log: str = "",
    environment: dict[str, Any] | None = None,
    progress: dict[str, Any] | None = None,
    resumed_at: int | None = None,
) -> bool:
    """Store what a run reported since last time, and renew its lease; all of it, or nothing.

    Points are the engine's "step" and "evaluation" lines. `resumed_at` voids points of later steps, which
    an earlier attempt left. False: the person wants the run cancelled. Raises LostLease.
    """
    going_on = jobs.renew(claim, progress)
    if not (points or log or environment or resumed_at is not None):
        return going_on
    with session_scope() as session:
        jobs.hold(session, claim)
        run = session.scalars(select(Run).where(Run.job_id == claim.job_id)).one()
        run.reports += 1
        if resumed_at is not None:
            session.execute(
                delete(RunPoint).where(RunPoint.run_id == run.id, RunPoint.step > resumed_at)
            )
        if environment is not None:
            run.environment = environment
        if points:
            session.execute(insert(RunPoint), [_point_row(run.id, point) for point in points])
        if log:
            session.add(RunLog(run_id=run.id, text=log.replace("\x00", "")))
    return going_on


def _point_row(run_id: str, point: dict[str, Any]) -> dict[str, Any]:
    values = {key: value for key, value in point.items() if key not in ("type", "step")}
    return {"run_id": run_id, "kind": point["type"], "step": point["step"], "values": values}


def complete(claim: jobs.Claim, result: dict[str, Any], folder: Path) -> None:
    """Store what the run left in its working folder, a model, predictions and likely label errors where there
    are any, and end it well. Raises LostLease, and then nothing was ended."""
    with session_scope() as session:
        jobs.hold(session, claim)
        run_id = session.scalars(select(Run.id).where(Run.job_id == claim.job_id)).one()
    storage, model, predictions = get_storage(), folder / "model", folder / "predictions.jsonl"
    issues = folder / "label_issues.jsonl"
    if predictions.is_file():
        with predictions.open("rb") as source, storage.writing(predictions_key(run_id)) as sink:
            shutil.copyfileobj(source, sink)
    size = storage.put_folder(model, model_key(run_id)) if model.is_dir() else None
    with session_scope() as session:
        jobs.succeed(session, claim)
        run = session.get_one(Run, run_id)
        run.result, run.model_size = result, size
        if issues.is_file():
            with issues.open("rb") as lines:
                store_issues(session, run, map(orjson.loads, lines))
