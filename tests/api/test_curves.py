"""Curves of runs: thinned where they are long, whole where they are not, and sent when they look otherwise."""

import html
import re
from itertools import pairwise

import pytest
from sqlalchemy import insert

from app.db import session_scope
from app.models import Project, Run, RunPoint, User
from app.services import jobs, runs
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


class OpenPage:
    """A run's page, as it asks for itself whenever there is news."""

    def __init__(self, site: Site, person: User, run_id: str) -> None:
        self._browser = site.browser(person)
        self._take(self._browser.get(f"/runs/{run_id}").text)

    def hear(self) -> str:
        """What the next news brings."""
        return self._take(self._browser.get(self._address, headers={"HX-Request": "true"}).text)

    def _take(self, page: str) -> str:
        if found := re.search(r'hx-get="([^"]+)"', page):
            self._address = html.unescape(found[1])
        return page


def test_an_open_page_is_sent_its_curves_only_when_they_look_otherwise(
    site: Site, project: Project, ada: User
) -> None:
    run_id = make_run(project, ada, range(1, 5_001))
    with session_scope(read_only=True) as session:
        claim = jobs.claim(session.get_one(Run, run_id).job_id, "a worker")
    assert claim

    def tell(step: int, kind: str = "step", resumed_at: int | None = None) -> str:
        point = {"type": kind, "step": step, "loss": 0.125, "split": "validation"}
        news = {"phase": "training", "done": step, "total": 90_000}
        runs.record(claim, points=[point], progress=news, resumed_at=resumed_at)
        return page.hear()

    page = OpenPage(site, ada, run_id)
    for step in (5_001, 5_005, 5_010):
        answer = tell(step)
        assert f"step {step:,} of 90,000" in answer
        assert "loss 0.1250" in answer
        assert len(answer) < 8_000, "without curves, which have moved by less than a pixel"
    answer = tell(5_011)
    assert "[1," in answer
    assert "[5011," in answer
    assert "data-chart" not in tell(5_012)
    assert "data-chart" in tell(5_012, "evaluation"), "an evaluation is shown at once"
    assert "data-chart" not in tell(5_013)
    answer = tell(3_001, resumed_at=3_000)
    assert "[3001," in answer
    assert "[5011," not in answer, "what an earlier attempt had told is void"
    assert "data-chart" not in tell(3_002)
    jobs.fail(claim, "it broke")
    assert "[3002," in page.hear(), "the page of a run that has ended is whole"
