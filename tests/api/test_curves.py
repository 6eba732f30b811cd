"""Curves of runs: thinned where they are long, whole where they are not."""

from itertools import pairwise

import pytest
from sqlalchemy import insert

from app.db import session_scope
from app.models import Project, RunPoint, User
from app.services import runs
from app.training import FineTuneParams
from tests.api.conftest import Site
from tests.factories import actor, fill, freeze, labelled_rows, make_project


@pytest.fixture
def project(site: Site, ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, labelled_rows())
    freeze(made, ada)
    return made


def make_run(project: Project, ada: User, steps: range | list[int], kind: str = "step") -> str:
    with session_scope() as session:
        run = runs.create(
            session, actor(ada), project.id, version_number=1, params=FineTuneParams()
        )
        rows = [
            {"run_id": run.id, "kind": kind, "step": step, "values": {"loss": 1 / (1 + step)}}
            for step in steps
        ]
        if rows:
            session.execute(insert(RunPoint), rows)
    return run.id


def test_a_long_curve_is_thinned_evenly_and_keeps_its_end(project: Project, ada: User) -> None:
    run = make_run(project, ada, range(1, 20_001))
    with session_scope(read_only=True) as session:
        found = [point["step"] for point in runs.points(session, run, "step")]
        later = [point["step"] for point in runs.points(session, run, "step", after_step=19_990)]
    assert len(found) == runs.MAX_CURVE_POINTS
    assert found[-1] == 20_000
    assert found == sorted(found)
    assert {b - a for a, b in pairwise(found)} <= {19, 20, 21}
    assert later == list(range(19_991, 20_001))


def test_several_curves_come_at_once_each_of_its_own_run(project: Project, ada: User) -> None:
    uneven = [1, 2, 3, 500, 90_000]
    ids = [
        make_run(project, ada, uneven),
        make_run(project, ada, range(1_500)),
        make_run(project, ada, []),
        make_run(project, ada, [7], kind="evaluation"),
    ]
    with session_scope(read_only=True) as session:
        found = runs.curves(session, ids, "step")
        evaluations = runs.curves(session, ids[2:], "evaluation")
    assert list(found) == ids
    assert [point["step"] for point in found[ids[0]]] == uneven, "a short one is whole"
    assert 700 < len(found[ids[1]]) <= runs.MAX_CURVE_POINTS
    assert found[ids[1]][-1] == {"step": 1_499, "loss": 1 / 1_500}
    assert found[ids[2]] == found[ids[3]] == []
    assert [point["step"] for point in evaluations[ids[3]]] == [7]
