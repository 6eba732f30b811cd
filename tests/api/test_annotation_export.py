"""Everybody's annotations: each revision, by whom, when, from where; for managers alone."""

from typing import Any

import orjson
from fastapi.testclient import TestClient

from app.models import User
from tests.api.conftest import Site
from tests.api.people import look, say
from tests.factories import fill, freeze, join, make_project, make_user, open_rows


def rows(client: TestClient, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [orjson.loads(line) for line in answer.content.splitlines()]


def test_every_revision_of_everybody_is_in_it(site: Site, ada: User, api: TestClient) -> None:
    project = make_project(ada)
    given = {"text": "Fine.", "annotation": {"labels": ["positive"]}, "external_id": "r1"}
    fill(project, ada, [given, *open_rows(1)])
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    path = f"/projects/{project.id}"
    first = rows(api, f"{path}/annotations")
    assert [(r["source"], r["annotator"], r["revision"], r["is_gold"]) for r in first] == [
        ("import", None, 1, True)
    ]
    freeze(project, ada)
    items = api.get(f"{path}/examples").json()["items"]
    open_id = next(item["id"] for item in items if item["status"] == "open")
    caller = site.caller(bo)
    assert say(caller, project, open_id, "positive").status_code == 201
    base = look(caller, project, open_id)["base"]
    again = say(caller, project, open_id, "negative", base=base, comment="sure?")
    assert again.status_code < 300, again.text
    now = rows(api, f"{path}/annotations")
    own = [row for row in now if row["annotator"]]
    assert [row["annotator"] for row in own] == [{"id": bo.id, "name": "Bo"}] * 2
    assert [row["revision"] for row in own] == [1, 2]
    assert [row["is_gold"] for row in own] == [False, True]
    assert own[1]["comment"] == "sure?"
    assert own[1]["annotation"] == {"labels": ["negative"]}
    assert own[1]["created_at"] > own[0]["created_at"]
    assert own[0]["inputs"]["text"]
    assert rows(api, f"{path}/annotations", annotator=bo.id) == own
    assert rows(api, f"{path}/versions/1/annotations") == first, "as of the version's moment"
    assert api.get(f"{path}/annotations", params={"annotator": "nobody"}).status_code == 404
    for part in ("/annotations", "/versions/1/annotations"):
        assert caller.get(path + part).status_code == 403
    newest = api.get("/audit").json()["items"][0]
    assert newest["action"] == "annotations.export"
    page = site.browser(ada)
    for link in ("versions/1/annotations", "versions/all/annotations"):
        assert page.get(f"{path}/{link}").status_code == 200
    assert f"{path}/versions/1/annotations" in page.get(f"{path}/versions/1").text
    assert "annotations" not in site.browser(bo).get(f"{path}/versions").text.lower()
