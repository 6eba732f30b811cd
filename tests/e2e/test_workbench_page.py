"""The page itself: one release at a time, a list that is worked off, keys of old."""

from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Route, expect

from app.http.statics import statics
from app.services import projects
from app.services.access import Actor
from app.services.projects import ProjectFields
from app.services.versions import SplitPercent
from tests.api.conftest import Site
from tests.api.test_label_issues import finished
from tests.e2e.workplace import Workbench, Workplace, application, example_of, workplace
from tests.factories import freeze

__all__ = ["application", "workplace"]
pytestmark = pytest.mark.e2e


def test_a_page_of_the_release_before_says_reload(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["One."])
    page = workplace.context(workplace.ada).new_page()
    old = "0123456789abcdef"

    def before(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=answer.text().replace(statics().release, old))

    page.route("**/label", before)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    bench = Workbench(page, workplace.address(project))
    expect(page.locator("#starting")).to_be_visible()
    expect(page.locator("#desk")).to_be_hidden()
    assert not [url for url in asked if "/static/" in url and old not in url]
    page.unroute("**/label")
    page.get_by_role("link", name="Reload the page").click()
    expect(bench.text).to_have_text("One.")
    expect(page.locator("#starting")).to_have_count(0)
    # Every module that runs is of one release, and nothing else was asked for.
    releases = {url.split("/")[4] for url in asked if "/static/" in url and old not in url}
    assert releases == {statics().release}


def test_a_page_whose_labels_have_changed_says_so(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["One.", "Two.", "Three."])
    bench = workplace.label(workplace.ada, project)
    bench.press("1")
    expect(bench.text).to_have_text("Two.")
    outdated = bench.page.locator("#outdated")
    expect(outdated).to_be_hidden()
    labels = [*project.label_schema["labels"], {"name": "mixed", "title": "Mixed feelings"}]
    fields = ProjectFields(label_schema=project.label_schema | {"labels": labels})
    projects.update(Actor(workplace.ada.id, is_admin=True), project.id, fields)
    bench.press("1")
    expect(bench.text).to_have_text("Three.")
    expect(outdated).to_be_visible()
    outdated.get_by_role("link").click()
    expect(bench.text).to_have_text("Three.")
    expect(bench.page.get_by_role("button", name="Mixed feelings")).to_be_visible()
    expect(outdated).to_be_hidden()
    assert bench.errors == []


def test_a_module_that_is_missing_says_reload(workplace: Workplace) -> None:
    project = workplace.project("sentiment", ["One."])
    page = workplace.context(workplace.ada).new_page()
    page.route("**/workbench/banner.js", lambda route: route.fulfill(status=404, body="gone"))
    Workbench(page, workplace.address(project))
    expect(page.locator("#starting")).to_be_visible(timeout=8000)
    expect(page.get_by_role("link", name="Reload the page")).to_be_visible()


def test_after_a_likely_label_error_comes_the_next_of_the_list(
    workplace: Workplace, application: FastAPI, tmp_path: Path
) -> None:
    names = ("positive", "negative")
    rows = [{"text": f"Text {n}.", "annotation": {"labels": [names[n % 2]]}} for n in range(20)]
    project = workplace.project("sentiment", [*rows, "Open."])
    freeze(project, workplace.ada, split=SplitPercent(train=100, validation=0, test=0))
    api = Site(application).caller(workplace.ada)
    finished(api, project, tmp_path / "run", (3, 7, 5))
    bench = workplace.label(workplace.ada, project)
    page = bench.page
    page.goto(f"{workplace.url}/projects/{project.id}/label-issues")
    listed = page.locator("tbody td:first-child a").all_inner_texts()
    page.locator("tbody td:first-child a").first.click()
    opened = [page.url]
    bench.press("3", "Enter")
    opened.append(page.url)
    bench.press("Shift+F")
    opened.append(page.url)
    assert [url.split("example=")[1].split("&")[0] for url in opened] == listed
    bench.press("Shift+F")
    expect(page.get_by_text("That was the end of the list")).to_be_visible()
    page.get_by_role("link", name="Label the next open example").click()
    expect(bench.text).to_have_text("Open.")
    assert example_of(project, "Open.").status == "open"
    assert bench.errors == []


def test_a_change_in_a_long_text_draws_only_what_changes(workplace: Workplace) -> None:
    text = "".join("中文标注的文字很长需要快"[i % 12] for i in range(10_000))
    spans = [
        {"start": at, "end": at + 1, "label": ("PER", "ORG", "LOC")[at % 3]}
        for at in range(0, 9_990, 10)
    ]
    row = {"text": text, "annotation": {"spans": spans}}
    project = workplace.project("ner", [row], language="zh")
    bench = workplace.label(workplace.ada, project, example_of(project, text).id)
    expect(bench.page.locator("#entities li")).to_have_count(len(spans))
    bench.page.evaluate(
        """() => {
          window.drawn = 0;
          new MutationObserver((records) => {
            for (const { addedNodes, removedNodes } of records) drawn += addedNodes.length + removedNodes.length;
          }).observe(document.querySelector("#desk"), { childList: true, subtree: true });
        }"""
    )
    for keys in (["ArrowRight"] * 2 + ["2"], ["]"], ["]"], ["Delete"], ["Control+z"]):
        bench.page.evaluate("drawn = 0")
        bench.press(*keys)
        assert 0 < bench.page.evaluate("drawn") < 30, f"{keys[-1]} draws too much anew"
    expect(bench.page.locator("#entities li")).to_have_count(len(spans) + 1)
    shown = bench.text.evaluate("text => text.textContent")
    assert shown == text


def test_on_a_phone_nothing_is_squeezed(workplace: Workplace) -> None:
    row = {"text": "Fine.", "annotation": {"labels": ["positive"]}}
    project = workplace.project("sentiment", ["Open.", row])
    phone = {"viewport": {"width": 390, "height": 700}}
    bench = workplace.label(workplace.ada, project, **phone)
    bench.press("Enter")
    expect(bench.said).to_contain_text("Choose a label first")
    height = "said => said.getBoundingClientRect().height / parseFloat(getComputedStyle(said).lineHeight)"
    assert bench.said.evaluate(height) < 2.5
    bench.press("?")
    help_ = bench.page.locator("#help")
    expect(help_).to_be_visible()
    assert help_.evaluate("dialog => dialog.scrollTop") == 0
    bench.page.keyboard.press("Escape")
    bench.page.goto(workplace.address(project, example_of(project, "Fine.").id))
    expect(bench.banner).to_be_visible()
    bench.press("3")
    tops = bench.page.evaluate(
        """() => [document.querySelector("#banner"), document.querySelector("#text")].flatMap(
          (one) => [one.getBoundingClientRect().top, one.getBoundingClientRect().bottom])"""
    )
    assert tops[2] - tops[1] >= 8
