"""The Celery application: its settings, its tasks, and what happens when a worker starts and stops.

Celery wakes workers and spreads jobs over them; whether a job is done, and by whom, the database says
(`app/services/jobs.py`). So messages are acknowledged early, and may get lost or come twice.
"""

import os
from typing import Any

import structlog
from celery import Celery, signals

from app import db
from app.http import logs
from app.processes import die_with
from app.services import dispatch, housekeeping
from app.services import jobs as jobs_service
from app.services.dispatch import PREDICT, RUN_JOB, TIDY
from app.settings import get_settings
from worker import jobs, node, predictions, shutdown
from worker.one_training import OneTraining
from worker.reconciler import Reconciler
from worker.trackers import Tracking

log = structlog.get_logger()

app = Celery("annotune", broker=get_settings().broker, backend=get_settings().broker)
app.conf.update(
    task_default_queue="cpu",
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    task_acks_late=False,
    # A worker fetches only what it can start now, so nothing waits behind a training of hours
    # while another worker idles.
    worker_prefetch_multiplier=1,
    worker_disable_prefetch=True,
    worker_enable_prefetch_count_reduction=False,
    # Pool processes are forked when there is work: on a loaded machine they may take a while to say so.
    worker_proc_alive_timeout=60,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    task_track_started=False,
    result_expires=600,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": not get_settings().broker.startswith("redis+socket:"),
        "health_check_interval": 25,
    },
)


def run_job(job_id: str, share: str | None = None) -> None:
    """Carry out a job, if it is still to be had."""
    jobs.run(job_id, share)


def predict(run_id: str, texts: list[str]) -> dict[str, Any]:
    """What a run's model says of some texts."""
    return predictions.predict(run_id, texts)


app.task(name=RUN_JOB, ignore_result=True)(run_job)
app.task(name=PREDICT)(predict)
app.task(name=TIDY, ignore_result=True)(housekeeping.tidy)
app.steps["consumer"].add(OneTraining)

_main = os.getpid()
_reconciler = Reconciler()
_tracking = Tracking()


def _identify(sender: str, instance: Any, **_signal: object) -> None:
    queues = list(instance.app.amqp.queues.consume_from)
    node.identify(sender, queues, instance.concurrency)
    if node.device_kind() == "cuda" and queues == ["gpu"] and instance.concurrency > 1:
        log.warning("trainings_share_a_gpu", concurrency=instance.concurrency)
    for queue in queues:  # and the messages of what is pinned to its kind of device
        instance.app.amqp.queues.select_add(jobs_service.broker_queue(queue, node.device_kind()))


def _configure_logs(**_signal: object) -> None:
    logs.configure()


def _enter_child(**_signal: object) -> None:
    """A forked child: it ends with the worker, and has connections of its own."""
    die_with(_main)
    db.dispose(forked=True)
    dispatch.forget()


def _begin(**_signal: object) -> None:
    log.info("worker_ready")
    _reconciler.start()
    _tracking.start()


def _shut_down(**_signal: object) -> None:
    """Trainings write a checkpoint, imports stop at the next rows; both are queued again."""
    shutdown.request()
    _reconciler.stop()
    _tracking.stop()


signals.setup_logging.connect(_configure_logs)
signals.celeryd_after_setup.connect(_identify)
signals.worker_process_init.connect(_enter_child)
signals.worker_ready.connect(_begin)
signals.worker_shutting_down.connect(_shut_down)
