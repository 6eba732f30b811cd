"""A labelled project, versions and tiny trainings for the tests of jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from app.db import session_scope
from app.models import Annotation, Example, Job, Run, User
from app.models.base import new_id
from app.services import freezing, jobs, projects, runs, versions
from app.services.access import Actor
from app.services.projects import ProjectFields
from app.tasks.content import content_hash
from app.training import FineTuneParams
from tests.conftest import Services, wait_for

GOOD = ("a warm and funny film", "what a lovely evening", "the best soup in town")
BAD = ("a dull and clumsy film", "what a dreary evening", "the worst soup in town")
TINY = FineTuneParams(
    base="scratch",
    scratch_layers=1,
    scratch_hidden=32,
    scratch_vocab=200,
    batch_size=8,
    epochs=2,
    max_length=16,
    precision="fp32",
    checkpoint_seconds=0.5,
)
ENDLESS = TINY.model_copy(update={"epochs": 1000, "batch_size": 1})


@dataclass(frozen=True)
class Workshop:
    """A project with labelled sentences, and what can be queued for it."""

    actor: Actor
    project_id: str

    def freeze(self) -> str:
        """Queue a version; the id of its job."""
        with session_scope() as session:
            return versions.create(session, self.actor, self.project_id).job_id

    def frozen(self) -> int:
        """The number of a version that is written, whether a worker is there or not."""
        with session_scope() as session:
            version = versions.create(session, self.actor, self.project_id)
        claim = jobs.claim(version.job_id, "the test")
        if claim is None:  # a worker was quicker
            wait_for_state(version.job_id, "succeeded")
        else:
            freezing.run(claim)
        return version.number

    def train(self, params: FineTuneParams = TINY) -> Run:
        """Queue a training over a new version."""
        number = self.frozen()
        with session_scope() as session:
            return runs.create(
                session, self.actor, self.project_id, version_number=number, params=params
            )

    def cancel(self, job_id: str) -> None:
        """Ask for the job's end."""
        with session_scope() as session:
            jobs.request_cancel(session, jobs.get(session, job_id))


@pytest.fixture
def workshop(database: str) -> Workshop:
    with session_scope() as session:
        user = User(email="ada@example.org", name="Ada", password_hash="-", is_admin=True)
        session.add(user)
        session.flush()
        actor = Actor(user.id, True)
        labels = [{"name": "good"}, {"name": "bad"}]
        fields = ProjectFields(
            name="Jobs", label_schema={"mode": "single", "labels": labels}, language="en"
        )
        project = projects.create(session, actor, task="sentiment", fields=fields)
        for n in range(60):
            label, words = (("good", GOOD), ("bad", BAD))[n % 2]
            text = f"{words[n % 3]}, number {n}"
            example = Example(
                project_id=project.id,
                inputs={"text": text},
                content_hash=content_hash(text),
                status="labelled",
            )
            session.add(example)
            session.flush()
            annotation = Annotation(
                project_id=project.id,
                example_id=example.id,
                user_id=user.id,
                source="person",
                revision=1,
                payload={"labels": [label]},
                client_key=new_id(),
            )
            session.add(annotation)
            session.flush()
            example.gold_id = annotation.id
        project.example_count = project.labelled_count = 60
    return Workshop(actor, project.id)


def job_of(job_id: str) -> Job:
    """The job as it is now."""
    with session_scope(read_only=True) as session:
        return jobs.get(session, job_id)


def wait_for_state(
    job_id: str, *states: str, within: float = 60.0, services: Services | None = None
) -> Job:
    """Wait until the job is in one of the states; a failure shows the job and the workers' logs."""

    def there() -> bool:
        return job_of(job_id).state in states

    try:
        wait_for(there, within=within)
    except pytest.fail.Exception:
        job = job_of(job_id)
        logs = [services.log(program) for program in services.group.programs] if services else []
        pytest.fail(
            f"the job is {job.state} (attempt {job.attempt}, {job.progress}, {job.error}), "
            f"not {' or '.join(states)}, after {within:g} s\n" + "\n".join(logs)
        )
    return job_of(job_id)


def processes(matches: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """Running processes whose command line matches and which have this test's data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and matches(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def trainers(run_id: str) -> list[psutil.Process]:
    """The training processes of a run."""
    return processes(lambda words: "worker.train" in words and Path(words[-1]).name == run_id)
