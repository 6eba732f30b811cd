"""Several people on one project: nobody's words are taken away unasked, and nobody is stuck."""

import json
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from app.db import session_scope
from app.models import Annotation, Example, Project, User, now
from tests.api.conftest import Site
from tests.api.people import Call, call, look, project, say, take
from tests.factories import (
    count,
    fill,
    freeze,
    labelled_rows,
    make_project,
)

__all__ = ["call", "project"]


def end_leases() -> None:
    with session_scope() as session:
        session.execute(
            update(Example)
            .where(Example.lease_user_id.is_not(None))
            .values(lease_until=now() - timedelta(seconds=1))
        )


def label_of(said: dict[str, Any] | None) -> str | None:
    return said["payload"]["labels"][0] if said and said["payload"] else None


def progress(caller: TestClient, project: Project) -> dict[str, int]:
    found: dict[str, int] = caller.get(f"/projects/{project.id}/queue").json()
    return found


@pytest.mark.parametrize("role", ["annotator", "reviewer", "manager"])
def test_whoever_lost_an_example_sees_what_was_said_and_goes_on(
    project: Project, call: Call, role: str
) -> None:
    bo, cai = call("Bo"), call("Cai", role)
    item = take(cai, project)
    end_leases()
    assert take(bo, project)["id"] == item["id"]
    held = say(cai, project, item["id"], "negative", base=item["base"])
    assert (held.status_code, held.json()["current"]["access"]) == (409, "propose")
    assert say(bo, project, item["id"], "positive", base=item["base"]).status_code == 201

    for label in ("negative", None):
        refused = say(cai, project, item["id"], label, base=item["base"])
        assert refused.status_code == 409
        current = refused.json()["current"]
        assert (label_of(current["standing"]), current["standing"]["by"]["name"]) == (
            "positive",
            "Bo",
        )
        assert current["mine"] is None
        assert "inputs" not in current
    assert current["access"] == ("propose" if role == "annotator" else "replace")
    assert "Bo" in current["access_reason"]

    beside = say(cai, project, item["id"], "negative", effect="propose")
    assert (beside.status_code, beside.json()["stands"]) == (201, False)
    assert take(cai, project, after=item["id"])["id"] != item["id"]
    now_there = look(bo, project, item["id"])
    assert (label_of(now_there["standing"]), now_there["access"]) == ("positive", "write")
    assert progress(bo, project)["done"] == 1


def test_the_second_reviewer_sees_the_first_ones_answer_and_chooses(
    project: Project, call: Call
) -> None:
    ann, bo, cy = call("Ann"), call("Bo", "reviewer"), call("Cy", "reviewer")
    example = take(ann, project)["id"]
    say(ann, project, example, "positive")
    seen = look(bo, project, example)
    assert look(cy, project, example)["base"] == seen["base"]
    assert (seen["access"], "Ann" in seen["access_reason"]) == ("replace", True)
    plain = say(bo, project, example, "negative", base=seen["base"])
    assert plain.status_code == 409, "somebody else's is replaced by choice alone"
    assert say(bo, project, example, "negative", base=seen["base"], effect="replace").is_success

    late = say(cy, project, example, "neutral", base=seen["base"], effect="replace")
    assert late.status_code == 409
    current = late.json()["current"]
    assert label_of(current["standing"]) == "negative"
    assert [label_of(other) for other in current["others"]] == ["positive"]
    assert say(cy, project, example, "neutral", base=current["base"], effect="replace").is_success
    assert label_of(look(ann, project, example)["standing"]) == "neutral"
    assert count(Annotation) == 3


def test_whoever_is_corrected_is_told_until_they_have_seen_it(project: Project, call: Call) -> None:
    ann, bo, cy = call("Ann"), call("Bo", "reviewer"), call("Cy", "reviewer")
    example = take(ann, project)["id"]
    base = say(ann, project, example, "positive").json()["base"]
    same = say(bo, project, example, "positive", base=base, effect="replace").json()["base"]
    assert progress(ann, project)["changed"] == 0, "Bo says just the same"
    base = say(cy, project, example, "negative", base=same, effect="replace").json()["base"]
    assert progress(bo, project)["changed"] == 1
    base = say(bo, project, example, "neutral", base=base, effect="replace").json()["base"]
    assert (progress(bo, project)["changed"], progress(cy, project)["changed"]) == (0, 1)

    item = look(ann, project, example)
    assert (label_of(item["standing"]), label_of(item["mine"])) == ("neutral", "positive")
    assert (item["changed"], item["access"], item["others"]) == (True, "propose", [])
    (said,) = ann.get(f"/projects/{project.id}/mine").json()["items"]
    assert (said["changed"]["by"]["name"], said["stands"]) == ("Bo", False)
    assert (said["summary"], said["changed"]["summary"]) == ("Positive", "Neutral"), "as titles"

    listed = f"/projects/{project.id}/mine?changed=true"
    assert [said["id"] for said in cy.get(listed).json()["items"]] == [example]
    for _twice in range(2):
        assert cy.post(f"/projects/{project.id}/examples/{example}/seen").status_code == 204
        assert progress(cy, project)["changed"] == 0
    assert cy.get(listed).json()["items"] == []
    assert look(cy, project, example)["changed"], "it still is"


def test_a_correction_of_what_stood_is_told_to_its_author(project: Project, call: Call) -> None:
    ann, bo = call("Ann"), call("Bo", "reviewer")
    example = take(ann, project)["id"]
    base = say(ann, project, example, "positive").json()["base"]
    base = say(bo, project, example, "negative", base=base, effect="replace").json()["base"]
    assert progress(ann, project)["changed"] == 1
    assert say(bo, project, example, "positive", base=base).is_success, "Bo's own: no choice needed"
    assert progress(ann, project)["changed"] == 1, "what Bo replaces now is Bo's"
    assert not look(ann, project, example)["changed"]


def test_a_skip_never_takes_gold_away(project: Project, call: Call, ada: User) -> None:
    ann, bo = call("Ann"), call("Bo", "reviewer")
    example = take(ann, project)["id"]
    base = say(ann, project, example, "positive").json()["base"]
    for caller in (ann, bo):
        for effect in ("stand", "replace"):
            refused = say(caller, project, example, None, base=base, effect=effect)
            assert refused.status_code == 409
            assert "nothing was set aside" in refused.json()["detail"]
        assert take(caller, project, after=example)["id"] != example
    item = look(ann, project, example)
    assert (item["status"], label_of(item["standing"])) == ("labelled", "positive")
    assert count(Annotation) == 1


def test_an_annotator_proposes_beside_imported_gold(
    site: Site, api: TestClient, project: Project, call: Call, ada: User
) -> None:
    fill(project, ada, labelled_rows([("It came with its label.", "positive")]))
    rows = api.get(f"/projects/{project.id}/examples?status=labelled").json()["items"]
    example, ann = rows[0]["id"], call("Ann")
    item = look(ann, project, example)
    assert (item["access"], item["standing"]["source"]) == ("propose", "import")
    assert item["access_reason"]
    assert say(ann, project, example, "negative", base=item["base"]).status_code == 409
    replacing = say(ann, project, example, "negative", base=item["base"], effect="replace")
    assert replacing.status_code == 409
    assert replacing.json()["current"]["access"] == "propose"
    assert say(ann, project, example, "negative", effect="propose").status_code == 201
    assert say(ann, project, example, None, effect="propose").status_code == 422
    item = look(ann, project, example)
    assert (label_of(item["standing"]), label_of(item["mine"])) == ("positive", "negative")
    assert not item["changed"]
    freeze(project, ada)
    export = api.get(f"/projects/{project.id}/versions/1/export?format=jsonl").text
    assert [json.loads(line)["annotation"] for line in export.splitlines()] == [
        {"labels": ["positive"]}
    ]

    shown = look(api, project, example)
    assert [label_of(other) for other in shown["others"]] == ["negative"]
    assert say(api, project, example, "negative", base=shown["base"], effect="replace").is_success
    assert progress(ann, project)["done"] == 1
    own = say(api, project, example, "neutral", effect="propose")
    assert own.status_code == 409, "what stands is one's own"


def test_a_client_key_is_one_save(project: Project, call: Call) -> None:
    ann, bo = call("Ann"), call("Bo")
    first = take(ann, project)["id"]
    saved = say(ann, project, first, "positive", key="k")
    second = take(ann, project)["id"]
    for example, label in ((second, "positive"), (first, "negative"), (first, None)):
        used = say(ann, project, example, label, base=saved.json()["base"], key="k")
        assert used.status_code == 409, (example, label)
        assert "client_key" in used.json()["detail"]
    words = {"payload": {"labels": ["positive"]}, "client_key": "k", "base": 0, "comment": "Sure?"}
    path = f"/projects/{project.id}/examples/{first}/annotations"
    assert ann.post(path, json=words).status_code == 409, "the comment would be lost"
    assert look(ann, project, second)["mine"] is None
    assert label_of(look(ann, project, first)["standing"]) == "positive"
    assert say(ann, project, first, "positive", key="k").json() == saved.json()
    assert say(bo, project, take(bo, project)["id"], "neutral", key="k").status_code == 201


def test_a_reservation_is_renewed_while_the_page_is_in_use(project: Project, call: Call) -> None:
    ann, bo = call("Ann"), call("Bo")
    item = take(ann, project)
    path = f"/projects/{project.id}/examples/{item['id']}/lease"
    with session_scope() as session:
        session.execute(update(Example).values(lease_until=now() + timedelta(seconds=60)))
    renewed = ann.post(path).json()["lease_until"]
    assert renewed > look(ann, project, item["id"])["lease_until"][:17]
    assert bo.post(path).status_code == 409
    end_leases()
    assert ann.post(path).status_code == 200, "nobody has taken it"
    end_leases()
    assert bo.post(path).status_code == 200, "it was free"
    lost = ann.post(path)
    assert (lost.status_code, lost.json()["current"]["access"]) == (409, "propose")
    say(bo, project, item["id"], "positive")
    lost = ann.post(path)
    assert (lost.status_code, label_of(lost.json()["current"]["standing"])) == (409, "positive")
    assert bo.post(path).json() == {"lease_until": None}, "Bo's own, and needs none"


def test_what_was_set_aside_comes_back(project: Project, call: Call, api: TestClient) -> None:
    ann, bo = call("Ann"), call("Bo")
    mine = [take(ann, project)["id"] for _ in range(1)]
    say(ann, project, mine[0], None)
    for _ in range(2):
        say(bo, project, take(bo, project)["id"], None)
    left = progress(ann, project)
    assert (left["open"], left["skipped"], left["skipped_mine"]) == (3, 3, 1)
    path = f"/projects/{project.id}/queue/restore"
    assert ann.post(path, json={"whose": "all"}).status_code == 403
    assert ann.post(path, json={"whose": "mine"}).json() == {"restored": 1}
    assert take(ann, project)["id"] == mine[0]
    left = progress(bo, project)
    assert (left["open"], left["held_by_others"], left["skipped"], left["skipped_mine"]) == (
        4,
        1,
        2,
        2,
    )
    assert api.post(path, json={"whose": "all"}).json() == {"restored": 2}
    assert api.post(path, json={"whose": "all"}).json() == {"restored": 0}
    assert (progress(bo, project)["skipped_mine"], progress(bo, project)["skipped"]) == (0, 0)


def test_a_skipped_example_may_still_be_labelled(project: Project, call: Call) -> None:
    ann, bo = call("Ann"), call("Bo")
    example = take(ann, project)["id"]
    base = say(ann, project, example, None).json()["base"]
    assert say(bo, project, example, "positive").status_code == 409, "Bo has not seen the skip"
    assert look(bo, project, example)["access"] == "write"
    assert say(bo, project, example, "positive", base=base).status_code == 201
    assert (progress(ann, project)["skipped"], progress(ann, project)["skipped_mine"]) == (0, 0)
    assert progress(ann, project)["changed"] == 0, "nothing that Ann said was replaced"


def test_moving_on_writes_nothing(project: Project, call: Call) -> None:
    ann = call("Ann")
    example = take(ann, project)["id"]
    for _ in range(8):
        example = take(ann, project, after=example)["id"]
    assert count(Annotation) == 0
    assert progress(ann, project) == {
        "open": 6,
        "held_by_others": 0,
        "done": 0,
        "total": 6,
        "mine": 0,
        "skipped": 0,
        "skipped_mine": 0,
        "changed": 0,
    }


def test_a_token_that_reads_is_told_so(
    site: Site, project: Project, ada: User, api: TestClient
) -> None:
    example = take(api, project)["id"]
    item = look(site.caller(ada, "read"), project, example)
    assert (item["access"], bool(item["access_reason"])) == ("read", True)


@pytest.mark.parametrize(
    ("task", "payload", "stored"),
    [
        (
            "ner",
            {"spans": [{"start": 0, "end": 4, "label": "PER"}]},
            {"spans": [{"start": 0, "end": 3, "label": "PER"}]},
        ),
        ("ner", {"spans": [{"start": 3, "end": 4, "label": "PER"}]}, None),
        ("ner", {"spans": [{"start": 0, "end": 40, "label": "PER"}]}, None),
        (
            "srl",
            {
                "predicates": [
                    {
                        "start": 3,
                        "end": 8,
                        "sense": None,
                        "arguments": [{"start": 0, "end": 4, "role": "ARG0"}],
                    }
                ]
            },
            {
                "predicates": [
                    {
                        "start": 4,
                        "end": 8,
                        "sense": None,
                        "arguments": [{"start": 0, "end": 3, "role": "ARG0"}],
                    }
                ]
            },
        ),
        (
            "srl",
            {
                "predicates": [
                    {"start": 4, "end": 8, "arguments": [{"start": 3, "end": 4, "role": "ARG0"}]}
                ]
            },
            None,
        ),
        ("srl", {"predicates": [{"start": 3, "end": 4, "arguments": []}]}, None),
    ],
)
def test_spans_are_trimmed_and_blank_ones_refused(
    api: TestClient, ada: User, task: str, payload: dict[str, Any], stored: dict[str, Any] | None
) -> None:
    project = make_project(ada, task=task)
    fill(project, ada, [{"text": "Ada gave\u3000Bo the map."}])
    example = take(api, project)["id"]
    words = {"payload": payload, "client_key": "k"}
    answer = api.post(f"/projects/{project.id}/examples/{example}/annotations", json=words)
    if stored is None:
        assert answer.status_code == 422
        assert answer.json()["problems"]
    else:
        assert (answer.status_code, answer.json()["payload"]) == (201, stored)
        again = api.post(f"/projects/{project.id}/examples/{example}/annotations", json=words)
        assert again.json() == answer.json()


def test_who_only_proposed_is_told_of_no_change(project: Project, call: Call) -> None:
    ann, bo, cy = call("Ann"), call("Bo"), call("Cy", "reviewer")
    example = take(ann, project)["id"]
    assert say(bo, project, example, "negative", effect="propose").status_code == 201
    base = look(ann, project, example)["base"]
    base = say(ann, project, example, "positive", base=base).json()["base"]
    item = look(bo, project, example)
    assert (item["changed"], item["mine"]["proposal"]) == (False, True)
    (said,) = bo.get(f"/projects/{project.id}/mine").json()["items"]
    assert (said["changed"], said["stands"]) == (None, False)
    # Whoever keeps theirs beside what has replaced it has seen that it was replaced.
    say(cy, project, example, "neutral", base=base, effect="replace")
    assert progress(ann, project)["changed"] == 1
    say(ann, project, example, "positive", effect="propose")
    assert progress(ann, project)["changed"] == 0
    assert not look(ann, project, example)["changed"]
