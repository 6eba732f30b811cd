"""Several people, one example: moving on never writes, a refusal never traps, and nobody is replaced unasked."""

import re
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Route, expect
from sqlalchemy import delete, select, update

from app.db import session_scope
from app.models import Annotation, Example, Project, User, now
from tests.conftest import wait_for
from tests.e2e.workplace import (
    Workbench,
    Workplace,
    application,
    example_of,
    gold_of,
    statuses,
    workplace,
)
from tests.factories import join, make_user

__all__ = ["application", "workplace"]
pytestmark = pytest.mark.e2e
POSITIVE, NEGATIVE = {"labels": ["positive"]}, {"labels": ["negative"]}


def lease_ends(project: Project) -> None:
    """Time passes: all reservations of a project have ended."""
    with session_scope() as session:
        session.execute(
            update(Example)
            .where(Example.project_id == project.id, Example.lease_until.is_not(None))
            .values(lease_until=now() - timedelta(seconds=1))
        )


def annotations(project: Project) -> list[tuple[str | None, Any]]:
    """Who said what, in the order it was stored."""
    with session_scope(read_only=True) as session:
        query = (
            select(User.name, Annotation.payload)
            .outerjoin(User, User.id == Annotation.user_id)
            .where(Annotation.project_id == project.id)
            .order_by(Annotation.id)
        )
        return [(name, payload) for name, payload in session.execute(query)]


def test_next_and_previous_write_nothing_and_keep_drafts(workplace: Workplace) -> None:
    project = workplace.project("ner", ["Ada left.", "Bo stayed.", "Cai slept."])
    bench = workplace.label(workplace.ada, project)
    bench.press("ArrowRight", "1", "Shift+F")
    expect(bench.text).to_have_text("Bo stayed.")
    bench.page.locator("[data-do=next]").click()
    expect(bench.text).to_have_text("Cai slept.")
    bench.press("Shift+B", "Shift+B")
    expect(bench.text).to_have_text("Ada left.")
    expect(bench.page.locator("#entities li")).to_have_count(1)
    assert annotations(project) == []
    # Where a label stands, Skip is moving on as well.
    bench.press("Enter", "Shift+B")
    expect(bench.text).to_have_text("Ada left.")
    expect(bench.page.locator("[data-do=skip]")).to_be_hidden()
    bench.press("Shift+S")
    assert statuses(project) == ["labelled", "open", "open"]
    assert bench.errors == []


def test_the_end_says_what_is_skipped_and_brings_it_back(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("sentiment", ["One.", "Two."])
    join(project, workplace.ada, annotator=bo)
    bench = workplace.label(bo, project)
    bench.press("Shift+S", "2")
    expect(bench.page.locator("#finished")).to_contain_text("Skipped: 1, of them by you: 1.")
    lead = workplace.label(workplace.ada, project)
    lead.page.get_by_role("button", name="Bring back everything").click()
    expect(lead.text).to_have_text("One.")
    expect(lead.page.get_by_role("button", name="Bring back what I")).to_be_hidden()
    assert statuses(project) == ["open", "labelled"]


def test_gold_of_an_import_is_not_an_annotators_to_replace(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "Open."])
    join(project, workplace.ada, annotator=bo)
    bench = workplace.label(bo, project, example_of(project, "Fine.").id)
    expect(bench.banner).to_be_visible()
    expect(bench.page.locator("[data-do=save]")).to_contain_text("Keep beside it")
    bench.press("3")
    expect(bench.text).to_have_text("Fine.")
    assert gold_of(project, "Fine.") == POSITIVE
    bench.page.locator("#comment-box summary").click()
    bench.page.locator("#comment").fill("Too cold for it.")
    bench.page.locator("[data-do=save]").click()
    expect(bench.text).to_have_text("Open.")
    expect(bench.said).to_have_text("Kept beside what stands.")
    assert gold_of(project, "Fine.") == POSITIVE
    assert annotations(project)[-1] == ("Bo", NEGATIVE)
    # The lead sees it beside what stands, and takes it with one key more.
    lead = workplace.label(workplace.ada, project, example_of(project, "Fine.").id)
    expect(lead.banner).to_contain_text("Beside it")
    assert lead.page.get_by_text("Too cold for it.").count() == 1
    lead.banner.get_by_role("button", name="Use this one").click()
    lead.press("Enter")
    assert gold_of(project, "Fine.") == NEGATIVE


@pytest.mark.parametrize("key", ["Enter", "Shift+S"])
def test_who_comes_back_late_sees_the_others_answer_and_goes_on(
    workplace: Workplace, key: str
) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("ner", ["Ada left.", "Next one.", "Last one."])
    join(project, workplace.ada, annotator=bo)
    join(project, workplace.ada, annotator=cai)
    late = workplace.label(cai, project)
    late.press("ArrowRight", "1")
    lease_ends(project)
    quick = workplace.label(bo, project)
    expect(quick.text).to_have_text("Ada left.")
    quick.press("ArrowRight", "3", "Enter")
    late.press(key) if key != "Enter" else late.page.keyboard.press(key)
    if key == "Enter":
        expect(late.conflict).to_contain_text("Bo")
        expect(late.conflict.locator(".comparison-own")).to_have_count(2)
        late.choose("3")
    late.settled()
    expect(late.text).to_have_text("Last one.")
    assert gold_of(project, "Ada left.") == {"spans": [{"start": 0, "end": 3, "label": "LOC"}]}
    assert len(annotations(project)) == (2 if key == "Enter" else 1)
    assert late.errors == []


@pytest.mark.parametrize(
    ("task", "keys", "title"),
    [
        ("sentiment", (["1"], ["3", "Enter"]), "Negative"),
        ("ner", (["ArrowRight", "1", "Enter"], ["ArrowRight", "2", "Enter"]), "Organisation"),
        (
            "srl",
            (["ArrowRight", "Shift+P", "Enter"], ["ArrowRight", "ArrowRight", "Shift+P", "Enter"]),
            "left",
        ),
    ],
)
def test_of_two_who_correct_one_example_the_second_chooses(
    workplace: Workplace, task: str, keys: tuple[list[str], list[str]], title: str
) -> None:
    bo = make_user("Bo")
    project = workplace.project(task, ["Ada left.", "Next one.", "Third."])
    join(project, workplace.ada, reviewer=bo)
    example = example_of(project, "Ada left.").id
    first = workplace.label(workplace.ada, project, example)
    second = workplace.label(bo, project, example)
    expect(second.text).to_contain_text("Ada left.")
    # Else it would hear of the other's label with the first key.
    second.page.route("**/lease", lambda route: route.abort())
    first.press(*keys[0])
    stands = gold_of(project, "Ada left.")
    for key in keys[1]:
        second.page.keyboard.press(key)
    expect(second.conflict).to_be_visible()
    # Keys that were meant for labels choose nothing.
    for key in ("2", "3", "1"):
        second.page.keyboard.press(key)
    expect(second.conflict).to_be_visible()
    # By now it is a replacement, for which this key alone is not enough: both are shown.
    expect(second.conflict.locator(".comparison-column").last).to_contain_text(title)
    assert gold_of(project, "Ada left.") == stands
    second.choose("2")
    second.settled()
    expect(second.conflict).to_be_hidden()
    assert gold_of(project, "Ada left.") != stands
    # Ada is told: how many, which, and what.
    first.page.goto(workplace.address(project))
    first.page.locator("#changed").click()
    first.page.locator("#history").get_by_role("button", name="Ada left.").click()
    expect(first.banner).to_contain_text("Changed by Bo.")
    expect(first.banner).to_contain_text("You said")
    expect(first.page.locator("#changed")).to_be_hidden()
    assert first.errors == second.errors == []


def test_a_lease_that_is_lost_is_told_before_the_save(
    workplace: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("sentiment", ["Fine.", "Next one.", "Last one."])
    join(project, workplace.ada, annotator=bo)
    join(project, workplace.ada, annotator=cai)
    context = workplace.context(cai)
    context.clock.install()
    page = context.new_page()
    late = Workbench(page, workplace.address(project))
    expect(late.text).to_have_text("Fine.")
    renewals: list[str] = []
    page.on(
        "request",
        lambda request: renewals.append(request.url) if request.url.endswith("/lease") else None,
    )
    # Nobody is there: nothing is renewed.
    context.clock.fast_forward("30:00")
    assert renewals == []
    lease_ends(project)
    quick = workplace.label(bo, project)
    quick.press("1")
    page.mouse.move(200, 200)
    expect(late.banner).to_contain_text("Bo")
    expect(page.locator("[data-do=save]")).to_contain_text("Keep beside it")
    late.press("Shift+F")
    expect(late.text).to_have_text("Last one.")
    # Somebody is there: it is renewed.
    renewals.clear()
    context.clock.fast_forward("25:00")
    page.mouse.move(220, 220)
    context.clock.fast_forward("02:00")
    page.wait_for_timeout(300)
    assert renewals


def test_unsent_saves_and_drafts_are_one_persons(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("ner", ["Ada left.", "Bo stayed."])
    join(project, workplace.ada, annotator=bo)
    context = workplace.context(workplace.ada)
    page = context.new_page()
    bench = Workbench(page, workplace.address(project))
    bench.press("ArrowRight", "1")
    page.route("**/annotations", lambda route: route.fulfill(status=401, json={"detail": "out"}))
    bench.press("Enter")
    expect(page.locator("#problem")).to_contain_text("Log in again")
    page.unroute("**/annotations")
    context.clear_cookies()
    workplace.log_in(context, bo)
    page.goto(bench.address)
    expect(page.locator("#problem")).to_contain_text("Somebody else has unsent work")
    expect(page.locator("#entities li")).to_have_count(0)
    assert annotations(project) == []
    workplace.log_in(context, workplace.ada)
    page.goto(bench.address)
    expect(bench.said).to_contain_text("is saved now (1)")
    assert [name for name, _ in annotations(project)] == ["Ada"]


def test_what_is_saved_is_not_sent_again_when_the_next_cannot_be_fetched(
    workplace: Workplace,
) -> None:
    project = workplace.project("ner", ["Ada left.", "Bo stayed."])
    bench = workplace.label(workplace.ada, project)
    expect(bench.text).to_have_text("Ada left.")
    answers = iter([500, 403])
    sent: list[str] = []

    def broken(route: Route) -> None:
        status = next(answers, None)
        if status is None:
            route.fallback()
        else:
            route.fulfill(status=status, json={"detail": "no"})

    bench.page.route("**/queue/next", broken)
    bench.page.on(
        "request",
        lambda request: sent.append(request.url) if request.url.endswith("/annotations") else None,
    )
    bench.press("ArrowRight", "1", "Enter")
    expect(bench.page.locator("#problem")).to_be_visible()
    bench.press("Enter")
    expect(bench.text).to_have_text("Bo stayed.")
    assert len(sent) == len(annotations(project)) == 1


def test_a_full_server_is_waited_for_as_long_as_it_says(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["Good.", "Bad."])
    context = workplace.context(workplace.ada)
    context.clock.install()
    page = context.new_page()
    bench = Workbench(page, workplace.address(project))
    expect(bench.text).to_have_text("Good.")
    tries: list[int] = []

    def full(route: Route) -> None:
        tries.append(1)
        if len(tries) == 1:
            route.fulfill(status=503, headers={"Retry-After": "20"}, json={"detail": "full"})
        else:
            route.fallback()

    page.route("**/annotations", full)
    page.keyboard.press("1")
    expect(page.locator("#offline")).to_be_visible()
    context.clock.run_for(18_000)
    assert len(tries) == 1
    context.clock.run_for(4_000)
    expect(bench.text).to_have_text("Bad.")
    assert (len(tries), gold_of(project, "Good.")) == (2, POSITIVE)


@pytest.mark.parametrize("key", ["1", "Enter"])
def test_ones_own_label_confirmed_after_somebody_replaced_it_is_settled(
    workplace: Workplace, key: str
) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("sentiment", ["Fine.", "Next one.", "Last one."])
    join(project, workplace.ada, reviewer=bo)
    join(project, workplace.ada, annotator=cai)
    bench = workplace.label(cai, project)
    expect(bench.text).to_have_text("Fine.")
    bench.press("1", "Shift+B")
    expect(bench.text).to_have_text("Fine.")
    reviewer = workplace.label(bo, project, example_of(project, "Fine.").id)
    reviewer.press("3", "Enter")
    expect(reviewer.text).not_to_have_text("Fine.")
    bench.page.keyboard.press(key)
    expect(bench.conflict).to_contain_text("Bo")
    bench.choose("3")
    bench.settled()
    expect(bench.text).not_to_have_text("Fine.")
    assert gold_of(project, "Fine.") == NEGATIVE
    assert annotations(project)[-1] == ("Cai", POSITIVE)


def test_a_replacement_confirmed_after_what_stood_was_replaced_is_settled(
    workplace: Workplace,
) -> None:
    bo = make_user("Bo")
    project = workplace.project(
        "sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "A.", "B."]
    )
    join(project, workplace.ada, reviewer=bo)
    example = example_of(project, "Fine.").id
    bench = workplace.label(workplace.ada, project, example)
    expect(bench.text).to_have_text("Fine.")
    other = workplace.label(bo, project, example)
    other.press("3", "Enter")
    expect(other.text).to_have_text("A.")
    bench.page.keyboard.press("Enter")
    expect(bench.conflict).to_contain_text("Bo")
    bench.choose("2")
    bench.settled()
    expect(bench.conflict).to_be_hidden()
    assert gold_of(project, "Fine.") == POSITIVE
    # Nothing happened meanwhile: nothing is asked, nothing is written.
    bench.page.goto(workplace.address(project, example))
    said = len(annotations(project))
    bench.press("Enter")
    expect(bench.text).to_have_text("B.")
    assert len(annotations(project)) == said


def test_an_unsent_save_that_no_longer_fits_is_listed_until_it_is_settled(
    workplace: Workplace,
) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("sentiment", ["Fine.", "Good.", "Next one.", "Last one."])
    join(project, workplace.ada, annotator=bo)
    join(project, workplace.ada, annotator=cai)
    ids = [example_of(project, text).id for text in ("Fine.", "Good.")]
    bench = workplace.label(cai, project, ids[0])
    page = bench.page
    expect(bench.text).to_have_text("Fine.")
    prefix = f"annotune.outbox.{cai.id}.{project.id}."
    for example in ids:
        saving = {"payload": POSITIVE, "skipped": False, "comment": "", "base": 0, "seconds": 1}
        pending = {"example": example, "saving": {**saving, "effect": "stand"}}
        pending["saving"]["client_key"] = f"key-{example}"
        page.evaluate(
            "([key, value]) => localStorage.setItem(key, JSON.stringify(value))",
            [f"{prefix}key-{example}", pending],
        )
    lease_ends(project)
    workplace.label(bo, project, ids[0]).press("3")
    workplace.label(bo, project, ids[1]).press("3")
    page.goto(workplace.address(project))
    expect(page.locator("#problem")).to_contain_text("does not fit any more (2)")
    page.reload()
    drafts = page.locator("#drafts")
    expect(drafts).to_contain_text("Drafts not saved (2)")
    drafts.locator("summary").click()
    # What is done to the example meanwhile takes nothing away.
    page.get_by_role("button", name=f"Open the draft of #{ids[0]}").click()
    expect(bench.text).to_have_text("Fine.")
    bench.press("2", "Control+z")
    page.reload()
    expect(drafts).to_contain_text("Drafts not saved (2)")
    page.goto(workplace.address(project, ids[0]))
    bench.banner.get_by_role("button", name="Use this one").click()
    bench.press("Enter")
    expect(drafts).to_contain_text("Drafts not saved (1)")
    assert annotations(project)[-1] == ("Cai", POSITIVE)
    drafts.locator("summary").click()
    page.get_by_role("button", name=f"Discard the draft of #{ids[1]}").click()
    expect(drafts).to_be_hidden()
    assert bench.errors == []


def test_what_stands_is_shown_beside_a_draft_that_differs(workplace: Workplace) -> None:
    project = workplace.project("sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "Open."])
    bench = workplace.label(workplace.ada, project, example_of(project, "Fine.").id)
    expect(bench.banner).to_contain_text("came with the import")
    expect(bench.banner.locator(".comparison")).to_have_count(0)
    bench.press("3")
    expect(bench.banner).to_contain_text("What stands")
    bench.page.reload()
    expect(bench.banner.locator(".comparison")).to_contain_text("Positive")
    expect(bench.said).to_have_text("Your unsaved changes are back.")
    bench.press("1")
    expect(bench.banner.locator(".comparison")).to_have_count(0)


def test_confirming_what_stands_says_that_nothing_was_changed(workplace: Workplace) -> None:
    project = workplace.project("sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "Open."])
    bench = workplace.label(workplace.ada, project, example_of(project, "Fine.").id)
    bench.press("Enter")
    expect(bench.text).to_have_text("Open.")
    expect(bench.said).to_have_text("Nothing was changed.")
    # At the end, undo goes back to what was labelled last, over a reload as well.
    bench.press("1")
    expect(bench.page.locator("#finished")).to_be_visible()
    bench.press("Control+z")
    expect(bench.text).to_have_text("Open.")
    bench.page.goto(workplace.address(project))
    expect(bench.page.locator("#finished")).to_be_visible()
    bench.press("Control+z")
    expect(bench.page.locator("#desk")).to_be_visible()
    expect(bench.text).to_have_text("Open.")


def logged_out(route: Route) -> None:
    """What the server says to somebody whose log-in has run out."""
    route.fulfill(status=401, json={"detail": "out"})


@pytest.mark.parametrize("last", ["3", "Shift+S"])
def test_the_last_thing_that_was_said_is_what_is_sent_late(workplace: Workplace, last: str) -> None:
    project = workplace.project("sentiment", ["Fine.", "Next one."])
    bench = workplace.label(workplace.ada, project)
    for _again in range(5):  # by keys that have no order
        bench.page.route("**/annotations", logged_out)
        bench.press("1", last)
        expect(bench.page.locator("#problem")).to_contain_text("Log in again")
        bench.page.unroute("**/annotations")
        bench.page.goto(workplace.address(project))
        expect(bench.said).to_contain_text("is saved now (1)")
        expect(bench.page.locator("#drafts")).to_be_hidden()
        said = annotations(project)[-1]
        assert said == ("Ada", NEGATIVE if last == "3" else None)
        with session_scope() as session:
            session.execute(delete(Annotation).where(Annotation.project_id == project.id))
            session.execute(
                update(Example)
                .where(Example.project_id == project.id)
                .values(status="open", gold_id=None, skipped_by=None, lease_user_id=None)
            )
        bench.page.goto(workplace.address(project, example_of(project, "Fine.").id))
        bench.settled()
    assert bench.errors == []


def test_a_comment_is_kept_where_somebody_said_the_same(workplace: Workplace) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("sentiment", ["Fine.", "Next one.", "Last one."])
    join(project, workplace.ada, annotator=bo)
    join(project, workplace.ada, annotator=cai)
    late = workplace.label(cai, project)
    expect(late.text).to_have_text("Fine.")
    late.page.locator("#comment-box summary").click()
    late.page.locator("#comment").fill("Is it irony?")
    lease_ends(project)
    quick = workplace.label(bo, project)
    expect(quick.text).to_have_text("Fine.")
    quick.press("1")
    late.page.locator("[data-label]").first.click()
    expect(late.text).to_have_text("Last one.")
    with session_scope(read_only=True) as session:
        said = session.execute(
            select(Annotation.comment, Annotation.is_proposal).where(Annotation.user_id == cai.id)
        ).all()
    assert [tuple(row) for row in said] == [("Is it irony?", True)]


def test_the_way_goes_round_examples_that_are_gone(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["One.", "Two.", "Three.", "Four."])
    bench = workplace.label(workplace.ada, project)
    bench.press("Shift+F", "Shift+F", "Shift+F", "Shift+B", "Shift+B", "Shift+B")
    expect(bench.text).to_have_text("One.")
    with session_scope() as session:
        session.execute(
            delete(Example).where(
                Example.project_id == project.id, Example.id == example_of(project, "Two.").id
            )
        )
    bench.press("Shift+F")
    expect(bench.text).to_have_text("Three.")
    bench.press("Shift+B")
    expect(bench.text).to_have_text("One.")
    assert bench.errors == []


def test_a_label_that_was_removed_can_be_taken_out_of_a_draft(workplace: Workplace) -> None:
    schema = {"mode": "multi", "labels": [{"name": name} for name in ("good", "mixed")]}
    project = workplace.project("sentiment", ["Fine.", "Next."], label_schema=schema)
    bench = workplace.label(workplace.ada, project)
    for label in ("good", "mixed"):
        bench.page.locator(f"[data-label={label}]").click()
    with session_scope() as session:
        row = session.get_one(Project, project.id)
        row.label_schema = {"mode": "multi", "labels": [{"name": "good"}]}
    bench.press("Enter")
    expect(bench.page.locator("#problem")).to_contain_text("mixed")
    expect(bench.page.locator("#outdated")).to_be_visible()
    bench.page.locator("#outdated a").click()
    bench.page.get_by_role("button", name="mixed").click()
    bench.press("Enter")
    expect(bench.text).to_have_text("Next.")
    assert gold_of(project, "Fine.") == {"labels": ["good"]}
    assert bench.errors == []


def test_what_two_of_three_said_is_not_marked_as_one_persons(workplace: Workplace) -> None:
    bo, cai = make_user("Bo"), make_user("Cai")
    project = workplace.project("sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "Open."])
    join(project, workplace.ada, annotator=bo)
    join(project, workplace.ada, annotator=cai)
    example = example_of(project, "Fine.").id
    for person, key in ((bo, "3"), (cai, "1")):
        bench = workplace.label(person, project, example)
        bench.press(key)
        if key == "1":
            bench.page.locator("#comment-box summary").click()
            bench.page.locator("#comment").fill("Sure.")
        bench.page.locator("[data-do=save]").click()
    lead = workplace.label(workplace.ada, project, example)
    expect(lead.banner.locator(".comparison-column")).to_have_count(3)
    expect(lead.banner.locator(".comparison-own")).to_have_text(re.compile("Negative"))


def test_what_was_marked_before_a_skip_is_kept(workplace: Workplace) -> None:
    project = workplace.project("ner", ["Ada left.", "Bo stayed."])
    bench = workplace.label(workplace.ada, project)
    bench.press("ArrowRight", "1", "Shift+S")
    expect(bench.text).to_have_text("Bo stayed.")
    assert statuses(project) == ["skipped", "open"]
    bench.press("Shift+B")
    expect(bench.text).to_have_text("Ada left.")
    bench.banner.get_by_role("button", name="Use this one").click()
    bench.press("Enter")
    assert gold_of(project, "Ada left.") == {"spans": [{"start": 0, "end": 3, "label": "PER"}]}
    expect(bench.page.locator("#drafts")).to_be_hidden()


def test_an_open_example_that_is_worked_on_is_nobody_elses(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("ner", ["Ada left.", "Bo stayed."])
    join(project, workplace.ada, annotator=bo)
    example = example_of(project, "Ada left.")
    bench = workplace.label(workplace.ada, project, example.id)
    with bench.page.expect_response("**/lease"):
        bench.press("ArrowRight", "1")
    expect(workplace.label(bo, project).text).to_have_text("Bo stayed.")


def test_newer_work_outlives_an_older_save_that_is_refused(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("ner", ["Ada left.", "Bo stayed."])
    join(project, workplace.ada, reviewer=bo)
    bench = workplace.label(workplace.ada, project)
    bench.page.route("**/annotations", logged_out)
    bench.press("ArrowRight", "1", "Enter")
    expect(bench.page.locator("#problem")).to_contain_text("Log in again")
    bench.press("ArrowRight", "2")  # more of the same example, not saved yet
    expect(bench.page.locator("#entities li")).to_have_count(2)
    bench.page.unroute("**/annotations")
    lease_ends(project)
    workplace.label(bo, project, example_of(project, "Ada left.").id).press(
        "ArrowRight", "3", "Enter"
    )
    bench.page.goto(workplace.address(project, example_of(project, "Ada left.").id))
    expect(bench.page.locator("#problem")).to_contain_text("does not fit any more (1)")
    bench.banner.get_by_role("button", name="Use this one").click()
    expect(bench.page.locator("#entities li")).to_have_count(2)


def test_using_an_earlier_answer_keeps_the_comment_that_was_typed(workplace: Workplace) -> None:
    bo = make_user("Bo")
    project = workplace.project("sentiment", [{"text": "Fine.", "annotation": POSITIVE}, "Open."])
    join(project, workplace.ada, annotator=bo)
    example = example_of(project, "Fine.").id
    bench = workplace.label(bo, project, example)
    bench.press("3")
    bench.page.locator("#comment-box summary").click()
    comment = bench.page.locator("#comment")
    comment.fill("An old one.")
    bench.page.locator("[data-do=save]").click()
    expect(bench.text).to_have_text("Open.")
    bench.page.goto(workplace.address(project, example))
    expect(comment).to_have_value("An old one.")
    comment.fill("A new one.")
    bench.banner.get_by_role("button", name="Use this one").click()
    expect(comment).to_have_value("A new one.")


def test_a_comment_that_is_being_typed_stays_when_somebody_else_takes_the_example(
    workplace: Workplace,
) -> None:
    bo = make_user("Bo")
    project = workplace.project("sentiment", ["Fine.", "Next one."])
    join(project, workplace.ada, annotator=bo)
    example = example_of(project, "Fine.").id
    bench = workplace.label(bo, project, example)
    bench.settled()
    workplace.label(workplace.ada, project, example).press("1")
    wait_for(lambda: bool(gold_of(project, "Fine.")), message="Ada's label was not saved")
    with bench.page.expect_response("**/lease"):
        bench.page.keyboard.press("Shift+N")
    expect(bench.banner).to_contain_text("Ada")
    bench.page.keyboard.type("As rule 2 says, this is meant well.")
    expect(bench.page.locator("#comment")).to_have_value("As rule 2 says, this is meant well.")
    expect(bench.page.locator("#comment")).to_be_focused()
    bench.page.reload()
    expect(bench.page.locator("#comment")).to_have_value("As rule 2 says, this is meant well.")


def test_a_server_that_cannot_save_says_why(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["Good.", "Bad."])
    bench = workplace.label(workplace.ada, project)
    problem = {"detail": "The disk is full."}
    bench.page.route("**/annotations", lambda route: route.fulfill(status=507, json=problem))
    expect(bench.text).to_have_text("Good.")
    bench.settled()
    bench.page.keyboard.press("1")
    expect(bench.page.locator("#offline")).to_contain_text(
        "The disk is full. What you said is kept"
    )
    bench.page.unroute("**/annotations")
    expect(bench.text).to_have_text("Bad.", timeout=20_000)
