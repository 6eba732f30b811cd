"""Annotations under the names that labels have today: they are stored under the names of when they were written."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, overload

from app.models import DatasetVersion, Project
from app.tasks import get_task


class Today:
    """Reads stored payloads under the names that a project's labels have today, or had when a version was asked for."""

    def __init__(self, project: Project, version: DatasetVersion | None = None) -> None:
        self._task = get_task(project.task)
        schema = (version or project).label_schema
        self._becomes = self._task.former_names(self._task.parse_schema(schema))

    def counts(self, by_label: Mapping[str, int]) -> dict[str, int]:
        """Counts of labels, those of former names with those of the label that has them."""
        found: Counter[str] = Counter()
        for name, n in by_label.items():
            found[self._becomes.get(name, name)] += n
        return dict(found)

    @overload
    def __call__(self, payload: dict[str, Any]) -> dict[str, Any]: ...
    @overload
    def __call__(self, payload: dict[str, Any] | None) -> dict[str, Any] | None: ...
    def __call__(self, payload: dict[str, Any] | None) -> dict[str, Any] | None:
        if payload is None or not self._becomes:
            return payload
        return self._task.renamed(payload, self._becomes)
