"""Proposals and comments are found by whom they are for, and by nobody else."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, insert, literal, select, text, update

from app.db import get_engine, session_scope
from app.models import Annotation, Contribution, Example, Project, Remark, User, now
from app.models.base import JsonType
from tests.api.conftest import Site
from tests.api.people import Call, call, look, project, say
from tests.api.test_queue_plans import MAX_ROWS, MAX_STEPS, costs
from tests.factories import join, make_project, make_user

__all__ = ["call", "project"]


def rows(api: TestClient, project: Project, **query: Any) -> list[dict[str, Any]]:
    answer = api.get(f"/projects/{project.id}/examples", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def ids(api: TestClient, project: Project, having: str, **query: Any) -> list[int]:
    return [row["id"] for row in rows(api, project, having=having, **query)]


def save(api: TestClient, project: Project, example: int, label: str | None, **more: Any) -> None:
    answer = say(api, project, example, label, base=look(api, project, example)["base"], **more)
    assert answer.is_success, answer.text


def check_counters(project: Project) -> None:
    """What the counters say is what the rows are, and the rows are what people said."""
    with session_scope() as session:
        remarks = list(session.scalars(select(Remark).filter_by(project_id=project.id)))
        kept = session.get_one(Project, project.id)
        assert kept.proposal_count == len({r.example_id for r in remarks if r.has_proposal})
        assert kept.comment_count == len({r.example_id for r in remarks if r.has_comment})
        for own in session.scalars(select(Contribution).filter_by(project_id=project.id)):
            mine = [r for r in remarks if r.user_id == own.user_id]
            assert own.proposals == sum(r.has_proposal for r in mine)
            assert own.comments == sum(r.has_comment for r in mine)


def test_a_reviewer_finds_what_waits_and_an_annotator_only_their_own(
    project: Project, call: Call
) -> None:
    kim, lee, bo = call("Kim"), call("Lee"), call("Bo", "reviewer")
    first, second, *_ = (row["id"] for row in rows(bo, project))
    for example in (first, second):
        save(kim, project, example, "positive")
    save(lee, project, first, "negative", effect="propose", comment="Is it not ironic?")
    assert ids(bo, project, "proposals") == [first]
    assert ids(lee, project, "proposals") == [first]
    assert ids(kim, project, "proposals") == []
    (row,) = rows(bo, project, having="proposals")
    assert [(p["by"]["name"], p["summary"]) for p in row["proposals"]] == [("Lee", "negative")]
    assert (row["comment"]["text"], row["comment"]["by"]["name"]) == ("Is it not ironic?", "Lee")
    (unseen,) = [r for r in rows(kim, project) if r["id"] == first]
    assert (unseen["proposals"], unseen["comment"]) == ([], None)
    assert look(kim, project, first)["comments"] == []
    check_counters(project)


@pytest.mark.parametrize(
    ("who", "label", "waits"),
    [
        ("reviewer", "negative", False),
        ("reviewer", "neutral", False),
        ("reviewer", "positive", False),
        ("labeller", "neutral", True),
        ("labeller", "negative", False),
    ],
)
def test_a_proposal_waits_until_it_is_settled(
    project: Project, call: Call, who: str, label: str, waits: bool
) -> None:
    kim, lee, bo = call("Kim"), call("Lee"), call("Bo", "reviewer")
    example = rows(bo, project)[0]["id"]
    save(kim, project, example, "positive")
    save(lee, project, example, "positive", effect="propose")
    assert ids(bo, project, "proposals") == [], "it says what stands"
    save(lee, project, example, "negative", effect="propose")
    assert ids(bo, project, "proposals") == [example]
    if who == "reviewer":
        save(bo, project, example, label, effect="replace")
    else:
        save(kim, project, example, label)
    assert ids(bo, project, "proposals") == ([example] if waits else [])
    check_counters(project)
    save(lee, project, example, "neutral" if label != "neutral" else "positive", effect="propose")
    assert ids(bo, project, "proposals") == [example], "a new one waits anew"
    check_counters(project)


def test_a_lead_answers_a_comment_on_a_skipped_example(project: Project, call: Call) -> None:
    kim, lee, bo = call("Kim"), call("Lee"), call("Bo", "reviewer")
    example = rows(bo, project)[2]["id"]
    save(kim, project, example, None, comment="  Which sense of “cold”?  ")
    (row,) = rows(bo, project, having="comments")
    assert (row["id"], row["status"], row["skipped_by"]["name"]) == (example, "skipped", "Kim")
    assert row["comment"]["text"] == "Which sense of “cold”?"
    (shown,) = look(bo, project, example)["comments"]
    assert (shown["by"]["name"], shown["text"]) == ("Kim", "Which sense of “cold”?")
    save(bo, project, example, "negative", comment="The unfriendly one.")
    (answer,) = look(kim, project, example)["comments"]
    assert (answer["by"]["name"], answer["text"]) == ("Bo", "The unfriendly one.")
    (own,) = rows(kim, project, having="comments")
    assert own["comment"]["text"] == "The unfriendly one.", "the answer is the newest"
    assert look(lee, project, example)["comments"] == [], "it is not Lee's example"
    assert ids(lee, project, "comments") == []
    check_counters(project)
    save(bo, project, example, "negative")
    save(kim, project, example, "negative", effect="propose")
    assert ids(bo, project, "comments") == [], "both took theirs back"
    check_counters(project)


def test_filters_combine_and_page_and_unknown_ones_are_refused(
    project: Project, call: Call
) -> None:
    kim, lee, bo = call("Kim"), call("Lee"), call("Bo", "reviewer")
    examples = [row["id"] for row in rows(bo, project)]
    for example in examples[:3]:
        save(kim, project, example, "positive", comment="Hm.")
        save(lee, project, example, "negative", effect="propose", comment="No.")
    save(kim, project, examples[3], None, comment="What is it?")
    assert ids(bo, project, "comments", status="skipped") == [examples[3]]
    assert ids(bo, project, "comments", q="no text has this") == []
    assert ids(bo, project, "proposals", limit=2) == examples[:2]
    assert ids(bo, project, "proposals", limit=2, after=examples[1]) == examples[2:3]
    path = f"/projects/{project.id}/examples"
    assert bo.get(path, params={"having": "doubts"}).status_code == 422
    assert bo.get(path, params={"has": "comments"}).status_code == 422
    check_counters(project)


def test_the_page_lists_them_with_counts(
    site: Site, ada: User, project: Project, call: Call
) -> None:
    kim = call("Kim")
    example = rows(kim, project)[0]["id"]
    save(kim, project, example, None, comment="Sarcasm or not?")
    page = (
        site.browser(ada)
        .get(f"/projects/{project.id}/examples", params={"status": "comments"})
        .text
    )
    assert "With comments (1)" in page
    assert "With proposals (0)" in page
    assert "Kim wrote: Sarcasm or not?" in page
    assert f"/projects/{project.id}/label?example={example}" in page
    assert page.count("/label?example=") == 1


MANY = 20_000


@pytest.mark.parametrize("having", ["proposals", "comments"])
def test_no_filter_scans(site: Site, api: TestClient, ada: User, having: str) -> None:
    """Half of many examples have such: a page of them costs a page, and a person's only one costs one."""
    project = make_project(ada)
    bo = make_user("Bo")
    join(project, ada, annotator=bo)
    n = select(literal(1).label("i")).cte("n", recursive=True)
    n = n.union_all(select(n.c.i + 1).where(n.c.i < MANY))
    kim = make_user("Kim")
    said = [
        "id",
        "project_id",
        "example_id",
        "user_id",
        "source",
        "revision",
        "payload",
        "comment",
        "created_at",
    ]
    with session_scope() as session:
        session.execute(
            insert(Example).from_select(
                ["id", "project_id", "inputs", "meta", "content_hash", "created_at", "status"],
                select(
                    n.c.i,
                    literal(project.id),
                    literal({"text": "A text."}, JsonType),
                    literal({}, JsonType),
                    literal("x"),
                    literal(now()),
                    literal("open"),
                ),
            )
        )
        is_late = Example.id > MANY // 2
        session.execute(
            insert(Annotation).from_select(
                said,
                select(
                    Example.id,
                    Example.project_id,
                    Example.id,
                    literal(kim.id),
                    literal("person"),
                    literal(1),
                    literal({"labels": ["neutral"]}, JsonType),
                    literal("Hm."),
                    literal(now()),
                ).where(is_late),
            )
        )
        session.execute(
            insert(Remark).from_select(
                [
                    "example_id",
                    "user_id",
                    "project_id",
                    "annotation_id",
                    "has_proposal",
                    "has_comment",
                ],
                select(
                    Example.id,
                    literal(kim.id),
                    Example.project_id,
                    Example.id,
                    literal(True),
                    literal(True),
                ).where(is_late),
            )
        )
        session.execute(update(Remark).where(Remark.example_id == MANY).values(user_id=bo.id))
        session.execute(update(Annotation).where(Annotation.id == MANY).values(user_id=bo.id))
        assert session.scalar(select(func.count()).select_from(Remark)) == MANY // 2
    with get_engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    bo_calls = site.caller(bo)
    is_sqlite = get_engine().dialect.name == "sqlite"
    with costs() as found:
        assert ids(api, project, having, limit=20) == list(range(MANY // 2 + 1, MANY // 2 + 21))
        assert ids(api, project, having, after=MANY - 3) == [MANY - 2, MANY - 1, MANY]
        assert ids(bo_calls, project, having) == [MANY]
        assert [c["by"]["name"] for c in look(api, project, MANY)["comments"]] == ["Bo"]
    found.check(MAX_STEPS if is_sqlite else MAX_ROWS)
