"""Long work: how it goes, and stopping it."""

from typing import Annotated

from fastapi import Path

from app.api.problems import problem
from app.api.schemas import JobOut
from app.http.identity import Person
from app.http.routing import Db, Router
from app.services import work

router = Router(prefix="/jobs/{job_id}", tags=["Jobs"])

JobId = Annotated[str, Path(description="The job's id.", max_length=20)]


@router.get("")
def get_job(session: Db, person: Person, job_id: JobId) -> JobOut:
    """How a job goes. Ask every second or so; it stays for ever."""
    return JobOut.model_validate(work.get(session, person.actor, job_id))


@router.post(
    "/cancel",
    status_code=202,
    responses={409: problem("It is too late: the job is just making its result visible.")},
)
def cancel_job(session: Db, person: Person, job_id: JobId) -> JobOut:
    """Stop a job: at once when it is queued, at its next report when it is running."""
    return JobOut.model_validate(work.cancel(session, person.actor, job_id))
