"""Labelling costs the same however large a project is: no statement looks at rows that it does not need."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import String, case, cast, event, func, insert, literal, null, select, text, update

from app.db import get_engine, session_scope
from app.models import Annotation, Contribution, Example, Project, User, now
from app.models.base import JsonType, UtcDateTime
from tests.api.conftest import Site
from tests.api.people import look, say, take
from tests.factories import join, make_project, make_user

LEASED, LABELLED, SKIPPED, OPEN = 2000, 4000, 20, 10_000
MAX_ROWS = 80
"""Rows that one statement may look at. Scanning any part of the project looks at more."""
MAX_STEPS = 6000
"""The same for SQLite, in instructions of its virtual machine."""

_EXAMPLE = "id project_id inputs meta content_hash created_at status lease_user_id lease_until skipped_by gold_id"
_ANNOTATION = "id project_id example_id user_id source revision payload comment created_at"


class Costs:
    """What each statement had to look at."""

    def __init__(self) -> None:
        self.worst: list[tuple[int, str, Any]] = []
        self._steps = 0

    def before(self, connection: Any, statement: str, parameters: Any) -> None:
        driver = connection.connection.driver_connection
        if connection.dialect.name == "sqlite":
            self._steps = 0
            driver.set_progress_handler(self._count, 100)
            return
        with driver.cursor() as cursor:
            # Twice: once to see what it does, once by the caller.
            cursor.execute("SAVEPOINT explained")
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            plan = cursor.fetchone()[0][0]["Plan"]
            cursor.execute("ROLLBACK TO SAVEPOINT explained")
        self.worst.append((_rows(plan), statement, plan))

    def after(self, connection: Any, statement: str) -> None:
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.set_progress_handler(None, 0)
            self.worst.append((self._steps, statement, None))

    def check(self, limit: int) -> None:
        dear = [
            f"{cost} in place of at most {limit}: {statement}\n{plan and json.dumps(plan)}"
            for cost, statement, plan in self.worst
            if cost > limit
        ]
        assert not dear, "\n\n".join(dear)

    def _count(self) -> int:
        self._steps += 100
        return 0


def _rows(plan: dict[str, Any]) -> int:
    """The most rows that any part of a plan looked at."""
    own = 0
    if "Scan" in plan["Node Type"]:
        seen = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        own = int(sum(plan.get(key, 0) for key in seen) * plan["Actual Loops"])
    return max([own, *(_rows(part) for part in plan.get("Plans", ()))])


@contextmanager
def costs() -> Iterator[Costs]:
    found = Costs()

    def before(connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        found.before(connection, statement, parameters)

    def after(connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.after(connection, statement)

    event.listen(get_engine(), "before_cursor_execute", before)
    event.listen(get_engine(), "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(get_engine(), "before_cursor_execute", before)
        event.remove(get_engine(), "after_cursor_execute", after)


@pytest.fixture
def project(ada: User, bo: User) -> Project:
    """A project whose first examples are all held by others; of the next, Bo has done thousands."""
    made = make_project(ada)
    join(made, ada, annotator=bo)
    n = select(literal(1).label("i")).cte("n", recursive=True)
    n = n.union_all(select(n.c.i + 1).where(n.c.i < LEASED + LABELLED + SKIPPED + OPEN))
    is_leased, is_labelled, is_skipped = (
        n.c.i <= LEASED,
        n.c.i.between(LEASED + 1, LEASED + LABELLED),
        n.c.i.between(LEASED + LABELLED + 1, LEASED + LABELLED + SKIPPED),
    )
    until = literal(now() + timedelta(minutes=20), UtcDateTime())
    holder = literal("u") + cast(n.c.i % 500, String)
    with session_scope() as session:
        session.execute(
            insert(Example).from_select(
                _EXAMPLE.split(),
                select(
                    n.c.i,
                    literal(made.id),
                    literal({"text": "A text."}, JsonType),
                    literal({}, JsonType),
                    cast(n.c.i, String),
                    literal(now(), UtcDateTime()),
                    case((is_labelled, "labelled"), (is_skipped, "skipped"), else_="open"),
                    case((is_leased, holder), else_=null()),
                    case((is_leased, until), else_=null()),
                    case((is_skipped, bo.id), else_=null()),
                    case((is_labelled, n.c.i), else_=null()),
                ),
            )
        )
        said = {"labels": ["neutral"]}
        session.execute(
            insert(Annotation).from_select(
                _ANNOTATION.split(),
                select(
                    Example.id,
                    Example.project_id,
                    Example.id,
                    literal(bo.id),
                    literal("person"),
                    literal(1),
                    literal(said, JsonType),
                    literal(""),
                    literal(now(), UtcDateTime()),
                ).where(Example.status.in_(("labelled", "skipped"))),
            )
        )
        session.add(
            Contribution(
                project_id=made.id, user_id=bo.id, annotated=LABELLED + SKIPPED, skipped=SKIPPED
            )
        )
        session.execute(
            update(Project).values(
                example_count=LEASED + LABELLED + SKIPPED + OPEN,
                labelled_count=LABELLED,
                skipped_count=SKIPPED,
            )
        )
        if session.get_bind().dialect.name == "postgresql":
            for table in ("examples", "annotations"):
                newest = select(func.max(text("id"))).select_from(text(table)).scalar_subquery()
                session.execute(select(func.setval(f"{table}_id_seq", newest)))
    return made


@pytest.fixture
def bo(site: Site) -> User:
    return make_user("Bo")


@pytest.mark.parametrize("analysed", [True, False])
def test_no_statement_of_the_hot_path_scans(
    site: Site, api: TestClient, project: Project, bo: User, analysed: bool
) -> None:
    if analysed:
        with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    caller = site.caller(bo)
    path = f"/projects/{project.id}"
    with costs() as found:
        first = take(caller, project)
        assert first["id"] == LEASED + LABELLED + SKIPPED + 1
        assert take(caller, project)["id"] == first["id"]
        second = take(caller, project, after=first["id"])
        assert second["id"] == first["id"] + 1
        assert caller.post(f"{path}/examples/{second['id']}/lease").status_code == 200
        assert say(caller, project, second["id"], "neutral").status_code == 201
        third = take(caller, project)
        assert say(caller, project, third["id"], None).status_code == 201
        fourth = take(caller, project)
        assert caller.post(f"{path}/examples/{fourth['id']}/release").status_code == 204
        old = look(api, project, LEASED + 1)
        assert say(
            api, project, old["id"], "positive", base=old["base"], effect="replace"
        ).is_success
        if analysed:  # not felt at each example, and PostgreSQL needs to know a little for it
            changed = caller.get(f"{path}/mine", params={"changed": True}).json()["items"]
            assert [item["id"] for item in changed] == [old["id"]]
        assert caller.post(f"{path}/examples/{old['id']}/seen").status_code == 204
        assert len(caller.get(f"{path}/mine").json()["items"]) == 50
        left = caller.get(f"{path}/queue").json()
        assert (left["held_by_others"], left["skipped_mine"]) == (LEASED, SKIPPED + 1)
    counted = [c for c in found.worst if "count(" in c[1]]
    assert len(counted) == 1, "what is counted, is counted by counters"
    limit = MAX_STEPS if get_engine().dialect.name == "sqlite" else MAX_ROWS
    found.worst.remove(counted[0])  # the leases of others: as many as there are people at work
    found.check(limit)


def test_all_that_was_set_aside_comes_back_without_a_scan(
    site: Site, project: Project, bo: User
) -> None:
    caller = site.caller(bo)
    with costs() as found:
        back = caller.post(f"/projects/{project.id}/queue/restore", json={"whose": "mine"})
    assert back.json() == {"restored": SKIPPED}
    limit = 100 * SKIPPED + MAX_STEPS if get_engine().dialect.name == "sqlite" else 4 * SKIPPED
    found.check(limit)
    assert caller.get(f"/projects/{project.id}/queue").json()["skipped"] == 0
