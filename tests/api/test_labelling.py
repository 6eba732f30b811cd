"""Labelling over the API: nothing is lost, nothing is stored twice, nobody gets the same example."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.db import session_scope
from app.models import Annotation, Example, Project, User, now
from tests.api.conftest import Site
from tests.api.people import look, say, take
from tests.factories import count, fill, join, labelled_rows, make_project, make_user, open_rows


@pytest.fixture
def project(ada: User) -> Project:
    made = make_project(ada)
    fill(made, ada, open_rows(12))
    return made


def test_a_save_that_is_sent_twice_is_stored_once(api: TestClient, project: Project) -> None:
    example = take(api, project)["id"]
    first = say(api, project, example, "positive", key="key-1")
    again = say(api, project, example, "positive", key="key-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert count(Annotation) == 1


def test_the_same_save_from_several_connections_at_once_is_stored_once(
    api: TestClient, project: Project
) -> None:
    example = take(api, project)["id"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: say(api, project, example, "neutral", key="k"), range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == count(Annotation) == 1


def test_the_second_of_two_tabs_hears_what_the_first_one_saved(
    api: TestClient, project: Project
) -> None:
    example = take(api, project)["id"]
    say(api, project, example, "positive")
    late = say(api, project, example, "negative")
    assert late.status_code == 409
    current = late.json()["current"]
    assert (current["mine"]["revision"], current["access"]) == (1, "write")
    assert current["mine"] == current["standing"]
    assert current["standing"]["payload"] == {"labels": ["positive"]}
    again = say(api, project, example, "negative", base=current["base"]).json()
    assert (again["revision"], again["stands"]) == (2, True)


def test_every_revision_stays(api: TestClient, project: Project) -> None:
    example = take(api, project)["id"]
    base = 0
    for label in (None, "positive", "negative"):
        answer = say(api, project, example, label, base=base)
        assert answer.status_code == 201
        base = answer.json()["base"]
    with session_scope(read_only=True) as session:
        kept = session.query(Annotation).order_by(Annotation.revision).all()
    assert [a.payload and a.payload["labels"][0] for a in kept] == [None, "positive", "negative"]
    item = look(api, project, example)
    assert (item["status"], item["mine"]["revision"], item["base"]) == ("labelled", 3, base)
    assert item["progress"] == {
        "done": 1,
        "total": 12,
        "mine": 1,
        "skipped": 0,
        "skipped_mine": 0,
        "changed": 0,
    }


def test_people_at_once_get_different_examples(site: Site, project: Project, ada: User) -> None:
    people = [make_user(name) for name in ("Bo", "Cy", "Di", "Eli")]
    for person in people:
        join(project, ada, annotator=person)
    callers = [site.caller(person) for person in people]

    def label_three(caller: TestClient) -> list[int]:
        done = []
        for _ in range(3):
            done.append(take(caller, project)["id"])
            assert say(caller, project, done[-1], "neutral").status_code == 201
        return done

    with ThreadPoolExecutor(4) as pool:
        found = [example for done in pool.map(label_three, callers) for example in done]
    assert len(found) == len(set(found)) == 12
    assert callers[0].post(f"/projects/{project.id}/queue/next").status_code == 204
    assert callers[0].get(f"/projects/{project.id}").json()["labelled_count"] == 12


def test_reopening_the_page_gives_the_same_example(api: TestClient, project: Project) -> None:
    first = take(api, project)
    assert take(api, project)["id"] == first["id"]
    assert first["lease_until"] is not None
    assert first["inputs"]["tokens"]


def test_the_page_opens_on_an_example_by_its_address(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    first = take(api, project)
    page = site.browser(ada).get(f"/projects/{project.id}/label?example={first['id']}")
    assert page.status_code == 200
    data = re.search(r'id="workbench-data">(.*?)</script>', page.text, re.DOTALL)
    assert data
    assert json.loads(data[1])["example"]["inputs"] == first["inputs"]


def test_what_is_passed_over_comes_again_at_the_end(api: TestClient, project: Project) -> None:
    first = take(api, project)["id"]
    seen = [first]
    for _ in range(12):
        seen.append(take(api, project, after=seen[-1])["id"])
    assert len(set(seen)) == 12
    assert seen[-1] == first


def test_a_reservation_ends_by_itself_and_by_wish(
    site: Site, api: TestClient, project: Project, ada: User
) -> None:
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    mine, other = take(api, project)["id"], site.caller(bo)
    assert take(other, project)["id"] != mine
    assert api.post(f"/projects/{project.id}/examples/{mine}/release").status_code == 204
    cy = make_user("Cy")
    join(project, ada, annotator=cy)
    assert take(site.caller(cy), project)["id"] == mine
    with session_scope() as session:
        session.execute(update(Example).values(lease_until=now() - timedelta(seconds=1)))
    assert take(api, project)["id"] == mine


def test_going_back_to_what_i_labelled_and_changing_it(api: TestClient, project: Project) -> None:
    ids = []
    for label in ("positive", None, "negative"):
        ids.append(take(api, project)["id"])
        say(api, project, ids[-1], label)
    mine = api.get(f"/projects/{project.id}/mine").json()["items"]
    assert [item["id"] for item in mine] == ids[::-1]
    assert [item["skipped"] for item in mine] == [False, True, False]
    say(api, project, ids[0], "neutral", base=look(api, project, ids[0])["base"])
    mine = api.get(f"/projects/{project.id}/mine").json()["items"]
    assert [item["id"] for item in mine] == [ids[0], ids[2], ids[1]]
    assert mine[0]["summary"] == "Neutral"
    assert [item["stands"] for item in mine] == [True, True, False]


@pytest.mark.parametrize(
    "payload",
    [
        {"labels": []},
        {"labels": ["positive", "negative"]},
        {"labels": ["unheard-of"]},
        {"labels": ["a\x00b"]},
        {"spans": []},
        {"labels": ["positive"], "more": 1},
    ],
)
def test_an_annotation_that_does_not_fit_is_refused(
    api: TestClient, project: Project, payload: dict[str, Any]
) -> None:
    example = take(api, project)["id"]
    answer = api.post(
        f"/projects/{project.id}/examples/{example}/annotations",
        json={"payload": payload, "client_key": "k"},
    )
    assert answer.status_code == 422
    assert answer.json()["problems"]
    assert count(Annotation) == 0


@pytest.mark.parametrize("saving", [{}, {"skipped": True, "payload": {"labels": ["positive"]}}])
def test_an_example_is_either_annotated_or_skipped(
    api: TestClient, project: Project, saving: dict[str, Any]
) -> None:
    path = f"/projects/{project.id}/examples/{take(api, project)['id']}/annotations"
    assert api.post(path, json={"client_key": "k", **saving}).status_code == 422


def test_examples_are_walked_page_by_page(api: TestClient, ada: User) -> None:
    project = make_project(ada)
    fill(project, ada, [*labelled_rows(), *open_rows(5)])
    path, seen, after = f"/projects/{project.id}/examples", [], 0
    while after is not None:
        page = api.get(path, params={"after": after, "limit": 3}).json()
        seen += [row["inputs"]["text"] for row in page["items"]]
        after = page["next_after"]
    assert len(seen) == len(set(seen)) == 10
    assert len(api.get(path, params={"status": "labelled"}).json()["items"]) == 5
    found = api.get(path, params={"q": "CALLED back!"}).json()["items"]
    assert [row["external_id"] for row in found] == ["s4"]
    assert api.get(path, params={"q": "%"}).json()["items"] == []
