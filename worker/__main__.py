"""`python -m worker` runs a Celery worker; the arguments are those of `celery worker`."""

import os
import sys

# Threads of torch that wait for one another shall sleep, not spin: where anything else runs on the same cores,
# spinning makes training several times slower, and where nothing does, it gains a few per cent. It must be said
# before torch is loaded; trainers inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

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
