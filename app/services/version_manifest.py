"""A version's manifest: what stands beside its data, and where all of it came from.

People are in it by their ids, which say nothing outside of this installation: data sets are handed on and published,
and names and addresses of those who labelled them need not be. The version's page shows the names.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import session_scope
from app.models import Annotation, DatasetVersion, Import, ImportUpdate, Project

Rule = str
"""Of an example's gold: "only" (nobody else said anything), "agreed" (all said the same), "adjudicated" (it was chosen
from what differs)."""


class Lineage:
    """Who and what the gold of a version is from, gathered while it is written."""

    def __init__(self, version: DatasetVersion) -> None:
        self._version = version
        self.annotators: Counter[str] = Counter()
        self.sources: Counter[str] = Counter()
        self.rules: Counter[Rule] = Counter({"only": 0, "agreed": 0, "adjudicated": 0})
        self._examples_of: Counter[str | None] = Counter()

    def add(self, session: Session, rows: Sequence[Any]) -> None:
        """Some examples of the version in the order of their ids: rows with `id` and `import_id`, and the gold's
        `user_id` and `source`."""
        self.sources.update(row.source for row in rows)
        self._examples_of.update(row.import_id for row in rows)
        self.annotators.update(row.user_id for row in rows if row.user_id is not None)
        said = self._said_by_several(session, rows)
        for authors in said.values():
            bodies = {orjson.dumps(p, option=orjson.OPT_SORT_KEYS) for p in authors.values()}
            self.rules["agreed" if len(bodies) == 1 else "adjudicated"] += 1
        self.rules["only"] += len(rows) - len(said)

    def _said_by_several(
        self, session: Session, rows: Sequence[Any]
    ) -> dict[int, dict[str, dict[str, Any]]]:
        """What each author said last of the examples that several have labelled."""
        here = (
            Annotation.example_id >= rows[0].id,
            Annotation.example_id <= rows[-1].id,
            Annotation.id <= (self._version.last_annotation_id or 0),
            Annotation.payload.is_not(None),
        )
        several = (
            select(Annotation.example_id)
            .where(*here)
            .group_by(Annotation.example_id)
            .having(func.count() > 1)
        )
        ids = set(session.scalars(several)) & {row.id for row in rows}
        found: dict[int, dict[str, dict[str, Any]]] = {}
        if ids:
            query = select(
                Annotation.example_id,
                Annotation.user_id,
                Annotation.is_proposal,
                Annotation.payload,
            )
            query = query.where(*here, Annotation.example_id.in_(ids)).order_by(Annotation.id)
            for example_id, user_id, is_proposal, payload in session.execute(query):
                author = user_id or ("suggested" if is_proposal else "imported")
                found.setdefault(example_id, {})[author] = payload
        return {example_id: said for example_id, said in found.items() if len(said) > 1}

    def as_json(self) -> dict[str, Any]:
        """The whole, once all examples are added."""
        return {
            "imports": self._imports(),
            "annotators": [
                {"annotator": user_id, "examples": n}
                for user_id, n in self.annotators.most_common()
            ],
            "sources": dict(self.sources.most_common()),
            "rules": dict(self.rules),
        }

    def _imports(self) -> list[dict[str, Any]]:
        labels = (
            select(ImportUpdate.import_id, func.count().label("labels"))
            .where(ImportUpdate.annotation_id <= (self._version.last_annotation_id or 0))
            .group_by(ImportUpdate.import_id)
            .subquery()
        )
        query = (
            select(Import, func.coalesce(labels.c.labels, 0))
            .outerjoin(labels, labels.c.import_id == Import.id)
            .where(Import.project_id == self._version.project_id)
            .order_by(Import.created_at, Import.id)
        )
        with session_scope(read_only=True) as session:
            rows = session.execute(query).all()
        return [
            {
                "file": row.filename,
                "sha256": row.sha256,
                "format": row.format,
                "rows": row.report.get("read", 0),
                "imported_at": row.created_at.isoformat(),
                "examples": self._examples_of[row.id],
                "labels_for_others": said,
            }
            for row, said in rows
            if self._examples_of[row.id] or said
        ]


def content(
    project: Project,
    version: DatasetVersion,
    *,
    sha256: str,
    counts: dict[str, Any],
    before: DatasetVersion | None,
    lineage: Lineage,
) -> dict[str, Any]:
    """The manifest. Its own digest covers all that the data's does not: what exports of the version are made with."""
    return {
        "project": {
            "id": project.id,
            "name": project.name,
            "task": project.task,
            "language": project.language,
        },
        "version": {
            "number": version.number,
            "note": version.note,
            "created_at": version.created_at.isoformat(),
            "sha256": sha256,
        },
        "schema": version.label_schema,
        "guidelines": {
            "sha256": hashlib.sha256(version.guidelines.encode()).hexdigest(),
            "text": version.guidelines,
        },
        "instruction": version.instruction,
        "split_percent": version.split_percent,
        "splits_kept_from": before.number if before and version.keeps_splits else None,
        "counts": counts,
        "lineage": lineage.as_json(),
    }
