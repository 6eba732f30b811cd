"""Workers, for administrators."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from app.api.schemas import Answer
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import workers
from app.services.jobs import Device

router = Router(prefix="/workers", tags=["Jobs"])


class WorkerOut(Answer):
    """A worker that has been seen within a day."""

    name: str
    host: str
    queues: list[str] = Field(description="Which jobs it takes: `gpu` trainings, `cpu` the rest.")
    concurrency: int = Field(description="Jobs at once.")
    device_kind: Device = Field(
        description="What its trainings use: runs pinned to another kind are not for it."
    )
    device: str = Field(description="The device's name.")
    memory_total: int = Field(description="Bytes.")
    memory_available: int = Field(description="Bytes, when it was last seen.")
    gpu_memory_total: int | None = Field(
        description="Bytes of all its GPUs together; null where there are none."
    )
    gpu_memory_available: int | None = Field(description="Bytes, when it was last seen.")
    version: str = Field(description="Its version of Annotune.")
    started_at: datetime
    seen_at: datetime
    is_silent: bool = Field(description="It has not been seen for a while.")
    jobs: list[str] = Field(description="The ids of the jobs it works on.")


class QueueOut(Answer):
    """The jobs that wait in a queue for the same kind of device."""

    queue: Literal["gpu", "cpu"]
    device: Device | None = Field(description="The kind of device they are pinned to; null: any.")
    waiting: int = Field(description="How many wait.")
    oldest_at: datetime | None = Field(description="When the one was made that has waited longest.")
    idle: list[str] = Field(
        description="Workers that could take one, and have not for a while: look into their logs."
    )


class WorkerList(Answer):
    """Workers, and what waits for them."""

    items: list[WorkerOut]
    queues: list[QueueOut]


@router.get("")
def list_workers(session: Db, person: Person) -> WorkerList:
    """All workers that have been seen within a day, and how many jobs wait for them."""
    found = workers.list_workers(session, person.actor)
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
        for view in found
    ]
    queues = [QueueOut.model_validate(q) for q in workers.list_queues(session, found)]
    return WorkerList(items=items, queues=queues)
