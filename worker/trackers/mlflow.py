"""MLflow over its REST API (docs: mlflow.org, "REST API", version 2.0): six calls, so no client library."""

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from itertools import islice
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from app.services.tracking import Batch
from worker.trackers.measured import numbers

_TIMEOUT = 10.0
_METRICS, _PARAMS = 1000, 100  # that one call takes
_LONGEST_PARAM = 500
_STATES = {"succeeded": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
T = TypeVar("T")


class MLflow:
    """One server. A run is found again by its tag, so it is never made twice."""

    def __init__(self, url: str, storage: str) -> None:
        parts = urlsplit(url)
        self._root = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        self._headers = {"Content-Type": "application/json"}
        if parts.username:
            words = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["Authorization"] = f"Basic {b64encode(words.encode()).decode()}"
        self._storage = storage

    def send(self, batch: Batch) -> dict[str, Any]:
        """Tell it all of a batch; the id of the run there. Raises OSError and ValueError."""
        run = batch.sent.get("outside") or self._run(batch)
        now = int(time.time() * 1000)
        metrics = [
            {"key": key, "value": value, "timestamp": now, "step": point["step"]}
            for point in batch.points
            for key, value in numbers(point).items()
        ]
        last = max((p["step"] for p in batch.points), default=batch.sent.get("step", 0))
        metrics += [
            {"key": f"final/{key}", "value": value, "timestamp": now, "step": last}
            for key, value in batch.scores.items()
        ]
        for some in _chunks(metrics, _METRICS):
            self._post("runs/log-batch", run_id=run, metrics=some)
        if batch.model:
            address = f"{self._storage.rstrip('/')}/{batch.model}"
            self._post("runs/set-tag", run_id=run, key="annotune.model", value=address)
        if batch.ended:
            self._post("runs/update", run_id=run, status=_STATES[batch.ended], end_time=now)
        return {"outside": run}

    def _run(self, batch: Batch) -> str:
        experiment = self._experiment(batch.project)
        known = self._post(
            "runs/search",
            experiment_ids=[experiment],
            filter=f"tags.`annotune.run` = '{batch.run_id}'",
            max_results=1,
        ).get("runs")
        if known:
            run = str(known[0]["info"]["run_id"])
        else:
            tags = {"annotune.run": batch.run_id, "annotune.kind": batch.kind}
            made = self._post(
                "runs/create",
                experiment_id=experiment,
                run_name=batch.name,
                start_time=int(batch.started_at.timestamp() * 1000),
                tags=[{"key": key, "value": value} for key, value in tags.items()],
            )
            run = str(made["run"]["info"]["run_id"])
        # Told again, they are the same: MLflow takes equal parameters as often as they come.
        params = [
            {"key": key, "value": str(value)[:_LONGEST_PARAM]}
            for key, value in batch.params.items()
            if value is not None
        ]
        for some in _chunks(params, _PARAMS):
            self._post("runs/log-batch", run_id=run, params=some)
        return run

    def _experiment(self, name: str) -> str:
        try:
            made = self._post("experiments/create", name=name)
        except HTTPError as error:
            if error.code != 400:  # RESOURCE_ALREADY_EXISTS
                raise
            found = self._post(
                "experiments/search", filter=f"name = '{_quoted(name)}'", max_results=1
            )
            return str(found["experiments"][0]["experiment_id"])
        return str(made["experiment_id"])

    def _post(self, path: str, **content: Any) -> dict[str, Any]:
        request = Request(  # noqa: S310 (the setting takes http and https only)
            f"{self._root}/api/2.0/mlflow/{path}",
            data=json.dumps(content).encode(),
            headers=self._headers,
        )
        with urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310
            found = json.loads(answer.read() or b"{}")
        if not isinstance(found, dict):
            raise ValueError(f"MLflow answers {path} with something that is not an object")
        return found


def _quoted(name: str) -> str:
    return name.replace("'", "\\'")


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
