"""`python -m worker` runs a Celery worker; the arguments are those of `celery worker`."""

import sys

from worker.celery_app import app

app.worker_main(
    [
        *(
            "--quiet",
            "worker",
            "--loglevel",
            "WARNING",
            "--pool",
            "prefork",
            "--optimization",
            "fair",
        ),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        *sys.argv[1:],
    ]
)
