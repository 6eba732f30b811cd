"""Workers, for administrators."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from app.api.schemas import Answer
from app.http.identity import Db, Person
from app.services import workers

router = APIRouter(prefix="/workers", tags=["Jobs"])


class WorkerOut(Answer):
    """A worker that has been seen within a day."""

    name: str
    host: str
    queues: list[str] = Field(description="Which jobs it takes: `gpu` trainings, `cpu` the rest.")
    concurrency: int = Field(description="Jobs at once.")
    device: str
    memory_total: int = Field(description="Bytes.")
    memory_available: int = Field(description="Bytes, when it was last seen.")
    version: str = Field(description="Its version of Annotune.")
    started_at: datetime
    seen_at: datetime
    is_silent: bool = Field(description="It has not been seen for a while.")
    jobs: list[str] = Field(description="The ids of the jobs it works on.")


class WorkerList(Answer):
    """Workers."""

    items: list[WorkerOut]


@router.get("")
def list_workers(session: Db, person: Person) -> WorkerList:
    """All workers that have been seen within a day."""
    items = [
        WorkerOut(
            **{
                field: getattr(view.worker, field)
                for field in WorkerOut.model_fields
                if field not in ("is_silent", "jobs")
            },
            is_silent=view.is_silent,
            jobs=[job.id for job, _project, _run in view.jobs],
        )
        for view in workers.list_workers(session, person.actor)
    ]
    return WorkerList(items=items)
