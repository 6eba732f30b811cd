"""Claims, fences and the reconciler, on both databases and without any worker."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from app.db import session_scope
from app.models import Job, now
from app.services import freezing, jobs
from app.settings import get_settings
from tests.conftest import Services, wait_for
from tests.worker.jobs.conftest import Workshop, job_of


def let_the_lease_run_out(job_id: str) -> None:
    with session_scope() as session:
        past = now() - timedelta(seconds=1)
        session.execute(update(Job).where(Job.id == job_id).values(lease_until=past))


def claim(job_id: str, owner: str = "one") -> jobs.Claim:
    claimed = jobs.claim(job_id, owner)
    assert claimed is not None, f"the job is {job_of(job_id).state}, and should be to be had"
    return claimed


def test_a_job_is_claimed_once(workshop: Workshop) -> None:
    job_id = workshop.freeze()
    claim(job_id)
    assert jobs.claim(job_id, "two") is None


def test_an_expired_lease_is_taken_over_and_its_former_holder_changes_nothing(
    workshop: Workshop,
) -> None:
    job_id = workshop.freeze()
    former = claim(job_id)
    let_the_lease_run_out(job_id)
    current = claim(job_id, "two")
    assert current.fence > former.fence
    for write in (
        lambda: jobs.renew(former),
        lambda: jobs.fail(former, "from the grave"),
        lambda: jobs.release(former),
        lambda: jobs.cancelled(former),
        lambda: jobs.retry(former, "again", category="internal"),
        lambda: freezing.run(former),
    ):
        with pytest.raises(jobs.LostLease):
            write()
    assert job_of(job_id).lease_owner == "two"
    assert job_of(job_id).state == "running"
    freezing.run(current)
    assert job_of(job_id).state == "succeeded"


def test_a_released_job_keeps_its_attempts(workshop: Workshop) -> None:
    job_id = workshop.freeze()
    for _ in range(get_settings().job_attempts + 2):
        jobs.release(claim(job_id))
    assert job_of(job_id).state == "queued"
    assert job_of(job_id).attempt == 0


def test_a_job_that_fails_by_bad_luck_is_tried_again_until_its_attempts_are_used_up(
    workshop: Workshop,
) -> None:
    job_id = workshop.freeze()
    for _ in range(get_settings().job_attempts - 1):
        assert jobs.retry(claim(job_id), "bad luck", category="internal")
    assert not jobs.retry(claim(job_id), "bad luck", category="internal")
    job = job_of(job_id)
    assert (job.state, job.error, job.error_category) == ("failed", "bad luck", "internal")
    assert jobs.claim(job_id, "again") is None


def test_the_reconciler_gives_up_a_job_whose_workers_all_vanish(workshop: Workshop) -> None:
    job_id = workshop.freeze()
    for _ in range(get_settings().job_attempts):
        claim(job_id)
        let_the_lease_run_out(job_id)
        jobs.reconcile()
    job = job_of(job_id)
    assert job.state == "failed"
    assert job.error_category == "lost"
    assert "memory" in (job.error or "")


def test_the_reconciler_ends_a_cancelled_job_whose_worker_vanished(workshop: Workshop) -> None:
    job_id = workshop.freeze()
    held = claim(job_id)
    workshop.cancel(job_id)
    assert jobs.renew(held) is False
    let_the_lease_run_out(job_id)
    jobs.reconcile()
    assert job_of(job_id).state == "cancelled"


def test_a_queued_job_is_cancelled_at_once_and_cannot_be_claimed(workshop: Workshop) -> None:
    job_id = workshop.freeze()
    workshop.cancel(job_id)
    assert job_of(job_id).state == "cancelled"
    assert jobs.claim(job_id, "one") is None


def test_a_job_queued_while_the_broker_is_away_is_sent_once_it_is_back(
    workshop: Workshop, services: Services
) -> None:
    job_id = workshop.freeze()
    assert job_of(job_id).published_at is None
    assert jobs.reconcile() == []
    services.start_broker()
    sent: list[str] = []
    # For a moment after it did not answer, the broker is not asked.
    wait_for(lambda: sent.extend(jobs.reconcile()) or sent, message="it is not sent")
    assert sent == [job_id]
    assert jobs.reconcile() == [], "a message that has just been sent is given time"


def test_a_shutdown_interrupts_a_job_at_its_next_report(workshop: Workshop) -> None:
    from dataclasses import replace

    held = replace(claim(workshop.freeze()), interrupted=lambda: True)
    with pytest.raises(jobs.Interrupted):
        freezing.run(held)
