"""`python -m worker` runs a Celery worker, as `annotune worker` asks for it."""

import argparse
import gc
import os
import sys


def main(words: list[str]) -> int:
    """Work until a signal ends it; the exit code."""
    options = argparse.ArgumentParser(prog="python -m worker")
    options.add_argument("--queues", required=True)
    options.add_argument("--concurrency", type=int, default=1)
    options.add_argument("--hostname")
    chosen = options.parse_args(words)
    queues = chosen.queues.split(",")

    # What is imported lives on, and is not to be searched for garbage again and again meanwhile.
    gc.disable()
    from celery.utils.nodenames import default_nodename, host_format

    from app.errors import AnnotuneError

    try:
        from worker.celery_app import app
    except AnnotuneError as error:  # the settings
        print(error.message, file=sys.stderr)
        return 1

    worker = app.Worker(
        queues=queues,
        hostname=host_format(default_nodename(chosen.hostname)),
        concurrency=chosen.concurrency,
        # Processes start when there is something to do; with both queues one more, for the training.
        autoscale=(chosen.concurrency + (len(set(queues)) > 1), 0),
        pool_cls="prefork",
        optimization="fair",
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    # Pool processes share these pages for as long as no collection writes into them.
    gc.collect()
    gc.freeze()
    gc.enable()
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    # Threads of torch that wait for one another shall sleep, not spin: where anything else runs on the same cores,
    # spinning makes training several times slower, and where nothing does, it gains a few per cent. It must be said
    # before torch is loaded; trainers inherit it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # A pool process that has had nothing to do for so many seconds ends, and the models that it holds with it.
    os.environ.setdefault("AUTOSCALE_KEEPALIVE", "300")
    sys.exit(main(sys.argv[1:]))
