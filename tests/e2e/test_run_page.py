"""The page of a run that goes on, in a real browser; the test is the worker."""

import re

import pytest
from playwright.sync_api import Page, Response, expect

from app.db import session_scope
from app.http.identity import COOKIE
from app.main import create_app
from app.models import Run, User
from app.services import accounts, jobs, runs
from app.training import FineTuneParams
from tests.conftest import serving
from tests.factories import actor, fill, freeze, labelled_rows, make_project, make_user

pytestmark = pytest.mark.e2e


def start_run(person: User) -> Run:
    project = make_project(person)
    fill(project, person, labelled_rows())
    freeze(project, person)
    with session_scope() as session:
        params = FineTuneParams()
        return runs.create(session, actor(person), project.id, version_number=1, params=params)


def test_curves_stand_still_until_they_look_otherwise(sqlite: str, page: Page) -> None:
    ada = make_user("Ada", admin=True)
    run = start_run(ada)
    claim = jobs.claim(run.job_id, "a worker")
    assert claim
    with session_scope() as session:
        secret = accounts.start_session(session, ada)
    answers: list[Response] = []

    def tell(*steps: int) -> None:
        points = [
            {"type": "step", "step": step, "loss": 1 / step, "gradient_norm": 0.5} for step in steps
        ]
        runs.record(claim, points=points, progress={"done": steps[-1], "total": 9_000})

    def with_curves() -> list[bool]:
        return ["data-chart" in answer.text() for answer in answers]

    tell(*range(10, 2_001, 10))
    with serving(create_app()) as address:
        page.context.add_cookies([{"name": COOKIE, "value": secret, "url": address}])
        page.goto(f"{address}/runs/{run.id}")
        page.get_by_text("Learning rate, gradient, speed, memory").click()
        charts = page.locator("#chart-loss"), page.locator("#chart-gradient-norm")
        for chart in charts:
            expect(chart.locator("canvas")).to_be_visible()
            chart.locator("canvas").evaluate("(canvas) => { canvas.title = 'the first' }")
        page.on(
            "response",
            lambda answer: answers.append(answer) if f"/runs/{run.id}?" in answer.url else None,
        )

        for step in (2_002, 2_004):
            tell(step)
            expect(page.get_by_text(f"step {step:,} of 9,000")).to_be_visible()
            for chart in charts:
                expect(chart).to_have_attribute("data-chart", re.compile(r"\[2000,"))
                expect(chart.get_by_title("the first")).to_be_visible()
        assert len(answers) >= 2
        assert not any(with_curves())

        tell(2_030)
        for chart in charts:
            expect(chart).to_have_attribute("data-chart", re.compile(r"\[2002,.*\[2004,.*\[2030,"))
            expect(chart.get_by_title("the first")).to_be_visible()
        del answers[:]
        tell(2_034)
        expect(page.get_by_text("step 2,034 of 9,000")).to_be_visible()
        assert answers
        assert not any(with_curves()), "the page has said that it has the newer ones"

        jobs.fail(claim, "The disk is full.")
        expect(page.get_by_text("The disk is full.")).to_be_visible()
        for chart in charts:
            expect(chart).to_have_attribute("data-chart", re.compile(r"\[2034,"))
            expect(chart.get_by_title("the first")).to_be_visible()
